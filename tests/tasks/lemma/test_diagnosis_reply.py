"""Diagnoses as models write them: the step is read where it is certain, and never a wrong one."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base.ask import load_instruction
from tasks.lemma.diagnose import label_steps, number_steps
from tasks.lemma.diagnosis_reply import OUT_OF_RANGE, UNREADABLE, Diagnosis, DiagnosisReply, parse_diagnosis
from tasks.lemma.error_types import ERROR_TYPES

PLAIN = ["Each box holds 12 eggs.", "3 boxes hold 12 * 3 = 36 eggs.", "36 + 5 = 41 eggs are whole.", "#### 41"]
NUMBERED = [
    "Let me work it out.",
    "1. Each box holds 12 eggs.",
    "2. Three boxes hold 12 * 3 = 36 eggs.",
    "3. With the broken ones, 36 + 5 = 41 eggs are whole.",
    "#### 41",
]
HEADED = [
    "## Step 1: The boxes Three boxes hold 12 * 3 = 36 eggs.",
    "That is three dozen.",
    "## Step 2: The broken ones 36 + 5 = 41 eggs are whole.",
    "#### 41",
]
"""Headings belong to the step below them; the own Step 1 has two steps."""


@pytest.mark.parametrize(
    "reply",
    [
        "Step: [S3]\nType: operator",
        'Step: [S3] "36 + 5 = 41"\nType: operator',
        "step: s3\ntype: operator",
        "Step: 3)\nType: operator",
        "Step: #3\nType: operator",
        "Step: Step 3\nType: operator",
        "Step 3\nType: operator",
        "Step: 3.\nType: Operator error",
        "Step: 3 (the broken eggs)\nType: operator",
        "Step: third\nType: operator",
        "Step: three\nType: operator",
        "The first wrong step: 3\nThe type of the error: operator",
        "The first wrong step is step 3 and its type is operator.",
        "The first wrong step is [S3]. The type of its error is operator.",
        "First wrong step = 3\nError type = operator",
        "Step: 3, Type: operator",
        "Step: [S3]; type: operator",
        "**Step:** [S3]\n**Type:** operator",
        "**Step: 3**\n**Type: `operator`**",
        "### Step: 3\n### Type: operator",
        "## Step\n3\n## Type\noperator",
        "- Step: 3\n- Type: operator",
        "1. Step: [S3]\n2. Type: operator",
        "> Step: 3\n> Type: operator",
        "```\nStep: 3\nType: operator\n```",
        "`Step: [S3]`\n`Type: operator`",
        "\\boxed{\\text{Step: 3}}\n\\boxed{\\text{Type: operator}}",
        "Step: \\boxed{3}\nType: \\boxed{\\text{operator}}",
        "$[S3]$ adds.\n\\[ \\text{Step: } 3 \\qquad \\text{Type: operator} \\]",
        "| Step | 3 |\n|---|---|\n| Type | operator |",
        "[S1] and [S2] are right.\n\n[S3]: operator",
        "Step: 3\nType: operator: the right numbers are joined by one wrong operation, as plus for times",
        "Step: 3\nType: operator (plus in place of minus)",
        "Step: 3\nType: an operator error, as 5 is added",
        "Step: 3\nType: operator\n\nLet me know if I can help with anything else!",
        "Step: [S3] — `36 + 5 = 41`\nType: operator",
        'Step: [S3]\n"36 + 5 = 41 eggs"\nType: operator',
        'Step: [S3] "36 + 5 ... are whole"\nType: operator',
        "Step: [S3] \u201c36+5=41 eggs are whole\u201d\nType: operator",
        "Step: 3 \u2014 36 + 5 = 41 eggs are whole\nType: operator",
        "Step\uff1a3\nType\uff1aoperator",
        "<think>\nStep: 2\nType: calculation? No.\n</think>\nStep: 3\nType: operator",
        "Maybe Step: 2?\n</think>\n\nStep: 3\nType: operator",
        json.dumps({"reason": "", "verdict": "wrong", "step": "S3", "first_words": "36 + 5", "type": "operator"}),
        json.dumps({"verdict": "wrong", "step": 3, "type": "operator"}),
        '```json\n{"step": "[S3]", "type": "operator"}\n```',
        'The wrong step adds.\n{"first_wrong_step": 3, "error_type": "operator", "why": "5 eggs break"}',
        "Verdict: wrong\nStep: 3\nType: operator",
        "Step: [S3] (3)\nType: wrong operation",
        "The first wrong step is [S3] (operator).",
        "Step: 3 (operator)",
        "Step 3 is the first wrong step.\nType: operator",
        "[S3] is the first incorrect step.\nError type: operator",
        "Step: 3 \u2192 Type: operator",
        "Step: 3 / Type: operator",
        "Type: operator\nStep: 3",
        "Step: 3\nError: operator",
        "The first error occurs in [S3]. Type: operator",
        "The first mistake is in step 3.\n\nType: operator",
        "First error: [S3]\nError type: operator",
        "| Step | Status |\n|---|---|\n| [S1] | right |\n| [S3] | wrong |\n\nStep: [S3]\nType: operator",
        json.dumps({"diagnosis": {"step": "S3", "type": "operator"}}),
        json.dumps({"wrong_step_number": 3, "error": "operator"}),
        'Step: [S3] "$36 + 5 = 41$ eggs"\nType: operator',
    ],
)
def test_a_step_and_a_type_are_read_in_any_dress(reply: str) -> None:
    assert parse_diagnosis(reply, PLAIN) == Diagnosis("wrong", 3, "operator")


@pytest.mark.parametrize(
    "reply",
    [
        "Verdict: correct",
        "**Verdict:** Correct.",
        "## Verdict\n\nCorrect",
        "Verdict: the attempt is correct",
        "$\\boxed{\\text{Verdict: correct}}$",
        "Verdict: correct. All of it follows.",
        "Verdict: correct (all steps follow, no step is wrong)",
        "Step: none\nType: none\nVerdict: correct",
        "Step: none\nType: none",
        "I compared all of it.\nNo step is wrong.",
        "Everything fits.\n**All steps are correct.**",
        "<think>Step: 2?</think>Verdict: correct",
        json.dumps({"reason": "", "verdict": "correct", "step": "none", "first_words": "", "type": "none"}),
        json.dumps({"verdict": "correct", "step": 0, "type": "none"}),
        json.dumps({"verdict": "correct", "step": None, "type": None}),
    ],
)
def test_a_solution_is_called_correct_in_any_dress(reply: str) -> None:
    assert parse_diagnosis(reply, PLAIN) == Diagnosis("correct")


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "{",
        "Step: the one with the eggs\nType: operator",
        "Step: 3\nType: sloth",
        "Step: 3",
        "Type: operator",
        "Step: 2 and 3\nType: operator",
        "Step: 2, 3\nType: operator",
        "Step: [S2] or [S3]\nType: operator",
        "Steps: [S2]-[S3]\nType: operator",
        "Step: 2-3\nType: operator",
        "Step: 1.1\nType: operator",
        "Step: 3\nType: operator or calculation",
        "Step: 3\nType: operator, calculation",
        "Step: 3\nType: operator/counting",
        "Step: 2\nType: calculation\n\nStep: 3\nType: operator",
        "Step: 3\nType: operator\nVerdict: correct",
        "Verdict: correct\nStep: 3\nType: operator",
        "Verdict: correct up to [S3]",
        "Verdict: correct, but [S3] adds the broken eggs",
        "Verdict: not correct",
        "Verdict: partly correct",
        "Step: 3\nType: operator\n\nWait, 36 + 5 may be meant so.",
        "Step: 3\nType: operator\nActually, it is [S2].",
        "<think>Step: 3\nType: operator",
        'Step: [S3] "3 boxes hold 12 * 3 = 36 eggs"\nType: operator',
        'Step: [S3] "Then nine of the kites are left"\nType: operator',
        'Step: 3 "Each box holds 12 eggs."\nType: operator',
        "Step: 3: 3 boxes hold 12 * 3 = 36 eggs.\nType: operator",
        '{"step": 2, "type": "counting"} {"step": 3, "type": "operator"}',
        json.dumps({"verdict": "wrong", "step": [2, 3], "type": "operator"}),
        json.dumps({"verdict": "correct", "step": "S3", "type": "operator"}),
        json.dumps({"verdict": "wrong", "step": "S3", "first_words": "Each box holds 12", "type": "operator"}),
        "Step: the label of the first wrong step\nType: the type of its error",
    ],
)
def test_what_is_not_certain_is_not_read(reply: str) -> None:
    assert parse_diagnosis(reply, PLAIN) == UNREADABLE


@pytest.mark.parametrize("step", ["0", "5", "[S9]", "99", "S5", "9" * 5000])
def test_a_step_that_does_not_exist_says_so(step: str) -> None:
    assert parse_diagnosis(f"Step: {step}\nType: operator", PLAIN) == OUT_OF_RANGE


@pytest.mark.parametrize(
    ("steps", "reply", "step"),
    [
        (NUMBERED, "Step: 3", None),
        (NUMBERED, "Step: Step 2", None),
        (NUMBERED, "Step: [S4]", 4),
        (NUMBERED, "Step: S3", 3),
        (NUMBERED, "Step: [4]", 4),
        (NUMBERED, "Step: 4", 4),
        (NUMBERED, "Step: 5", 5),
        (NUMBERED, 'Step: 3 "2. Three boxes hold"', 3),
        (NUMBERED, 'Step: 3 "Three boxes hold 12 * 3 = 36"', 3),
        (NUMBERED, 'Step: 3 "3. With the broken ones"', None),
        (NUMBERED, "[S3] multiplies.\nStep: 3", 3),
        (NUMBERED, "[S4] adds.\nStep: 3", None),
        (NUMBERED, "[S3] multiplies, [S4] adds.\nStep: 3", None),
        (NUMBERED, 'The student writes "2. Three boxes hold 12 * 3 = 36 eggs."\nStep: 3', 3),
        (NUMBERED, 'The student writes "With the broken ones, 36 + 5 = 41".\nStep: 3', None),
        (NUMBERED, "Step: Step 3 of the student ([S4])", 4),
        (HEADED, "Step: 3", 3),
        (HEADED, "Step: 2", None),
        (HEADED, "Step: 1", None),
        (HEADED, "Step: [S2]", 2),
        (HEADED, 'Step: 2 "That is three dozen."', 2),
        (["Step 1: 3 + 4 = 8", "Step 2: 8 * 2 = 16"], "Step: 2", 2),
        (["1) 3 + 4 = 8", "2) 8 * 2 = 16"], "Step: 1", 1),
        (["(2) 3 + 4 = 8", "(1) 8 * 2 = 16"], "Step: 2", None),
        (["**Step 2** 3 + 4 = 8", "It is 8 * 2 = 16"], "Step: 2", None),
        (["Step one: 3 + 4 = 8", "So 8 * 2 = 16", "Step two: it is 16"], "Step: 2", None),
    ],
)
def test_a_number_that_may_be_the_students_own_needs_the_words_of_the_step(
    steps: list[str], reply: str, step: int | None
) -> None:
    expected = UNREADABLE if step is None else Diagnosis("wrong", step, "operator")
    assert parse_diagnosis(f"{reply}\nType: operator", steps) == expected


def test_a_copy_of_the_instruction_is_no_diagnosis() -> None:
    assert parse_diagnosis(load_instruction("diagnose"), PLAIN) == UNREADABLE
    example = "\n".join(line for line in load_instruction("diagnose").split("\n") if line.startswith(("Step", "Type")))
    for steps in (PLAIN, NUMBERED, [*PLAIN, *NUMBERED]):
        assert parse_diagnosis(example, steps) in (UNREADABLE, OUT_OF_RANGE)


@pytest.mark.parametrize("kind", ERROR_TYPES)
def test_a_type_may_come_with_its_definition(kind: str) -> None:
    defined = dict(line[2:].split(": ", 1) for line in load_instruction("diagnose").splitlines() if line[:2] == "- ")
    for text in (f"{kind}: {defined[kind]}", f"{kind} ({defined[kind]})", f"- {kind.replace('_', ' ')}", f"**{kind}**"):
        assert parse_diagnosis(f"Step: [S2]\nType: {text}", PLAIN) == Diagnosis("wrong", 2, kind)


def test_the_schema_of_a_diagnosis_asks_for_every_field_and_its_json_is_read() -> None:
    schema = DiagnosisReply.schema_of_reply()
    assert schema["required"] == ["reason", "verdict", "step", "first_words", "type"]
    assert schema["properties"]["type"]["enum"] == [*ERROR_TYPES, "none"]


def test_a_type_may_be_written_in_latex_and_a_quote_too() -> None:
    steps = ["Sopranos: 60 * 2/5 = 26.", "The rest: 60 - 26 = 34."]
    reply = 'Step: [S1] "Sopranos: $60 \\cdot \\frac{2}{5} = 26$"\nType: $\\text{question\\_misinterpretation}$'
    assert parse_diagnosis(reply, steps) == Diagnosis("wrong", 1, "question_misinterpretation")


def test_labels_and_numbers_are_put_before_the_same_steps() -> None:
    assert label_steps(PLAIN).splitlines()[2] == "[S3] 36 + 5 = 41 eggs are whole."
    assert number_steps(PLAIN).splitlines()[2] == "3) 36 + 5 = 41 eggs are whole."


@settings(deadline=None)
@given(st.text(), st.lists(st.text(min_size=1), min_size=1, max_size=6))
def test_no_text_breaks_the_reader_and_a_step_that_is_read_exists(text: str, steps: list[str]) -> None:
    for reply in (text, f"Step: {text}\nType: operator", f"Step: 1 {text}\nType: operator"):
        diagnosis = parse_diagnosis(reply, steps)
        assert diagnosis.verdict != "wrong" or 1 <= diagnosis.step <= len(steps)


@pytest.mark.parametrize("text", ["Step: " * 10**4, "[S1] " * 10**4, '"a b c' * 10**4, "Type: operator\n" * 10**4])
def test_a_degenerate_reply_is_read_in_little_time(text: str) -> None:
    parse_diagnosis(text, PLAIN)
