"""Each stage of LEMMA alone: what it asks, what it makes of a reply, and why it turns a row down."""

import json
import re
from collections import Counter
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from infra.engines.fake import FakeEngine
from schemas.arrow import conform
from schemas.identity import fingerprint
from schemas.outcomes import Quarantine, Reject
from schemas.prompts import Sampling
from schemas.steps import Stage
from tasks.base.ask import load_instruction
from tasks.lemma.arithmetic import equations_hold
from tasks.lemma.corrections import Continuation, FixContinue, FreshRestart, join_trajectory, step_overlap
from tasks.lemma.diagnose import Diagnose
from tasks.lemma.diagnosis_reply import parse_diagnosis
from tasks.lemma.error_distribution import DrawErrorTypes
from tasks.lemma.error_types import ERROR_TYPES, MEANINGS, parse_error_type
from tasks.lemma.inject import Inject
from tasks.lemma.prompt_leaks import leaks_prompt
from tasks.lemma.segment_steps import SegmentSteps, split_steps
from tasks.lemma.select_corrections import SelectCorrections, counts_within_tolerance
from tasks.lemma.smooth import Smooth
from tasks.lemma.solution_pairs import PairSolutions
from tasks.lemma.student_attempts import KeepDecided, NormalizeProblem, SampleStudent
from tasks.lemma.truncate import DropDuplicateErrors, Truncate
from tasks.lemma.validate import ValidateCorrection
from tasks.proving_ground import library
from tasks.pupil import error_examples
from tests.support.merging import run_merge

QUESTION = "A box holds 12 eggs. How many eggs are in 3 boxes, when 5 eggs break?"
REFERENCE = "3 boxes hold 12 * 3 = 36 eggs.\n36 - 5 = 31 eggs are whole.\n#### 31"
WRONG = "3 boxes hold 12 * 3 = 35 eggs.\n35 - 5 = 30 eggs are whole.\n#### 30"
POSED = {"row_id": "q", "question": QUESTION, "answer": "31", "reference": REFERENCE}
WRITTEN = {
    **{**POSED, "row_id": "q/0", "question_id": "q", "response": WRONG, "source": "student"},
    **{"student": "student", "type": None, "line": None, "reasoning": None},
}
GRADED = {**WRITTEN, "verdict": "wrong", "rule": "number"}
SEGMENTED = {**GRADED, "steps": [step._asdict() for step in split_steps(WRONG)]}
DIAGNOSED = {**SEGMENTED, "found_type": "calculation", "found_step": 1, "votes": 2, "asked": 2}
(ERROR,) = Truncate().rows([DIAGNOSED], None)
FIXED = "Wait, 12 * 3 is not 35.\n12 * 3 = 36 eggs.\n36 - 5 = 31 eggs.\n#### 31"
FRESH = "No, 12 * 3 is wrong. I start over.\nEach box counts, so 12 + 12 + 12 = 36.\nWithout 5 it is 31.\n#### 31"


def said(*texts: str) -> FakeEngine:
    """An engine that says one text after the other."""
    waiting = iter(texts)
    return FakeEngine(lambda prompt, seed: next(waiting))


def one(stage: Stage, row: Any, *texts: str) -> Any:
    """The only outcome; a kept row fits its table."""
    (found,) = stage.rows([row], said(*texts))
    if isinstance(found, dict):
        conform([found], stage.table, stage.label)
        return found
    return found.reason


def diagnosis(step: int, kind: str) -> str:
    return f"Look at it.\nStep: {step}\nType: {kind}"


def draft(reply: str = FIXED, **more: Any) -> dict[str, Any]:
    """A correction of the error."""
    assert isinstance(ERROR, dict)
    reflection, _, correction = reply.partition("\n")
    row = join_trajectory(ERROR, Continuation(reflection, correction))
    return {**row, "row_id": "q/0/fix_continue", "strategy": "fix_continue", "teacher": "teacher", **more}


