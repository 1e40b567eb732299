"""Continuations as models write them: the reflection, the correction, and nothing that stands around them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.answers.final_answer import final_answer
from tasks.lemma.continuation_reply import Continuation, ContinuationReply, parse_continuation

PREFIX = "Each box holds 12 eggs.\n3 boxes hold 12 * 3 = 35 eggs."
REFLECTION = "Wait, 12 * 3 is not 35."
CORRECTION = "12 * 3 = 36 eggs.\n36 - 5 = 31 eggs.\n#### 31"
PLAIN = f"{REFLECTION}\n{CORRECTION}"


@pytest.mark.parametrize(
    "reply",
    [
        PLAIN,
        f"\n\n{PLAIN}\n\n",
        f"Sure! Here is the continuation:\n\n{PLAIN}",
        f"Here's how the student would continue:\n\n{PLAIN}\n\nLet me know if you need more!",
        f"Certainly!\n\n{PLAIN}",
        f"Okay, I'll continue as the student.\n\n{PLAIN}",
        f"I'll go on as the student who made the attempt:\n{PLAIN}",
        f"The student continues:\n{PLAIN}",
        f"Student's continuation:\n\n{PLAIN}\n\nNote: the error was of the type calculation.",
        f"**Continuation:**\n{PLAIN}",
        f"## Continuation\n\n{PLAIN}",
        f"### Moment of doubt\n{REFLECTION}\n### Corrected steps\n{CORRECTION}",
        f"# Reflection\n{REFLECTION}\n\n---\n# Correction\n{CORRECTION}",
        f"Reflection: {REFLECTION}\nCorrection:\n{CORRECTION}",
        f"**Reflection:** {REFLECTION}\n**Correction:** {CORRECTION}",
        f"Reflection:\n{REFLECTION}\n\nCorrected solution: {CORRECTION}",
        f"Moment of doubt: {REFLECTION}\n{CORRECTION}",
        f"```\n{PLAIN}\n```",
        f"```text\n{PLAIN}\n```\nThis mends the product.",
        f"Here is the corrected version:\n```markdown\n{PLAIN}\n```",
        "> " + PLAIN.replace("\n", "\n> "),
        f'"{PLAIN}"',
        f"\u201c{PLAIN}\u201d",
        f'"{REFLECTION}"\n{CORRECTION}',
        f"**{REFLECTION}**\n{CORRECTION}",
        f"**Wait**, 12 * 3 is not 35.\n{CORRECTION}",
        PLAIN.replace("#### 31", "**#### 31**"),
        PLAIN.replace("#### 31", "#### **31**"),
        PLAIN.replace("#### 31", "#### answer\n31"),
        PLAIN.replace("#### 31", "#### Answer: 31"),
        PLAIN.replace("#### 31", "#### Final answer\n\n31"),
        PLAIN.replace("#### 31", "####\n31"),
        PLAIN.replace("\n#### 31", " #### 31"),
        f"{PLAIN}\n\nI hope this helps!",
        f"{PLAIN}\n\nThe error was that 12 * 3 is 36.\nIt is corrected.",
        f"{PLAIN}\n---\n(The student notices the error.)",
        f"{REFLECTION}\n#### Step 2: Count again\n{CORRECTION}",
        f"{REFLECTION}\n#### 1. Count again\n12 * 3 = 36 eggs.\n#### 2. Take off\n36 - 5 = 31 eggs.\n#### 31",
        f"{PREFIX}\n{PLAIN}",
        f"{PREFIX}\n\n{PLAIN}",
        f"3 boxes hold 12 * 3 = 35 eggs.\n{PLAIN}",
        f"3 boxes hold 12 * 3 = 35 eggs. {PLAIN}",
        f"<think>Wait, 3 is odd.\n#### 30</think>\n{PLAIN}",
        f"Wait, so.\n#### 30\n</think>\n\n{PLAIN}",
        json.dumps({"reflection": REFLECTION, "correction": CORRECTION}),
        "```json\n" + json.dumps({"reflection": REFLECTION, "correction": CORRECTION}) + "\n```",
        json.dumps({"reflection": REFLECTION, "correction": CORRECTION.split("\n")}),
        json.dumps({"reflection": REFLECTION, "steps": CORRECTION.split("\n")[:2], "answer": 31}),
        json.dumps({"doubt": REFLECTION, "corrected_steps": CORRECTION.split("\n")}),
        json.dumps({"continuation": PLAIN}),
        f"[Continuation]\n{PLAIN}",
        f"Student: {PLAIN}",
        f"1. {REFLECTION}\n{CORRECTION}",
        f"*{REFLECTION}*\n{CORRECTION}",
        f"(Moment of doubt) {REFLECTION}\n{CORRECTION}",
        PLAIN.replace("#### 31", "**Final Answer:** 31"),
        PLAIN.replace("#### 31", "Answer: **31**"),
        f"{REFLECTION} 12 * 3 = 36 eggs.\n36 - 5 = 31 eggs.\n#### 31".replace(" 12 * 3 = 36", "\n12 * 3 = 36"),
    ],
)
def test_a_continuation_is_read_in_any_dress(reply: str) -> None:
    assert parse_continuation(reply, PREFIX) == Continuation(REFLECTION, CORRECTION)


@pytest.mark.parametrize(
    ("reply", "reflection", "begins"),
    [
        (
            "Wait, 12 * 3 is not 35. So it is 12 * 3 = 36. Then 36 - 5 = 31.\n#### 31",
            REFLECTION,
            "So it is 12 * 3 = 36.",
        ),
        (
            "Hmm. That can't be right. I slipped. So 12 * 3 = 36.\n#### 31",
            "Hmm. That can't be right. I slipped.",
            "So 12",
        ),
        (
            "Hmm.\nThat cannot be right, 35 is odd.\n36 - 5 = 31\n#### 31",
            "Hmm. That cannot be right, 35 is odd.",
            "36 - 5",
        ),
        ("Wait, 3.5 boxes are not 35 eggs. Now 12 * 3 = 36. #### 31", "Wait, 3.5 boxes are not 35 eggs.", "Now 12 * 3"),
    ],
)
def test_a_reflection_ends_where_the_doubt_does(reply: str, reflection: str, begins: str) -> None:
    found = parse_continuation(reply, PREFIX)
    assert found.reflection == reflection and found.correction.startswith(begins)
    assert found.correction.endswith("\n#### 31")


@pytest.mark.parametrize(
    "reply",
    [
        f"We know that each box holds 12 eggs.\nThe 3 boxes hold 12 * 3 = 36 eggs.\n{PLAIN}",
        f"Each box holds 12 eggs, so\n3 boxes hold 36 eggs.\n{PLAIN}",
    ],
)
def test_an_attempt_that_is_told_again_in_other_words_is_known(reply: str) -> None:
    assert parse_continuation(reply, PREFIX).repeats


@pytest.mark.parametrize(
    "remark", ["Wait, that is wrong.\n#### 32", "#### 32", "Hmm, let me check this again.", "Actually, it is 32."]
)
def test_a_remark_that_takes_the_answer_back_is_not_cut_off(remark: str) -> None:
    correction = parse_continuation(f"{PLAIN}\n{remark}", PREFIX).correction
    assert correction.endswith(remark.split("\n")[-1])


def test_a_thought_that_never_ends_has_no_continuation() -> None:
    assert parse_continuation(f"<think>{PLAIN}", PREFIX) == Continuation("", "")


def test_the_schema_asks_for_the_reflection_first() -> None:
    assert ContinuationReply.schema_of_reply()["required"] == ["reflection", "correction"]


@settings(deadline=None)
@given(st.text(), st.text())
def test_no_text_breaks_the_reader(text: str, prefix: str) -> None:
    for reply in (text, f"{text}\n{PLAIN}", f"{REFLECTION} {text}\n#### 31", f"{PLAIN}\n{text}"):
        parse_continuation(reply, prefix)


@pytest.mark.parametrize("text", ["#### 1\n" * 3000, "Wait. " * 3000, '"' * 10**4, "> \n" * 10**4, "**a** " * 3000])
def test_a_degenerate_reply_is_read_in_little_time(text: str) -> None:
    parse_continuation(text, PREFIX)


@pytest.mark.parametrize("statement", ["The answer is 31.", "So the final answer is **31**.", "**Answer:** 31"])
def test_an_answer_that_a_last_sentence_states_gets_its_line(statement: str) -> None:
    found = parse_continuation(f"{REFLECTION}\n12 * 3 = 36\n{statement}\n\nThis mends the error.", PREFIX)
    assert found.correction.split("\n")[-1] == "#### 31"
    assert not parse_continuation(f"{REFLECTION}\n36 - 5\nMaybe the answer is 31.").correction.endswith("#### 31")


def test_display_math_and_boxes_stay_as_they_are() -> None:
    text = f"{REFLECTION}\nWe get\n\\[\n12 \\cdot 3 = 36\n\\]\nSo \\boxed{{31}}."
    found = parse_continuation(f"{text}\n\nThis is right.", PREFIX)
    assert f"{found.reflection}\n{found.correction}" == text and final_answer(found.correction) == "31"
