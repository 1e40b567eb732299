"""Every merge on tables without rows: a model that answers nothing usable leaves the tables after it empty."""

import inspect
from collections.abc import Iterator
from itertools import product
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from schemas.arrow import required
from schemas.steps import Merge
from schemas.tables import (
    answers,
    attempts,
    benchmark_overlaps,
    corrections,
    diagnoses,
    difficulty,
    empty_rows,
    error_draws,
    error_rates,
    error_type_counts,
    gold_doubts,
    ground_truth,
    located_errors,
    question_preferences,
    questions,
    rl_pool,
    solution_pairs,
    student_scores,
    student_solutions,
    training_examples,
    verdict_changes,
    verdicts,
)
from tasks.answers.select import SelectAnswer
from tasks.lemma.error_distribution import CountErrorTypes, DrawErrorTypes
from tasks.lemma.error_types import ERROR_TYPES
from tasks.questions.difficulty_sampling import SampleByDifficulty
from tasks.verification.majority_vote import ANSWER_KEYS
from tasks.verification.pairwise_judge import PAIR_CHOICES
from tests.support.steps import find_steps

GROUND_TRUTHS = ground_truth.SCHEMA
SELECTED = pa.schema([*(field for field in answers.ANSWERS if field.name != "asked"), required("reward", pa.float64())])
MAJORITY_SELECTED = pa.schema([field for field in SELECTED if field.name != "reward"])
SELECTED_CORRECTIONS = pa.schema([field for field in corrections.CORRECTIONS if field.name != "response"])
TYPE_COUNTS = pa.list_(pa.struct([("type", pa.string()), ("n", pa.int64())]))
ERROR_COUNTS = pa.schema(
    [
        *student_solutions.PROBLEMS_WITH_REFERENCE,
        required("student", pa.string()),
        required("attempts", pa.int64()),
        required("wrong", pa.int64()),
        required("failure", pa.float64()),
        required("types", TYPE_COUNTS),
        required("overall", TYPE_COUNTS),
    ]
)
PUBLISHED_PAIRS = solution_pairs.SCHEMA

TABLES: dict[str, tuple[tuple[pa.Schema, ...], pa.Schema | None]] = {
    "attach_verdicts": ((attempts.SCHEMA, verdicts.VERDICT_SCHEMA), None),
    "combine_verdicts": (
        (attempts.SCHEMA, verdicts.VERDICT_SCHEMA, verdicts.VERDICT_SCHEMA),
        verdicts.VERDICT_SCHEMA,
    ),
    "compare_students": (
        (empty_rows.SCHEMA, student_solutions.PROBLEMS_WITH_REFERENCE, student_scores.SELF_CORRECTION_TRACES),
        student_scores.STUDENT_SCORES,
    ),
    "compare_verdicts": (
        (attempts.SCHEMA, verdicts.VERDICT_SCHEMA, verdicts.VERDICT_SCHEMA),
        verdict_changes.SCHEMA,
    ),
    "corrections_as_examples": ((corrections.CORRECTIONS,), training_examples.SCHEMA),
    "count_error_types": (
        (student_solutions.PROBLEMS_WITH_REFERENCE, student_solutions.SOLUTIONS_GRADED, diagnoses.SCHEMA),
        ERROR_COUNTS,
    ),
    "drop_duplicate_errors": ((located_errors.LOCATED_ERRORS,), located_errors.LOCATED_ERRORS),
    "drop_exact_duplicates": ((questions.SCHEMA,), questions.SCHEMA),
    "drop_near_duplicates": ((questions.SCHEMA,), questions.SCHEMA),
    "drop_overlaps": ((questions.SCHEMA, benchmark_overlaps.SCHEMA), questions.SCHEMA),
    "drop_published": ((questions.SCHEMA, questions.SCHEMA), questions.SCHEMA),
    "gold_doubts": ((attempts.SCHEMA, verdicts.VERDICT_SCHEMA), gold_doubts.SCHEMA),
    "keep_pass_rate_band": ((rl_pool.PASS_RATES,), rl_pool.PASS_RATES),
    "keep_undecided": ((attempts.SCHEMA, verdicts.VERDICT_SCHEMA), attempts.SCHEMA),
    "keep_unsolvable": ((questions.SCHEMA, questions.SCHEMA), questions.SCHEMA),
    "majority_vote": ((attempts.SCHEMA, ANSWER_KEYS), verdicts.VERDICT_SCHEMA),
    "measure_error_rates": ((empty_rows.SCHEMA, GROUND_TRUTHS, questions.SCHEMA, SELECTED), error_rates.SCHEMA),
    "measure_error_types": (
        (
            empty_rows.SCHEMA,
            diagnoses.SCHEMA,
            error_draws.ERROR_DRAWS,
            located_errors.LOCATED_ERRORS,
            corrections.CORRECTIONS,
        ),
        error_type_counts.SCHEMA,
    ),
    "pair_questions": (
        (question_preferences.QUESTION_REWRITES, question_preferences.QUESTION_REWRITES),
        question_preferences.QUESTION_PAIRS,
    ),
    "pair_solutions": (
        (located_errors.LOCATED_ERRORS, student_solutions.SOLUTIONS_GRADED, corrections.CORRECTIONS),
        PUBLISHED_PAIRS,
    ),
    "pair_with_rival": ((attempts.SCHEMA, ANSWER_KEYS), None),
    "pass_rate": ((attempts.SCHEMA, rl_pool.POOL_ATTEMPTS, verdicts.VERDICT_SCHEMA), rl_pool.PASS_RATES),
    "reward_threshold": ((attempts.SCHEMA, ANSWER_KEYS, answers.REWARDS), verdicts.VERDICT_SCHEMA),
    "sample_by_difficulty": ((questions.SCHEMA, difficulty.SCHEMA), questions.SCHEMA),
    "select_by_majority": ((answers.ANSWERS, questions.SCHEMA, GROUND_TRUTHS), MAJORITY_SELECTED),
    "select_answer": ((answers.ANSWERS, answers.REWARDS, questions.SCHEMA, GROUND_TRUTHS), SELECTED),
    "select_corrections": ((corrections.CORRECTIONS, ERROR_COUNTS, error_draws.ERROR_DRAWS), SELECTED_CORRECTIONS),
    "solutions_as_examples": ((PUBLISHED_PAIRS,), training_examples.SCHEMA),
    "verdict_from_pairs": ((attempts.SCHEMA, PAIR_CHOICES, PAIR_CHOICES), verdicts.VERDICT_SCHEMA),
    "weighted_vote": ((attempts.SCHEMA, ANSWER_KEYS, answers.REWARDS), verdicts.VERDICT_SCHEMA),
}
"""The tables that each merge reads, and the columns that it makes, where a table of `schemas` names them."""