def test_every_type_is_defined_everywhere_in_the_same_words() -> None:
    lines = load_instruction("diagnose").splitlines()
    assert dict(line[2:].split(": ", 1) for line in lines if line.startswith("- ")) == MEANINGS
    assert tuple(MEANINGS) == ERROR_TYPES
    for kind in ERROR_TYPES:
        assert parse_error_type(f" **{kind.replace('_', ' ').title()}** error.".replace("** error", "**")) == kind
    assert parse_error_type("sloth") is None


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"answer": ""}, "no answer"),
        ({"solution": " "}, "no reference"),
        ({"agreement": 0.4, "of_majority": True}, "no consensus"),
        ({"agreement": 0.9, "of_majority": False}, "no consensus"),
    ],
)
def test_a_problem_without_a_sure_answer_is_not_posed(more: dict[str, Any], reason: str) -> None:
    row = {"row_id": "q", "question": QUESTION, "answer": "31", "solution": REFERENCE}
    assert one(NormalizeProblem(), row | more) == reason


def test_a_gold_may_be_a_whole_solution_and_a_reference_gets_its_answer_line() -> None:
    row = {"row_id": "q", "question": QUESTION, "answer": REFERENCE, "response": "It is 36 - 5."}
    assert one(NormalizeProblem(), row) == {**POSED, "reference": "It is 36 - 5.\n#### 31"}


def test_attempts_are_asked_for_as_solutions_are_and_right_ones_are_kept_too() -> None:
    engine = said(WRONG, "I do not know.", REFERENCE, "and so on")
    stage = SampleStudent(sampling=Sampling(n=4, temperature=0.7))
    found = list(stage.rows([POSED], engine))
    assert [row["row_id"] if isinstance(row, dict) else row.reason for row in found] == [
        *("q/0", "no_answer", "q/2", "no_answer")
    ]
    assert engine.calls[0][0].stage == "solve" and engine.calls[0][0].instruction == load_instruction("solve")
    conform([row for row in found if isinstance(row, dict)], stage.table, "sample_student")


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (WRONG, "wrong"),
        (REFERENCE, "correct"),
        ("It may be 30 or so.", "answer not marked"),
        ("None at all.", "unparseable"),
        ("3 * 20 = 60.\nSo, the answer is 60 meters.", "wrong"),
        ("The answer is 22.", "wrong"),
        ("Therefore, the final answer is **$22**.", "wrong"),
        ("The answer is: 22 eggs", "wrong"),
        ("The answer is 13000, which is the total increase in value.", "wrong"),
        ("So the answer is $\\frac{3}{4}$.", "wrong"),
        ("The answer is 31.", "correct"),
        ("I think the answer is 22.", "answer not marked"),
        ("Maybe the answer is 22.", "answer not marked"),
        ("If no egg breaks, the answer is 36.", "answer not marked"),
        ("The answer is 22. Wait, let me check 5 eggs.", "answer not marked"),
        ("The answer is 22. Is that so?", "answer not marked"),
        ("The answer is 22, which is 5 more than 17.", "answer not marked"),
        ("The answer is not 22.", "unparseable"),
        ("The answer is about 22.", "unparseable"),
        ("There are 22 eggs.", "answer not marked"),
        ("The answer is -31.", "wrong in form"),
        ("#### 0.31", "wrong in form"),
        ("#### -31", "wrong in form"),
        ("#### 310", "wrong"),
    ],
)
def test_a_verdict_counts_where_it_is_sure(response: str, outcome: str) -> None:
    found = one(KeepDecided(), WRITTEN | {"response": response})
    assert (found["verdict"] if isinstance(found, dict) else found) == outcome


def test_two_diagnoses_that_agree_are_enough() -> None:
    found = one(Diagnose(), SEGMENTED, *[diagnosis(1, "calculation")] * 2)
    assert found == DIAGNOSED


def test_two_that_differ_are_followed_by_a_third() -> None:
    found = one(Diagnose(), SEGMENTED, diagnosis(2, "operator"), diagnosis(1, "counting"), diagnosis(2, "operator"))
    assert (found["found_step"], found["found_type"], found["votes"], found["asked"]) == (2, "operator", 2, 3)


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        ([diagnosis(1, "operator"), diagnosis(2, "operator"), diagnosis(3, "operator")], "no agreement"),
        ([diagnosis(1, "operator"), diagnosis(1, "counting"), ""], "no agreement"),
        (["Verdict: correct"] * 2, "called correct"),
        ([diagnosis(7, "operator"), "", diagnosis(8, "operator")], "step out of range"),
        (["", "?", "{"], "no diagnosis"),
    ],
)
def test_a_row_without_a_sure_diagnosis_says_so(replies: list[str], reason: str) -> None:
    assert one(Diagnose(), SEGMENTED, *replies) == reason


