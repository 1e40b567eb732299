"""Injected errors as models write them: the solution without its wrapping, and the line that is meant."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base.ask import load_instruction
from tasks.lemma.injection_reply import Injection, InjectionReply, parse_injection

SOLUTION = "Each box holds 12 eggs.\n3 boxes hold 12 * 3 = 35 eggs.\n35 - 5 = 30 eggs are whole.\n#### 30"
QUOTE = '"3 boxes hold 12 * 3 = 35 eggs."'


@pytest.mark.parametrize(
    "reply",
    [
        f"Step: 2\n{SOLUTION}",
        f"Step: 2\n\n{SOLUTION}\n\nThat is wrong because of 35.",
        f"{SOLUTION}\nWrong step: {QUOTE}",
        f"{SOLUTION}\n\n**Wrong step:** {QUOTE}",
        f"{SOLUTION}\nWrong step: 3 boxes hold 12 * 3 = 35 eggs.",
        f"{SOLUTION}\nWrong step: \u201c3 boxes hold 12 \u00d7 3 = 35 eggs\u201d",
        f"{SOLUTION}\nWrong step: `3 boxes hold 12 * 3 = 35`",
        f'{SOLUTION}\nWrong step: "3 boxes hold ... 35 eggs."',
        f"{SOLUTION}\nWrong line: {QUOTE} (line 2)",
        f"{SOLUTION}\nWrong step: line 3, {QUOTE}",
        f"{SOLUTION}\nThe wrong step is {QUOTE}.",
        f"{SOLUTION}\nThe mistake is in {QUOTE}",
        f"{SOLUTION}\nStep: 2",
        f"{SOLUTION}\nStep: 2) because 12 * 3 is 36",
        f"{SOLUTION}\nStep: Step 2",
        f"{SOLUTION}\n### Step: 2",
        f"{SOLUTION}\n**Step: 2 (calculation)**",
        f"{SOLUTION}\nLine: 2",
        f"Step 2\n{SOLUTION}",
        f"Line 2\n\n{SOLUTION}",
        f"Step #2:\n{SOLUTION}",
        f"Wrong step: 2\n{SOLUTION}",
        f"Sure! Here is a solution with a mistake:\n\n{SOLUTION}\n\nStep: 2",
        f"Okay, I'll play a student who makes one mistake.\n\nStep: 2\n{SOLUTION}",
        f"Sure!\n\nStep: 2\n\n{SOLUTION}",
        f"# Student's Solution\n\n{SOLUTION}\n\nStep: 2",
        f"**Student's Solution:**\n\n{SOLUTION}\n\n**Step: 2**",
        f"```\nStep: 2\n{SOLUTION}\n```",
        f"Step: 2\n```text\n{SOLUTION}\n```\n(The product is wrong.)",
        f"{SOLUTION}\n---\nStep: 2",
        "> " + SOLUTION.replace("\n", "\n> ") + "\n\nStep: 2",
        f'Student:\n"{SOLUTION}"\n\nStep: 2',
        SOLUTION.replace("#### 30", "**#### 30**") + "\nStep: 2",
        SOLUTION.replace("#### 30", "#### **30**") + "\nStep: 2",
        SOLUTION.replace("#### 30", "#### Answer: 30") + "\nStep: 2",
        SOLUTION.replace("#### 30", "#### answer\n30") + "\nStep: 2",
        SOLUTION.replace("#### 30", "####\n30") + "\nStep: 2",
        SOLUTION.replace("\n", "\n\n") + f"\nWrong step: {QUOTE}",
        f"> Step: 1\n> ...\n> #### answer\n\nStep: 2\n{SOLUTION}",
        f"<think>Step: 3? No.\n#### 31</think>\nStep: 2\n{SOLUTION}",
        f"Step: 1\nno\n</think>\n\n{SOLUTION}\nStep: 2",
        json.dumps({"solution": SOLUTION, "wrong_step": "3 boxes hold 12 * 3 = 35 eggs."}),
        json.dumps({"step": 2, "solution": SOLUTION}),
        json.dumps({"line": 2, "solution": SOLUTION.split("\n")[:3], "answer": 30}),
        f"{SOLUTION}\nThe mistake is on line 2.",
        f"{SOLUTION}\nError in step 2",
        f"{SOLUTION}\n(Step: 2)",
        f"{SOLUTION}\n**Wrong step:**\n{QUOTE}",
        f"{SOLUTION}\n<!-- Wrong step: 2 -->",
        f"{SOLUTION}\nThe mistake is in the second line.",
        f"{SOLUTION}\nStep: 2nd",
        f"Step: 2\nType: calculation\n{SOLUTION}",
        f"Mistake type: calculation\nStep: 2\n\n{SOLUTION}",
        f"Step: 2\n...\n{SOLUTION}",
        f"Step: 2\nSolution:\n{SOLUTION}",
        f"{SOLUTION}\nLine of the mistake: 2",
        f"{SOLUTION}\nStep containing the error: {QUOTE}",
        json.dumps({"step": "Step 2", "solution": SOLUTION.split("\n")}),
        "```json\n" + json.dumps({"solution": SOLUTION, "wrong_step": 2}) + "\n```",
    ],
)
def test_solution_and_wrong_line_are_read_in_any_dress(reply: str) -> None:
    assert parse_injection(reply) == Injection(2, SOLUTION)


@pytest.mark.parametrize(
    "reply",
    [
        SOLUTION,
        f"{SOLUTION}\nThe student forgot to carry.",
        f'{SOLUTION}\nWrong step: "They lay in 7 baskets."',
        f"{SOLUTION}\nStep: 2 and 3",
        f"{SOLUTION}\nStep: two of them",
        f"Step: 1\n{SOLUTION}\nStep: 2",
        f"{SOLUTION}\nStep: 1\nThe rest follows.\nStep: 3",
        f"Step: 1\n{SOLUTION}\n\nStep: 2\n{SOLUTION}",
        f"{SOLUTION}\nStep: 12 * 3 = 35",
        SOLUTION.replace("35 - 5", "3 boxes hold 12 * 3 = 35 eggs.\n35 - 5") + f"\nWrong step: {QUOTE}",
        "Let me see.\n1. 12 * 3 = 35\n2. 35 - 5 = 30\n#### 30\nStep: 2",
        "Step 1: 12 * 3 = 35\nSo many.\nStep 2: 35 - 5 = 30\n#### 30\nStep: 2",
        "## Step 1\n12 * 3 = 35\n## Step 2\n35 - 5 = 30\n#### 30\nStep: 2",
        "<think>Step: 2\n" + SOLUTION,
        json.dumps({"solution": SOLUTION}),
        "Step: 3\nEach box holds 12 eggs.\n12 * 3 = 35\n#### 3",
        "12 * 3 = 35\n#### 2\nThe mistake is on line 2.",
        "Step: 2\n3 boxes hold 35 eggs.\n#### 2",
        "Step: 2\n\nHowever, 2 is actually wrong. The 20 is calculated correctly: 8 * 5 / 2 = 20.\nSo the answer is 4.",
        "Step: 1\nThe 20 is 8 * 5 / 2.\nSo the answer is 2 + 2 = 4, and it actually is correct.",
        "Step: 2\n12 * 3 = 35\nThis is wrong, because 12 * 3 is 36.\n#### 35",
        "Step: 1\n12 * 3 = 35\n35 - 5 = 30, which is the mistake.\n#### 30",
        "We get\n\\[\n12 * 3 = 35\n\\]\nSo 30.\n#### 30\nStep: 2",
        "First:\n\\[ 12 * 3 = 35 \\]\nbecause of that.\nThen 30.\n#### 30\nStep: 2",
        "First:\n$$12 * 3 = 35$$\nbecause of that.\nThen 30.\n#### 30\nStep: 3",
        "First:\n\\begin{align}\n12 * 3 = 35\n\\end{align}\nThen 30.\n#### 30\nStep: 2",
    ],
)
def test_a_line_that_is_not_certain_is_not_read(reply: str) -> None:
    assert parse_injection(reply).line is None


@pytest.mark.parametrize("number", ["0", "5", "99999999"])
def test_a_line_that_does_not_exist_keeps_its_number(number: str) -> None:
    line = parse_injection(f"Step: {number}\n{SOLUTION}").line
    assert line == int(number)


@pytest.mark.parametrize(
    ("solution", "number", "line"),
    [
        ("It is so.\n\\[\n12 * 3 = 35\n\\]\nSo 30.\n#### 30", 2, 2),
        ("We get\n$$\n12 * 3 = 35\n$$\nSo 30.\n#### 30", 1, 1),
        ("The product:\n12 * 3 = 35\n#### 35", 2, 2),
        ("1. 12 * 3 = 35\n2. 35 - 5 = 30\n#### 30", 2, 2),
        ("- 12 * 3 = 35\n- 35 - 5 = 30\n#### 30", 1, 1),
    ],
)
def test_a_number_counts_lines_as_a_reader_does(solution: str, number: int, line: int) -> None:
    assert parse_injection(f"{solution}\nStep: {number}") == Injection(line, solution)


@pytest.mark.parametrize(
    "line",
    [
        "I can give 5 students 3 pens each.",
        "Let me write an equation.",
        "Here are 3 boxes of 12 eggs:",
        "Here's what we know:",
        "Okay, the boxes hold 12 eggs each.",
        "Sure, the sum is 12.",
        "The student council sells 5 tickets:",
        "# of cats: 5",
        "Solution A has 5 ml.",
        "Answer the first part: 5",
        "**12** eggs and **3** boxes",
        "I will use x for the number of steps.",
    ],
)
def test_a_first_line_that_only_looks_like_a_preface_stays(line: str) -> None:
    assert parse_injection(f"{line}\n{SOLUTION}\nStep: 3") == Injection(3, f"{line}\n{SOLUTION}")


def test_words_find_a_line_wherever_it_stands() -> None:
    solution = "We get\n\\[\n12 * 3 = 35\n\\]\nSo 35 - 5 = 30.\n#### 30"
    assert parse_injection(f'{solution}\nWrong step: "12 * 3 = 35"').line == 3
    assert parse_injection(f'{solution}\nWrong step: "So 35 - 5 = 30."').line == 5


def test_a_copy_of_the_instruction_names_no_line() -> None:
    example = load_instruction("inject").rpartition("\n\n")[2]
    assert parse_injection(f"{SOLUTION}\n{example.splitlines()[-1]}").line is None


def test_the_schema_asks_for_the_solution_before_its_wrong_step() -> None:
    assert InjectionReply.schema_of_reply()["required"] == ["solution", "wrong_step"]


@settings(deadline=None)
@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    for reply in (text, f"Step: {text}\n{SOLUTION}", f"{text}\n{SOLUTION}\nWrong step: {text}"):
        line, solution = parse_injection(reply)
        assert line is None or solution is not None
