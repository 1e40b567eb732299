"""Students: what they learn from, what does not count, and how their attempts are told apart."""

from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from infra import gates
from infra.lake.store import open_store
from schemas.arrow import conform
from schemas.receipts import Receipt
from schemas.steps import TrainingJob
from schemas.tables import student_scores, training_examples
from tasks.proving_ground import library, wrong_solutions
from tasks.training.student import (
    CompareStudents,
    CorrectionsAsExamples,
    SolutionsAsExamples,
    StudentFineTuning,
    TraceSelfCorrection,
)
from tests.support.merging import run_merge

PUPIL = Path(__file__).parents[3] / "data" / "models" / "pupil" / "safetensors"


def test_a_solution_is_learnt_once_and_a_correction_with_or_without_its_wrong_step() -> None:
    pairs = [{"row_id": f"p{i}", "question": "q", "chosen": text} for i, text in enumerate(("a", "b", "a"))]
    taken = run_merge(SolutionsAsExamples(), pairs)
    assert [row["reject"] for row in taken.values()] == [None, None, "the same again"]
    row = {"row_id": "c", "question": "q", "trajectory": "one\nwrong\nWait.", "wrong_start": 4, "wrong_end": 9}
    for step, span in ((CorrectionsAsExamples(), (0, 0)), (CorrectionsAsExamples(masked=True), (4, 9))):
        (made,) = run_merge(step, [row]).values()
        assert (made["masked_start"], made["masked_end"], made["text"]) == (*span, row["trajectory"])
        conform([made], training_examples.SCHEMA, "corrections_as_examples")


def attempt(question: str, response: str, verdict: str) -> dict[str, Any]:
    return {
        **{"row_id": "r/0", "question_id": "r"},
        **{"question": question, "response": response, "verdict": verdict},
    }


def test_an_attempt_errs_where_the_oracle_says_so_and_not_where_it_only_doubts() -> None:
    problem = next(p for p in (library.draw_problem(i) for i in range(99)) if len(p.steps) > 1)
    first, *rest = problem.solution.split("\n")
    wrong = wrong_solutions.inject_error(problem, "arithmetic_slip", Random(3))
    assert wrong is not None
    slipped = next(line for line in wrong.split("\n") if line not in problem.solution)
    before = wrong[: wrong.index(slipped)]
    mended = f"{before}{slipped}\nWait, that is wrong.\n{problem.solution}"
    doubted = "\n".join([first, "Wait, let me check that.", first, *rest])
    told = [(problem.solution, "correct"), (mended, "correct"), (doubted, "correct"), (wrong, "wrong")]
    rows = list(TraceSelfCorrection(student="s").rows([attempt(problem.question, *each) for each in told], None))
    assert conform(rows, student_scores.SELF_CORRECTION_TRACES, "retrace").num_rows == 4
    assert [(row["erred"], row["reflected"]) for row in rows] == [
        (False, False),
        (True, True),
        (False, True),
        (True, False),
    ]
    (unknown,) = TraceSelfCorrection(student="s").rows(
        [attempt("Why?", "1 + 1 = 3\nWait, no.\n#### 2", "correct")], None
    )
    assert unknown["erred"] and unknown["reflected"], "without the oracle, a doubt counts as an error that was noticed"