def test_an_unreadable_diagnosis_is_a_failure_of_the_work() -> None:
    (found,) = Diagnose().rows([SEGMENTED], said("", "?", "{"))
    assert isinstance(found, Quarantine) and found.attempts == 3


def test_the_shipped_model_reads_numbered_steps_and_an_instruct_model_labelled_ones() -> None:
    engine = said(*[diagnosis(1, "calculation")] * 2)
    list(Diagnose().rows([SEGMENTED], engine))
    asked = engine.calls[0][0]
    assert asked.inputs["attempt"].splitlines()[1] == "2) 35 - 5 = 30 eggs are whole."
    assert asked.to_messages()[1]["content"].splitlines()[-2] == "[S2] 35 - 5 = 30 eggs are whole."
    assert "[S2]" not in asked.to_tagged_text()


LLAMA = (
    "## Step 1: Find the semi-perimeter\nThe semi-perimeter is 21.\n\n"
    "## Step 2: Find the area\nThe area is 86.\n\n## Step 3: Find the altitude\nIt is 12.\n\n#### 12"
)
QWEN = "To find it, we work in steps.\n1. **Semi-perimeter**: 21\n2. **Area**: 86\n3. **Altitude**: 12\n#### 12"


@pytest.mark.parametrize(
    ("response", "step", "wrong"),
    [
        (LLAMA, '[S2] "## Step 2: Find the area"', "## Step 2: Find the area\nThe area is 86."),
        (LLAMA, '[S2] "The area is 86."', "## Step 2: Find the area\nThe area is 86."),
        (LLAMA, "2", "## Step 2: Find the area\nThe area is 86."),
        (QWEN, '[S3] "2. **Area**: 86"', "2. **Area**: 86"),
        (QWEN, '2 "Area"', None),
        (QWEN, "2", None),
        (QWEN, '[S2] "2. **Area**: 86"', None),
    ],
)
def test_a_solution_that_numbers_its_steps_is_cut_off_at_the_step_that_is_meant(
    response: str, step: str, wrong: str | None
) -> None:
    (segmented,) = SegmentSteps().rows([GRADED | {"response": response}], None)
    found = one(Diagnose(), segmented, *[f"The area is 84.\n\nStep: {step}\nType: formula_confusion"] * 3)
    if wrong is None:
        assert found == "no diagnosis", "a right step would be published as the wrong one"
    else:
        (error,) = Truncate().rows([found], None)
        assert isinstance(error, dict) and error["prefix"][error["wrong_start"] : error["wrong_end"]] == wrong


def counted(**own: int) -> dict[str, Any]:
    """A question with these diagnosed errors, in a dataset of many calculations and a few missing steps."""
    overall = {"calculation": 30, "missing_step": 10, "operator": 60}
    lists = {"types": own, "overall": overall}
    structs = {name: [{"type": t, "n": counts.get(t, 0)} for t in ERROR_TYPES] for name, counts in lists.items()}
    return {**POSED, "student": "s", "attempts": 4, "wrong": 2, "failure": 0.5, **structs}


def test_types_are_drawn_from_the_question_with_the_dataset_as_prior() -> None:
    stage = DrawErrorTypes(injections=8, prior=1.0)
    shares = dict(zip(stage.types, stage.compute_shares(counted(missing_step=3)), strict=True))
    assert shares["missing_step"] == pytest.approx(3.25 / 4) and shares["calculation"] == pytest.approx(0.75 / 4)
    assert sum(shares.values()) == pytest.approx(1)
    rows = [row for row in stage.rows([counted(missing_step=3)], None) if isinstance(row, dict)]
    assert Counter(row["type"] for row in rows)["missing_step"] in (6, 7)
    assert rows == list(stage.rows([counted(missing_step=3)], None))
    conform(rows, stage.table, "draw_error_types")


def test_types_may_be_drawn_evenly_whatever_the_student_gets_wrong() -> None:
    uniform = DrawErrorTypes(injections=12, uniform=True)
    assert uniform.compute_shares(counted(missing_step=3)) == [1 / 6] * 6
    rows = [row for row in uniform.rows([counted(missing_step=3)], None) if isinstance(row, dict)]
    assert set(Counter(row["type"] for row in rows).values()) == {2}
    assert fingerprint(uniform) != fingerprint(DrawErrorTypes(injections=12))


