"""Pairs of questions: each sampled question is improved in one direction, and what is no improvement has a reason."""

from collections import Counter
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from infra.engines.fake import FakeEngine
from schemas.arrow import conform
from schemas.identity import fingerprint
from schemas.outcomes import Reject
from schemas.prompts import Prompt, Sampling
from schemas.steps import Merge
from schemas.tables import question_preferences
from tasks.questions.preference_pairs import ImproveQuestion, KeepUnsolvable, PairQuestions

QUESTIONS = [{"row_id": f"{n:03}", "question": f"How many are {n} and 2?"} for n in range(400)]


def improved(reply: str, **fields: Any) -> list[Any]:
    stage = ImproveQuestion(**{"harder_share": 0.0, **fields})
    return list(stage.rows(QUESTIONS[:1], FakeEngine(lambda prompt, seed: reply)))


def reasons(merge: Merge, *tables: list[dict[str, Any]]) -> dict[str, Any]:
    return {row["row_id"]: row["reject"] for row in merged(merge, *tables)}


def merged(merge: Merge, *tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    con = duckdb.connect()
    for name, table in zip(merge.inputs, tables, strict=True):
        con.register(name, pa.Table.from_pylist(table))
    rows: list[dict[str, Any]] = con.sql(merge.sql()).to_arrow_table().to_pylist()
    return rows


def test_a_rewrite_keeps_its_original_and_its_direction() -> None:
    (row,) = improved("How many are 3 and 2?")
    assert row == {
        "row_id": "000/0",
        "question": "How many are 3 and 2?",
        "original": "How many are 0 and 2?",
        "direction": "solvability",
    }
    conform([row], question_preferences.QUESTION_REWRITES, "test")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("how many  are 0 and 2?\n", "unchanged"),
        ("How many of 3 are " + "many " * 30, "too_long"),
    ],
)
def test_what_is_no_improvement_is_turned_down_with_the_reason(reply: str, reason: str) -> None:
    assert improved(reply, max_words=20) == [Reject(QUESTIONS[0], reason)]


def test_a_rewrite_that_was_cut_off_is_too_long() -> None:
    assert improved("How many are there?", sampling=Sampling(max_tokens=2)) == [Reject(QUESTIONS[0], "too_long")]


def test_the_direction_is_drawn_for_each_row_and_is_the_same_the_next_time() -> None:
    stage = ImproveQuestion()
    drawn = {row["row_id"]: stage.choose_direction(row) for row in QUESTIONS}
    assert 160 < Counter(drawn.values())["difficulty"] < 240
    assert drawn == {row["row_id"]: ImproveQuestion().choose_direction(row) for row in reversed(QUESTIONS)}
    other = ImproveQuestion(seed=1)
    assert drawn != {row["row_id"]: other.choose_direction(row) for row in QUESTIONS}
    assert fingerprint(stage) != fingerprint(other)


def test_each_direction_has_its_own_instruction() -> None:
    asked: list[Prompt] = [stage.prompt(QUESTIONS[0]) for stage in (improve(0.0), improve(1.0))]
    easier, harder = asked
    assert "repair it" in easier.instruction and "harder" in harder.instruction


def improve(difficulty: float) -> ImproveQuestion:
    return ImproveQuestion(harder_share=difficulty)


def test_the_pupil_reads_the_stage_that_it_was_taught() -> None:
    assert (
        improve(0.0).prompt(QUESTIONS[7]).to_tagged_text() == "<rewrite_question><question>How many are 7 and 2?<reply>"
    )


def test_the_chosen_question_is_the_rewrite_if_it_can_be_solved() -> None:
    rewrites = [
        {"row_id": f"{n}/0", "question": f"better {n}", "original": f"worse {n}", "direction": "solvability"}
        for n in range(2)
    ]
    first, second = merged(PairQuestions(), rewrites, [{"row_id": "0/0", "question": "better 0"}])
    assert (first.pop("reject"), second["reject"]) == (None, "unsolvable")
    assert first == {
        "row_id": "0/0",
        "prompt": "",
        "chosen": "better 0",
        "rejected": "worse 0",
        "direction": "solvability",
    }
    conform([first], question_preferences.QUESTION_PAIRS, "test")


def test_what_can_be_solved_already_need_not_be_mended() -> None:
    assert reasons(KeepUnsolvable(), QUESTIONS[:2], QUESTIONS[1:2]) == {"000": None, "001": "solvable"}