def test_students_are_measured_on_all_problems_also_those_that_they_did_not_answer() -> None:
    blanks = [{"row_id": f"b{i}", "number": i} for i in range(2)]
    problems = [{"row_id": f"p{i}"} for i in range(4)]
    seen = [("s", "correct", False, False), ("s", "correct", True, True), ("s", "wrong", True, False)]
    retraced = [
        {"row_id": f"p{i}/0", "student": who, "verdict": verdict, "erred": erred, "reflected": reflected}
        for i, (who, verdict, erred, reflected) in enumerate(seen)
    ]
    found = run_merge(CompareStudents(students=("s", "silent")), blanks, problems, retraced)
    assert conform(list(found.values()), student_scores.STUDENT_SCORES, "compare_students").num_rows == 2
    first, silent = found["b0"], found["b1"]
    assert (first["problems"], first["first_pass"], first["unanswered"]) == (4, 0.5, 1)
    assert (first["erred"], first["reflected"], first["corrected"]) == (3, 1, pytest.approx(1 / 3))
    assert (silent["first_pass"], silent["unanswered"], silent["erred"], silent["corrected"]) == (0, 4, 4, 0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({}, ""),
        ({"unanswered": -9}, "unanswered: values to be between: 1 of 1 do not, e.g. -9"),
        ({"erred": 5}, "table: pair values a to be greater than b: 1 of 1 do not, e.g. [4, 5]"),
        ({"reflected": 4}, "table: pair values a to be greater than b: 1 of 1 do not, e.g. [3, 4]"),
    ],
)
def test_counts_that_cannot_be_are_not_published(lake: str, changed: dict[str, int], failed: str) -> None:
    row = {
        **{"row_id": "b0", "student": "s", "problems": 4, "first_pass": 0.5, "low": 0.1, "high": 0.9},
        **{"unanswered": 1, "erred": 3, "reflected": 1},
        **{"corrected": 0.3, "corrected_low": 0.0, "corrected_high": 0.8},
    }
    part = open_store(lake).put(conform([row | changed], student_scores.STUDENT_SCORES, "compare_students"))
    made = Receipt(step="compare_students", key="k", inputs=(), rows_in=1, kept=1, parts=(part,))
    assert gates.run_gate("students", student_scores.expectations(), [made], lake).details["failed"] == failed


@pytest.mark.train
def test_only_the_reply_counts_and_the_wrong_step_of_it_not(tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="needs the extra `train`")
    from transformers import AutoTokenizer

    from tasks.training.sft import IGNORED_LABEL, tokenize_example

    words = AutoTokenizer.from_pretrained(PUPIL)
    text = "3 + 4 = 8\nWait, that is wrong.\n3 + 4 = 7\n#### 7"
    row = {"question": "Tom has 3 eggs.", "text": text, "masked_start": 0, "masked_end": text.index("\n")}
    made = tokenize_example(StudentFineTuning(), words, row)
    read = words.decode(made["input_ids"])
    assert read == f"<solve><question>Tom has 3 eggs.<reply>{text}<end>"
    learnt = words.decode([label for label in made["labels"] if label != IGNORED_LABEL])
    assert learnt == f"{text[text.index(chr(10)) :]}<end>"
    text = "3 boxes hold 36 eggs. He has 12 * 3 = 35 eggs.\n#### 35"
    span = {"masked_start": text.index("He"), "masked_end": text.index("\n")}
    made = tokenize_example(StudentFineTuning(), words, {"question": "?", "text": text, **span})
    learnt = words.decode([label for label in made["labels"] if label != IGNORED_LABEL])
    assert learnt == "3 boxes hold 36 eggs.\n#### 35<end>", "a span in mid-line begins with its first word"


@pytest.mark.train
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_student_reads_as_many_tokens_as_its_budget_says(tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="needs the extra `train`")
    problems = [library.draw_problem(i) for i in range(12)]
    rows = [
        {"row_id": str(i), "question": p.question, "text": p.solution, "masked_start": 0, "masked_end": 0}
        for i, p in enumerate(problems)
    ]
    step = StudentFineTuning(batch=4, micro_batch=4, token_budget=3000, threads=1, max_tokens=256, learning_rate=1e-4)
    table = {"examples": [pa.RecordBatch.from_pylist(rows)]}
    measured = step.fit(TrainingJob(table, PUPIL, tmp_path / "out", tmp_path / "work", lambda line: None))
    assert measured["examples"] == 12 and measured["left_out"] == 0
    assert 24 < measured["read"] < 60 and measured["steps"] == -(-measured["read"] // 4)
    assert (tmp_path / "out" / "int8" / "model.bin").is_file()
    told = (tmp_path / "out" / "safetensors" / "tokenizer.json").read_bytes()
    assert len(told) > 1000