def test_where_no_injectable_type_was_found_all_are_equally_likely() -> None:
    row = counted()
    row["overall"] = [{"type": t, "n": 0} for t in ERROR_TYPES]
    assert DrawErrorTypes().compute_shares(row) == pytest.approx([1 / 6] * 6)


DRAWN = {
    **POSED,
    "row_id": "q/i0",
    "student": "s",
    "question_id": "q",
    "type": "calculation",
    "types": ["calculation"],
    "shares": [1.0],
}


def test_an_injection_names_its_line_and_ends_with_its_answer() -> None:
    found = one(Inject(), DRAWN, f"Step: 1\n\n{WRONG}\n\nThat is wrong because of 35.")
    assert (found["row_id"], found["line"], found["response"], found["source"]) == ("q/i0/0", 1, WRONG, "injected")
    told = json.dumps({"step": 1, "solution": WRONG})
    assert one(Inject(structured=True), DRAWN, told) == found


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (WRONG, "no step"),
        ("Step: 1\nIt is 30.", "no_answer"),
        (f"Step: 4\n{WRONG}", "step out of range"),
        (f"Step: 0\n{WRONG}", "step out of range"),
        (f"Step: 2\n{WRONG}", "calculation adds up"),
        ('{"step": 1}', "no step"),
    ],
)
def test_an_injection_that_cannot_be_read_is_turned_down(reply: str, reason: str) -> None:
    assert one(Inject(), DRAWN, reply, reply) == reason
    assert one(Inject(tries=1), DRAWN, reply) == reason


def test_an_instruct_model_reads_what_the_type_means_and_the_shipped_model_its_name() -> None:
    asked = Inject().prompt(DRAWN)
    assert asked.to_messages()[1]["content"].endswith(f"Type:\ncalculation: {MEANINGS['calculation']}")
    assert asked.to_tagged_text().endswith("<type>calculation<reply>")


def test_an_injection_that_ends_right_is_asked_for_again_and_not_turned_down() -> None:
    right = "Step: 1\n" + WRONG.replace("#### 30", f"#### {DRAWN['answer']}")
    assert one(Inject(), DRAWN, right, f"Step: 1\n{WRONG}")["row_id"] == "q/i0/1"
    assert one(Inject(), DRAWN, right, right)["row_id"] == "q/i0/0"
    assert one(Inject(), DRAWN, "nothing", right)["row_id"] == "q/i0/1"
    two = Inject(sampling=Sampling(n=2, temperature=0.7))
    found = list(two.rows([DRAWN], said(right, f"Step: 1\n{WRONG}", "nothing", "nothing")))
    assert [row["row_id"] for row in found if isinstance(row, dict)] == ["q/i0/0", "q/i0/1"]
    three, good = Inject(sampling=Sampling(n=3, temperature=0.7)), f"Step: 1\n{WRONG}"
    assert len(list(three.rows([DRAWN], said(good, *["nothing"] * 5)))) == 3


def test_a_prefix_ends_with_the_wrong_step_verbatim() -> None:
    found = one(Truncate(), DIAGNOSED | {"found_step": 2, "found_type": "operator"})
    assert found["prefix"] == "3 boxes hold 12 * 3 = 35 eggs.\n35 - 5 = 30 eggs are whole."
    assert found["prefix"][found["wrong_start"] : found["wrong_end"]] == "35 - 5 = 30 eggs are whole."


def test_a_prefix_that_is_not_truncated_is_the_whole_solution_wrong_from_the_first_wrong_step() -> None:
    row = DIAGNOSED | {"found_step": 2, "found_type": "operator"}
    found = one(Truncate(keep_whole_solution=True), row)
    assert found["prefix"] == row["response"].rstrip() and found["wrong_end"] == len(found["prefix"])
    assert found["wrong_start"] == one(Truncate(), row)["wrong_start"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"type": "calculation", "line": 2}, "injected elsewhere"),
        ({"type": "operator", "line": 1, "same": True}, "another type"),
        ({"found_step": 2}, "calculation adds up"),
    ],
)
def test_a_diagnosis_that_something_speaks_against_is_not_used(more: dict[str, Any], reason: str) -> None:
    row = {name: value for name, value in more.items() if name != "same"}
    assert one(Truncate(same_type="same" in more), DIAGNOSED | row) == reason


