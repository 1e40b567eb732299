"""Steps of solutions: nothing is lost, nothing is cut where no step ends."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.arrow import conform
from schemas.outcomes import Reject
from tasks.lemma.segment_steps import SegmentSteps, split_steps
from tests.support.recorded import MODELS, SKIP_REASON, SOLUTIONS

ODD = st.sampled_from(
    [". ", ".", "\n", "\n\n", " ", "\\[", "\\]", "$$", "```", "\\begin{a}", "\\end{a}", "3.5", "A", "x"]
)


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in split_steps(text)]


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(ODD).map("".join)))
def test_joined_the_steps_are_the_text(text: str) -> None:
    found = cut(text)
    assert "".join(found) == text
    assert all(step.strip() for step in found) or len(found) == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 99), st.booleans()), min_size=1, max_size=6))
def test_sentences_and_lines_are_counted_and_decimal_points_are_none(numbers: list[tuple[int, int, bool]]) -> None:
    told = [f"She pays {n}.{d} dollars for Mr. Lee, e.g. at 5 p.m. of the day." for n, d, _ in numbers]
    text = "".join(line + ("\n" if broken else " ") for line, (*_, broken) in zip(told, numbers, strict=True))
    assert [step.strip() for step in cut(text)] == told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He has 5. She has 6.", ["He has 5. ", "She has 6."]),
        ("1. Add. Then go.\n2) Stop.", ["1. Add. ", "Then go.\n", "2) Stop."]),
        ("Step 1. Add them. Step 2. Stop.", ["Step 1. Add them. ", "Step 2. Stop."]),
        ("It is 5 ft. 3 in. tall. He is 5 ft. She is 4.", ["It is 5 ft. 3 in. tall. ", "He is 5 ft. ", "She is 4."]),
        ("We get\n\\[ x = 3.\n Y = 4 \\]\nSo it is.", ["We get\n\\[ x = 3.\n Y = 4 \\]\n", "So it is."]),
        ("Done.\n$$ a\n= b $$\nEnd", ["Done.\n", "$$ a\n= b $$\n", "End"]),
        ("So \\begin{align*} a &= 1.\\\\\n B &= 2 \\end{align*} Yes.", None),
        ("She makes $18 a day. He makes $20.", ["She makes $18 a day. ", "He makes $20."]),
        ("```\nprint(1)\nprint(2)\n```\nIt prints.", ["```\nprint(1)\nprint(2)\n```\n", "It prints."]),
        ("One\n\n\n  Two  \n", ["One\n\n\n  ", "Two  \n"]),
        ("Is it so? Yes! (It is.) Good.", ["Is it so? ", "Yes! ", "(It is.) ", "Good."]),
        ("J. Smith and U.S. Grant met.", None),
        ("By Eq. (3) and Thm. 2 of Gov. Smith et al. (2020) on Mt. Everest it is so.", None),
        (
            "Because $\\left(120 -\nk^2\\right)^2$ is so.\nIt ends.",
            ["Because $\\left(120 -\nk^2\\right)^2$ is so.\n", "It ends."],
        ),
        ("He has $5\nand she has $6", ["He has $5\n", "and she has $6"]),
        ("\\[ never closed. Two\nThree", ["\\[ never closed. ", "Two\n", "Three"]),
        ("", []),
        (" \n", None),
    ],
)
def test_steps_end_with_lines_and_sentences(text: str, expected: list[str] | None) -> None:
    assert cut(text) == ([text] if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Step 1: Area\nIt is 84.\n## Step 2: Height\nIt is 8.", ["## Step 1: Area\nIt is 84.\n", None]),
        ("#### Step 2: Height\nh = 8\n#### 8", ["#### Step 2: Height\nh = 8\n", "#### 8"]),
        ("#### Answer\n12", ["#### Answer\n12"]),
        ("### Final answer\n#### 12", ["### Final answer\n#### 12"]),
        ("It is 12.\n#### 12 cats\nBye.", ["It is 12.\n", "#### 12 cats\n", "Bye."]),
        ("**Step 1:**\nAdd 3.\n**Step 2:**\nGo.", ["**Step 1:**\nAdd 3.\n", "**Step 2:**\nGo."]),
        ("**Step 1:** Add 3.\nGo.", ["**Step 1:** Add 3.\n", "Go."]),
        ("**Find the area**\n84\n**84 eggs**\nGo.", ["**Find the area**\n84\n", "**84 eggs**\n", "Go."]),
        ("**It is 84.**\nGo.", ["**It is 84.**\n", "Go."]),
        ("**a = 84**\nGo.", ["**a = 84**\n", "Go."]),
        ("__Area__:\n84", ["__Area__:\n84"]),
        ("\\textbf{Area:}\n84", ["\\textbf{Area:}\n84"]),
        ("1. **Area**:\n   - A = 84\n2. **Height**:\n   - h = 8", ["1. **Area**:\n   - A = 84\n", None]),
        ("Step 1\nAdd 3.\nStep 2:\nGo.", ["Step 1\nAdd 3.\n", "Step 2:\nGo."]),
        ("1.\nAdd 3.\n2.\nGo.", ["1.\nAdd 3.\n", "2.\nGo."]),
        ("-\nAdd 3.\n(b)\nGo.", ["-\nAdd 3.\n", "(b)\nGo."]),
        ("We compute the cost:\n3 * 4 = 12\nThe change is:\n8", ["We compute the cost:\n3 * 4 = 12\n", None]),
        ("So x = 12, and y:\n8", ["So x = 12, and y:\n", "8"]),
        ("Add 3.\n\n---\n\nGo.", ["Add 3.\n\n", "---\n\nGo."]),
        ("---\nAdd 3.\nGo.\n\n***\n", ["---\nAdd 3.\n", "Go.\n\n***\n"]),
        ("Add 3.\n=====\n## Next\nGo.", ["Add 3.\n", "=====\n## Next\nGo."]),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |", ["| a | b |\n|---|---|\n| 1 | 2 |\n", "| 3 | 4 |"]),
        ("Prices:\n| a | b |\n| 1 | 2 |", ["Prices:\n| a | b |\n", "| 1 | 2 |"]),
        ("# Solution\n## Step 1\n**Area:**\n84", ["# Solution\n## Step 1\n**Area:**\n84"]),
        ("Add 3.\n## Conclusion", ["Add 3.\n", "## Conclusion"]),
        ("# of cats = 5\nGo.", ["# of cats = 5\n", "Go."]),
    ],
)
def test_what_only_introduces_belongs_to_the_step_below_it(text: str, expected: list[str | None]) -> None:
    found = cut(text)
    assert "".join(found) == text and len(found) == len(expected)
    assert all(own is None or step == own for step, own in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    "text", ["\n" * 10**5, "\\[" * 10**5, ". A" * 10**5, "$$" * 10**5, ".)" * 10**5, "a:\n" * 10**4]
)
def test_a_degenerate_text_is_cut_in_linear_time(text: str) -> None:
    assert "".join(cut(text)) == text


def test_right_and_empty_solutions_are_turned_down() -> None:
    row = {
        "row_id": "q/0",
        "question_id": "q",
        "question": "Q?",
        "answer": "7",
        "reference": "#### 7",
        "rule": "number",
    }
    row |= {
        "source": "student",
        "student": "s",
        "type": None,
        "line": None,
        "verdict": "wrong",
        "response": "A.\n#### 8",
        "reasoning": None,
    }
    right, empty, wrong = SegmentSteps().rows([row | {"verdict": "correct"}, row | {"response": " "}, row], None)
    assert (right, empty) == (Reject(row | {"verdict": "correct"}, "right"), Reject(row | {"response": " "}, "empty"))
    assert isinstance(wrong, dict) and wrong["steps"] == [{"start": 0, "end": 3}, {"start": 3, "end": 9}]
    conform([wrong], SegmentSteps.table, "segment")


@pytest.mark.skipif(not SOLUTIONS.exists(), reason=SKIP_REASON)
def test_recorded_solutions_are_cut_without_loss() -> None:
    items = [json.loads(line) for line in SOLUTIONS.read_text().splitlines()]
    texts = [item[model]["solution"] for item in items for model in MODELS]
    assert len(texts) == 5276
    for text in texts:
        found = cut(text)
        lines = [line.strip() for line in text.splitlines()]
        assert "".join(found) == text and len(found) >= sum(bool(line) and line[-1] != ":" for line in lines)


def test_a_sentence_may_end_inside_inline_math() -> None:
    text = "So $x = 3.$ Then $y = 4.$ Hence $z = 5.$"
    assert [text[a:b] for a, b in split_steps(text)] == ["So $x = 3.$ ", "Then $y = 4.$ ", "Hence $z = 5.$"]
    assert len(split_steps("He makes $18 a day. She makes $20.")) == 2
