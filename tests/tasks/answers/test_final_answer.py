"""The final answer of a solution is what it states, and neither a prompt's placeholder nor the word of a heading."""

import pytest

from tasks.answers.final_answer import answer_key, final_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("6 * 7 = 42\n#### 42", "42"),
        ("#### Answer\n\n\\boxed{42}", "42"),
        ("#### Final answer:\n42", "42"),
        ("#### Step 1: Multiply\n6 * 7\n#### Step 2: Altitude\nh = k\n\n#### 42", "42"),
        ("<think>I close with '#### answer'. Maybe #### 41?</think>\n#### 42", "42"),
        ("\\boxed{41}? No.\n</think>\nThe answer is 42.", "42"),
        ("The answer is 42, which is the total increase in value.", "42"),
        ("**Answer:** **42**", "42"),
        ("#### answer: 42", "42"),
        ("#### Monday", "Monday"),
        ("#### $42\n\nLet me know if you have questions!", "$42"),
    ],
)
def test_the_stated_answer_is_found(text: str, answer: str) -> None:
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "36 / 45 = 0.8\n\n#### answer",
        "#### result",
        "#### [answer]",
        "#### ...",
        r"\boxed{}",
        r"\boxed{\text{answer}}",
        r"\boxed{?}",
        "#### Step 2: Multiply by the distance",
        "#### Step 2: Multiply by the distance\n0.064 * 275",
        "#### Answer",
        "####",
        "2:45 p.m. plus 48 minutes\n#### answer\nThe film ends at 3:33 p.m.",
        "It has 42 steps.",
        "#### 15%\nWait, by the new price?\n#### 17.6%",
        "<think>It is #### 42",
        "<think>#### 42</think>\nI cannot tell.",
    ],
)
def test_what_states_no_answer_has_none(text: str) -> None:
    assert final_answer(text) is None


def test_five_headings_over_five_answers_do_not_agree() -> None:
    texts = [f"s = 21\n\n#### Answer\n\n\\boxed{{{k}}}" for k in (12, 13, 14, 15, 16)]
    assert [answer_key(final_answer(text) or "") for text in texts] == ["12", "13", "14", "15", "16"]


def test_the_same_answer_twice_is_one() -> None:
    assert final_answer("#### 42\nTo sum up:\n#### 42.0") == "42.0"


@pytest.mark.parametrize(
    "reply",
    [
        r"It is $\boxed{100 \text{ minutes}}$, which is $\boxed{1 \text{ hour } 40 \text{ minutes}}$.",
        r"So $x = \boxed{2}$ or $x = \boxed{3}$.",
        r"$\boxed{\frac{1}{2}}$ and $\boxed{\frac{1}{3}}$",
    ],
)
def test_two_boxes_on_a_line_that_differ_are_no_final_answer(reply: str) -> None:
    assert final_answer(reply) is None


def test_two_boxes_of_one_value_on_a_line_are_a_final_answer() -> None:
    assert final_answer(r"$\boxed{\frac{1}{2}}$, that is $\boxed{0.5}$") == "0.5"