@pytest.mark.parametrize(
    ("step", "sound"),
    [
        ("12 * 3 = 36", True),
        ("$12 x 3 = $<<12*3=36>>36", True),
        ("10 / 3 = 3.33", True),
        ("12 * 3 = 35", False),
        ("5 * 2 + 12 = 14", False),
        ("2 * 3 = 6 and 3 + 4 = 8", False),
        ("no sum", False),
    ],
)
def test_sums_add_up_or_are_not_sure(step: str, sound: bool) -> None:
    assert equations_hold(step) == sound


def test_errors_with_the_same_calculations_are_kept_once_the_students_first() -> None:
    assert isinstance(ERROR, dict)
    told = [
        {**ERROR, "row_id": "q/i0/0", "source": "injected", "prefix": "In three boxes 12 * 3 = 35 eggs lie."},
        {**ERROR, "row_id": "q/0", "prefix": "There are 12 * 3 = 35 eggs."},
        {**ERROR, "row_id": "q/1", "prefix": "There are 12 + 3 = 15 eggs."},
        {**ERROR, "row_id": "r/0", "question_id": "r", "prefix": "There are 12 * 3 = 35 eggs."},
        {**ERROR, "row_id": "q/2", "prefix": "Many eggs break."},
        {**ERROR, "row_id": "q/3", "prefix": "many  eggs break."},
    ]
    con = duckdb.connect()
    con.register("errors", pa.Table.from_pylist(told, schema=Truncate.table))
    found = con.sql(DropDuplicateErrors().sql()).to_arrow_table().to_pylist()
    assert [row["row_id"] for row in found if row["reject"] == "alike"] == ["q/3", "q/i0/0"]


def test_a_trajectory_is_prefix_and_reply_with_the_place_of_each_part() -> None:
    assert isinstance(ERROR, dict)
    found = one(FixContinue(), ERROR, FIXED)
    assert found["trajectory"] == f"{ERROR['prefix']}\n{FIXED}" and found["row_id"] == "q/0/fix_continue"
    assert found["trajectory"][found["reflection_start"] : found["reflection_end"]] == "Wait, 12 * 3 is not 35."
    assert found["trajectory"][found["correction_start"] : found["correction_end"]].startswith("12 * 3 = 36")
    told = json.dumps({"reflection": FIXED.partition("\n")[0], "correction": FIXED.partition("\n")[2]})
    assert one(FixContinue(structured=True), ERROR, told) == found


def test_a_wrong_correction_is_asked_for_once_more() -> None:
    assert isinstance(one(FixContinue(), ERROR, FIXED.replace("31", "33"), FIXED), dict)
    (wrong,) = FixContinue().rows([ERROR], said(*[FIXED.replace("31", "33")] * 2))
    assert one(ValidateCorrection(), wrong) == "answer wrong", "whether an answer is right, the verifier says"
    assert one(FixContinue(tries=1), ERROR, "Wait, that is wrong.") == "no correction"


def test_a_fresh_start_goes_another_way() -> None:
    assert isinstance(one(FreshRestart(), ERROR, FRESH), dict)
    assert one(FreshRestart(), ERROR, *[FIXED] * 2) == "same method"
    engine = said(FRESH)
    list(FreshRestart().rows([ERROR], engine))
    assert "reference" not in engine.calls[0][0].inputs


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (FIXED.replace("Wait, 12 * 3 is not 35.", "So the eggs are counted, but 5 of them break."), "no reflection"),
        (FIXED.replace("Wait, 12 * 3 is not 35.", "Next, let's check the product."), "no reflection"),
        (FIXED.replace("Wait,", "Wait, as the reference says,"), "meta talk"),
        (FIXED.replace("Wait,", "Wait, the correct answer is 31, and"), "meta talk"),
        (FIXED.replace("Wait,", "Looking at the solution,"), "meta talk"),
        (f"In total, 3 boxes hold 12 * 3 = 36 eggs.\n{FIXED}", "repeats the attempt"),
        ("Wait, 12 * 3 is not 35.\n#### 31", "no correction"),
        ("Wait, 12 * 3 is not 35.\nIt is 31.\n#### answer", "no_answer"),
    ],
)
def test_a_continuation_that_cannot_be_used_is_asked_for_again(reply: str, reason: str) -> None:
    assert one(FixContinue(tries=1), ERROR, reply) == reason
    assert isinstance(one(FixContinue(), ERROR, reply, FIXED), dict)


