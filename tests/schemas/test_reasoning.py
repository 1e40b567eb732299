"""A thought is split from its reply, however the model or its template marks it."""

import pytest

from schemas.engine import Completion
from schemas.prompts import BOXED_REQUEST, Prompt
from schemas.reasoning import REASONING_MARKS, SplitText, split_reasoning


@pytest.mark.parametrize(("opening", "closing"), REASONING_MARKS)
def test_a_thought_is_split_at_every_known_mark(opening: str, closing: str) -> None:
    text = f"{opening}\nMaybe #### 5?\n{closing}\n\nThe answer is 6."
    assert split_reasoning(text) == SplitText("Maybe #### 5?", "The answer is 6.", True)


@pytest.mark.parametrize(
    ("text", "reasoning", "reply"),
    [
        ("So it is 4.\n</think>\n\n#### 4", "So it is 4.", "#### 4"),
        ("So it is 4.</think>#### 4", "So it is 4.", "#### 4"),
        ("Sure! <think>four?</think> It is 4.", "four?", "Sure!\n It is 4."),
        ("<think>a</think>\n<think>b</think>\nc", "a\nb", "c"),
        ("<think>\n\n</think>\n\nIt is 4.", None, "It is 4."),
        ("<think>I close with `</think>` soon.</think>It is 4.", "I close with `</think>` soon.", "It is 4."),
        ("<think>```python\nprint(4)\n</think>\n4\n```\nx\n```", "```python\nprint(4)", "4\n```\nx\n```"),
        ("<think>It costs $5.</think>It costs $4 in all.", "It costs $5.", "It costs $4 in all."),
    ],
)
def test_thoughts_of_every_form_are_split(text: str, reasoning: str | None, reply: str) -> None:
    assert split_reasoning(text) == SplitText(reasoning, reply, True)


@pytest.mark.parametrize(
    "text", ["<think>\nFour or", "It is <think> hm", "</think>a<think>b", "<think>a</think><think>b"]
)
def test_a_thought_that_never_ends_is_not_closed(text: str) -> None:
    assert not split_reasoning(text).closed


@pytest.mark.parametrize(
    "text",
    [
        "It is 4.",
        "Models write `<think>` first.",
        'Close it with "</think>", then reply.',
        "```\n<think>x</think>\n```\nIt is 4.",
        r"$\text{<think>}$ is a tag of 7 characters.",
        "x <think y",
    ],
)
def test_text_that_only_speaks_of_thoughts_is_left_alone(text: str) -> None:
    assert split_reasoning(text) == SplitText(None, text, True)


def test_a_role_may_name_other_marks() -> None:
    assert split_reasoning("(hm)a(/hm)4", [("(hm)", "(/hm)")]) == SplitText("a", "4", True)


def test_a_completion_keeps_its_thought_and_an_endless_one_is_cut_off() -> None:
    completion = Completion(text="<think>a</think>b", finish_reason="stop", prompt_tokens=1, completion_tokens=9)
    split = completion.split_reasoning()
    assert (split.reasoning, split.text, split.fault) == ("a", "b", None)
    assert completion.model_copy(update={"text": "<think>a"}).split_reasoning().fault == "cut_off"
    assert completion.model_copy(update={"finish_reason": "content_filter"}).fault == "content_filter"


def test_a_layout_says_which_turn_the_instruction_is_in() -> None:
    prompt = Prompt(stage="solve", inputs={"question": "2 + 2?"}, instruction="Solve it.")
    assert [turn["role"] for turn in prompt.to_messages()] == ["system", "user"]
    assert prompt.to_messages("user") == [{"role": "user", "content": "Solve it.\n\nQuestion:\n2 + 2?"}]
    assert prompt.to_messages("boxed") == [{"role": "user", "content": f"2 + 2?\n{BOXED_REQUEST}"}]
    judged = prompt.model_copy(update={"stage": "judge"})
    assert judged.to_messages("boxed") == judged.to_messages("user")


def test_an_instruct_model_may_read_another_form_of_an_input_and_the_seeds_do_not_depend_on_it() -> None:
    plain = Prompt(stage="diagnose", inputs={"question": "2 + 2?", "attempt": "1) 5"}, instruction="Judge.")
    labelled = plain.model_copy(update={"chat_inputs": {"attempt": "[S1] 5"}})
    assert labelled.to_messages()[1]["content"] == "Question:\n2 + 2?\n\nAttempt:\n[S1] 5"
    assert labelled.to_tagged_text() == plain.to_tagged_text() == "<diagnose><question>2 + 2?<attempt>1) 5<reply>"
    assert labelled.as_plain() == plain.as_plain()