FIELDS: dict[str, dict[str, Any]] = {"drop_published": {"dataset": "known"}, "compare_students": {"students": ("one",)}}
"""Values of fields that have no default."""
OTHER_SETTINGS = (
    CountErrorTypes(samples=4, keep_never_failed=True),
    SampleByDifficulty(drop_easy={"": 0.3}, generators=("",)),
    SelectAnswer(within_majority=False, least_agreement=0.0),
)
"""Settings that change the SQL."""


def list_merges() -> Iterator[Merge]:
    """Every merge of the project, and some of them with other settings."""
    for kind in find_steps():
        if issubclass(kind, Merge) and "inputs" in vars(kind) and not inspect.isabstract(kind):
            yield kind(**FIELDS.get(kind.label, {}))
    yield from OTHER_SETTINGS


def make_table(schema: pa.Schema, rows: int) -> pa.Table:
    """`rows` rows, 0 or 1, of any values; the ids are the same in all tables, so that they can be joined."""
    words = {"type": "calculation", "found_type": "calculation", "verdict": "wrong", "rule": "whole"}
    values = {
        pa.string(): lambda name: "7" if name.endswith("row_id") or name.endswith("_id") else words.get(name, "one"),
        pa.bool_(): lambda name: True,
        TYPE_COUNTS: lambda name: [{"type": kind, "n": 1} for kind in ERROR_TYPES],
        pa.list_(pa.string()): lambda name: ["calculation"],
        student_solutions.SOLUTIONS_SEGMENTED.field("steps").type: lambda name: [{"start": 0, "end": 1}],
    }
    row = {
        field.name: values.get(field.type, lambda name: [1.0] if name == "shares" else 0)(field.name)
        for field in schema
    }
    return pa.Table.from_pylist([row] * rows, schema)


def run(merge: Merge, tables: list[pa.Table]) -> list[dict[str, Any]]:
    """The rows of the merge, rejected ones too."""
    con = duckdb.connect()
    for name, table in zip(merge.inputs, tables, strict=True):
        con.register(name, table)
    merge.prepare(con)
    return con.sql(merge.sql()).to_arrow_table().to_pylist()


def holds_null(value: Any) -> bool:
    """Whether a value is null or holds one."""
    if isinstance(value, dict):
        return any(map(holds_null, value.values()))
    return value is None or (isinstance(value, list) and any(map(holds_null, value)))


def test_every_merge_is_listed() -> None:
    assert {merge.label for merge in list_merges()} == TABLES.keys()


@pytest.mark.parametrize("merge", list(list_merges()), ids=lambda merge: merge.label)
def test_a_merge_works_whichever_of_its_tables_are_empty(merge: Merge) -> None:
    """A row of its first table is kept or rejected, and what is kept has no null where the next step reads a value."""
    schemas, made = TABLES[merge.label]
    for sizes in product((0, 1), repeat=len(schemas)):
        rows = run(merge, [make_table(schema, size) for schema, size in zip(schemas, sizes, strict=True)])
        assert len(rows) == sizes[0], sizes
        for row in (row for row in rows if not row.get("reject")):
            needed = [field.name for field in made if not field.nullable] if made else ["row_id"]
            assert not [name for name in needed if holds_null(row[name])], (sizes, row)


def test_types_are_drawn_evenly_where_no_diagnosis_survived() -> None:
    """All attempts failed, and the teacher could name the error of none of them."""
    schemas = TABLES["count_error_types"][0]
    problems, attempted, diagnosed = (make_table(s, n) for s, n in zip(schemas, (1, 1, 0), strict=True))
    [counted] = run(CountErrorTypes(), [problems, attempted, diagnosed])
    assert [count["n"] for count in counted["overall"]] == [0] * len(ERROR_TYPES)
    draw = DrawErrorTypes(injections=6)
    assert draw.compute_shares(counted) == pytest.approx([1 / 6] * 6)
    assert sorted(row["type"] for row in draw.rows([counted], None)) == sorted(draw.types)