def test_a_smoothed_text_that_tells_the_attempt_again_is_turned_down() -> None:
    assert one(Smooth(), draft(), f"In total, 3 boxes hold 12 * 3 = 36 eggs.\n{FIXED}") == "repeats the attempt"
    assert one(Smooth(), draft(), f"{draft()['prefix']}\n{FIXED}")["trajectory"] == draft()["trajectory"]


def test_overlap_looks_at_the_numbers_of_a_calculation() -> None:
    assert step_overlap("12 * 3 = 35", "3 * 12 = 36\n36 - 5 = 31") == 1.0
    assert step_overlap("12 * 3 = 35\n35 - 5 = 30", "3 * 12 = 36\n36 - 5 = 31") == 0.5
    assert step_overlap("1,200 * 3 = 35", "1200 * 3 = 3600") == 1.0
    assert step_overlap("Eggs break.\nMany do.", "Eggs break. They do.") == 0.5
    assert step_overlap("", "12 * 3 = 36") == 0.0


def test_smoothing_cannot_touch_the_prefix() -> None:
    found = one(Smooth(), {**draft(), "right_rule": "number"}, "Hold on, 35 is wrong.\nSo it is 36 - 5 = 31.\n#### 31")
    assert isinstance(ERROR, dict)
    assert found["trajectory"].startswith(f"{ERROR['prefix']}\nHold on")
    assert one(Smooth(), draft(), "one line") == "no correction"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (draft(), None),
        (draft(FRESH, strategy="fresh_restart"), None),
        (draft(trajectory="4" + draft()["trajectory"][1:]), "prefix changed"),
        (draft(wrong_end=7), "wrong step gone"),
        (draft(type="calculation", wrong_start=len(WRONG), response="", prefix=""), "wrong step gone"),
        (draft(FIXED.replace("Wait, 12 * 3 is not 35.", "12 times 3, that is.")), "no reflection"),
        (draft(FIXED.replace("Wait,", "Wait, " + "so " * 400)), "reflection too long"),
        (draft(FIXED.replace("36 - 5", "#### 3\n36 - 5")), "answers twice"),
        (draft(FIXED + "\nI hope it helps."), "answer not last"),
        (draft(FIXED.replace("#### 31", "It is 31.")), "answer not last"),
        (draft(FIXED.replace("12 * 3 = 36 eggs.", "3 boxes hold 12 * 3 = 35 eggs.")), "wrong step again"),
        (draft(FIXED.replace("12 * 3 = 36", "As in the reference solution 36")), "meta talk"),
        (draft(FIXED.replace("36 - 5", "<reply>36 - 5")), "meta talk"),
        (draft("Wait, that is wrong.\n#### 31"), "too short"),
        (draft(strategy="fresh_restart"), "same method"),
        (draft(FIXED.replace("31", "33")), "answer wrong"),
    ],
)
def test_a_correction_is_whole_or_says_what_it_lacks(row: dict[str, Any], reason: str | None) -> None:
    found = one(ValidateCorrection(), row)
    assert (None if isinstance(found, dict) else found) == reason


def test_a_long_trajectory_is_turned_down() -> None:
    assert one(ValidateCorrection(max_trajectory_characters=50), draft()) == "too long"


def balanced(merge: SelectCorrections, corrections: list[dict[str, Any]], failure: float = 1.0) -> Counter[str | None]:
    """Reasons of the outcomes; the types to inject are meant to be equally many."""
    con = duckdb.connect()
    con.register("corrections", pa.Table.from_pylist(corrections))
    con.register("counts", pa.Table.from_pylist([{"row_id": "q", "failure": failure}]))
    drawn = [{"types": ["calculation", "counting"], "shares": [0.5, 0.5]}]
    con.register("drawn", pa.Table.from_pylist(drawn))
    merge.prepare(con)
    return Counter(row["reject"] for row in con.sql(merge.sql()).to_arrow_table().to_pylist())


def corrections(source: str, kind: str, count: int, strategies: str = "fix_continue fresh_restart") -> list[Any]:
    return [
        {"row_id": f"q/{source}-{kind}{n}/{s}", "question_id": "q", "source": source, "type": kind, "strategy": s}
        | {"response": "", "trajectory": f"{n}: {s}", "correction_start": 0}
        for n in range(count)
        for s in strategies.split()
    ]


def test_a_restart_that_says_what_the_continuation_says_is_none() -> None:
    fixed, fresh = corrections("student", "operator", 1)
    fresh |= {"trajectory": f"xx{fixed['trajectory']}.", "correction_start": 2}
    assert balanced(SelectCorrections(), [fixed, fresh]) == {None: 1, "the other strategy again": 1}


def test_no_question_gets_more_than_its_share() -> None:
    rows = corrections("student", "operator", 30)
    assert balanced(SelectCorrections(per_question=20), rows) == {None: 20, "enough of this question": 40}


def test_a_hard_question_gets_more_and_half_of_its_own_errors() -> None:
    rows = corrections("student", "operator", 30) + corrections("injected", "counting", 30)
    assert balanced(SelectCorrections(limit_by_failure=True, tolerance=1), rows, failure=0.5) == {
        None: 12,
        "enough of this question": 108,
    }


def test_a_type_of_which_there_is_too_much_is_cut_down() -> None:
    rows = corrections("injected", "calculation", 30) + corrections("injected", "counting", 10)
    found = balanced(SelectCorrections(per_question=1000), rows)
    assert found[None] >= 2 * 24 and found["enough of this type"] + found[None] == 80
    assert balanced(SelectCorrections(per_question=1000, tolerance=1), rows) == {None: 80}


def test_a_question_that_was_left_out_is_not_published() -> None:
    rows = [{**row, "question_id": "r"} for row in corrections("student", "operator", 2)]
    assert balanced(SelectCorrections(), rows) == {"question left out": 4}


def test_an_error_with_one_strategy_may_be_left_out() -> None:
    rows = corrections("student", "operator", 3) + corrections("student", "counting", 2, "fix_continue")
    assert balanced(SelectCorrections(both_strategies=True), rows) == {None: 6, "one strategy only": 2}


def test_an_attempt_of_the_students_own_is_preferred_to_a_correction() -> None:
    question = {"question_id": "q", "question": "?", "answer": "1"}
    place = {"source": "student", "type": "calculation", "wrong_start": 0, "wrong_end": 1}
    errors = [{"row_id": "q/0", **question, "response": "2", **place}]
    attempts = [{"question_id": "q", "verdict": "correct", "response": f"{n} - {n - 1} = 1"} for n in range(1, 9)]
    parts = {"strategy": "fresh_restart", "correction_start": 0, "correction_end": 5}
    corrections = [{"question_id": "q", "trajectory": f"{n:05}", **parts} for n in range(8)]
    (pair,) = run_merge(PairSolutions(), errors, attempts, corrections).values()
    assert pair["chosen_by"] == "attempt" and pair["chosen"] in [row["response"] for row in attempts]
    (pair,) = run_merge(PairSolutions(), errors, [attempts[0] | {"verdict": "wrong"}], corrections).values()
    assert pair["chosen_by"] == "correction"


def test_a_mix_is_fitted_with_little_loss_and_types_that_were_not_made_do_not_count() -> None:
    kept = counts_within_tolerance({"a": 90, "b": 10}, {"a": 0.4, "b": 0.1, "c": 0.5}, 0.05)
    assert kept["b"] == 10 and 0.8 < kept["a"] / sum(kept.values()) <= 0.86
    assert counts_within_tolerance({}, {"a": 1.0}, 0.1) == {} and counts_within_tolerance(
        {"z": 3}, {"a": 1.0}, 0.1
    ) == {"z": 3}


@pytest.mark.parametrize("teach", error_examples.ERROR_TASK_SHARES, ids=lambda teach: teach.__name__)
def test_lessons_are_written_as_the_stages_ask_and_read(teach: Any) -> None:
    openings = {text.split(">")[0] for text in error_examples.list_formats()}
    for seed in range(40):
        lesson = teach(4 * seed, Random(seed))
        assert lesson.prompt.split(">")[0] in openings and lesson.prompt.endswith("<reply>")
        if lesson.stage == "diagnose":
            assert parse_diagnosis(lesson.reply, [""] * 20).verdict in ("wrong", "correct")
        else:
            assert "\n#### " in lesson.reply


def test_what_is_turned_down_is_kept_with_its_row() -> None:
    (found,) = FixContinue(tries=1).rows([ERROR], said(""))
    assert found == Reject(ERROR, "no correction")


@pytest.mark.parametrize(
    ("step", "right"),
    [
        ("10 - 2 = 9 * 3 = 27", False),
        ("1000 / 8 = 124", False),
        ("1000 / 8 = 125", True),
        ("100 / 3 = 33.33", True),
        ("100 / 3 = 33.3 litres", True),
        ("100 / 3 = 34", True),
        ("100 / 3 = 35", False),
        ("x^2 + 1 = 3", False),
        ("f(2) + 3 = 5", False),
        ("-2 + 3 = 5", False),
        (r"So $12 \times 3 = 36$.", True),
        ("12 eggs * 3 boxes = 36 eggs", True),
        (r"So $12 \times 3 = 35$.", False),
    ],
)
def test_a_calculation_adds_up_where_that_is_sure(step: str, right: bool) -> None:
    assert equations_hold(step) is right


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("The teacher has 36 - 5 = 31 eggs.", False),
        ("The equation can be rewritten as $x = 3$.", False),
        ("We have $[ABC] = 31$.", False),
        ("The student forgot to subtract.", True),
        ("As the reference solution says, it is 31.", True),
        ("Correction: 36 - 5 = 31", True),
        ("[/INST] 31", True),
        ("Looking at the reference, 35 is wrong.", True),
        ("The correct solution I was given says 36.", True),
        ("As the answer key shows, 35 is a mistake.", True),
        ("Here is the corrected continuation: 31", True),
        ("**Reflection:** Wait, that is wrong.", True),
        ("Reference area: 84.", True),
        ("Correct value: 36", True),
        ("**Expected answer:** 31", True),
        ("The attempt treats gaps as trees.", True),
        ("By reference, 36 is right.", True),
        ("This continuation mends the product.", True),
        ("The ground truth is 31.", True),
        ("The reference angle is 30 degrees.", True),
        ("A reference angle is 30 degrees.", False),
        ("With reference to the first line, it is 36.", False),
        ("Area: 84.", False),
        ("According to the hint, it is 31.", True),
        ("My previous attempt was wrong.", False),
        ("Let me check the given solution x = 3.", False),
    ],
)
def test_talk_of_the_task_is_told_from_talk_of_the_story(text: str, told: bool) -> None:
    assert leaks_prompt(text, "The teacher has 36 eggs, and 5 break.") is told


def test_an_injection_that_says_that_it_is_wrong_teaches_nothing() -> None:
    response = "3 boxes hold 12 * 3 = 35 eggs (this is the mistake).\n35 - 5 = 30\n#### 30"
    row = {
        **DIAGNOSED,
        "response": response,
        "steps": [s._asdict() for s in split_steps(response)],
        "source": "injected",
    }
    row |= {"found_step": 1, "line": 1, "type": "calculation", "found_type": "calculation"}
    assert one(Truncate(), row) == "meta talk"
    assert one(Truncate(), row | {"source": "student", "line": None, "type": None}) != "meta talk"


def test_an_answer_in_another_form_is_left_to_the_verifier() -> None:
    row = ERROR | {"answer": r"\frac{1}{2}"}
    (made,) = FixContinue(tries=1).rows([row], said("Wait, that is wrong.\nIt is 1 of 2.\n#### 1/2"))
    assert one(ValidateCorrection(), made)["right_rule"]


def test_overlap_sees_through_units_and_signs_of_latex() -> None:
    for one_way, other in (
        (r"We have $12 \times 3 = 35$ eggs.", r"So $12 \times 3 = 36$ eggs."),
        ("12 eggs * 3 boxes = 35 eggs", "3 boxes * 12 eggs = 36"),
        ("(12 + 3) * 2 = 31", "(12 + 3) * 2 = 30"),
    ):
        assert step_overlap(one_way, other) == 1
    assert step_overlap("12 * 3 = 35", "12 + 12 = 24\n24 + 12 = 36") == 0


def test_a_case_knows_the_method_that_a_first_line_follows() -> None:
    two = [
        p
        for p in (library.draw_problem(seed) for seed in range(400))
        if p.second_solution and p.second_solution != p.solution
    ]
    seen = 0
    for problem in two:
        lines = str(problem.second_solution).split("\n")
        first = re.sub(r"= (\d+)", lambda m: f"= {int(m[1]) + 1}", lines[0])
        case = error_examples.make_error_case(problem, "\n".join([first, *lines[1:-1], "#### 0"]))
        if case is not None and case.first_wrong_line == 0 and first.split(" = ")[0] not in problem.solution:
            seen += 1
            assert case.method_lines == tuple(lines)
    assert seen > 10
