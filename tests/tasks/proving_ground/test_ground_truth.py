"""The truth where it is known: what the oracle says of a question, and what a run's rows are worth by it."""

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from schemas.arrow import conform
from schemas.tables.ground_truth import SCHEMA as GROUND_TRUTH
from tasks.proving_ground import library
from tasks.proving_ground.ground_truth import ERROR_RATES, LookUpGroundTruth, MeasureErrorRates


def test_the_oracle_tells_answers_reasons_and_texts_that_it_cannot_read() -> None:
    right, wrong = library.draw_problem(1), library.draw_problem(2, solvable=False)
    texts = [right.question, wrong.question, "Why is the sky blue?"]
    rows = list(LookUpGroundTruth().rows([{"row_id": str(i), "question": text} for i, text in enumerate(texts)], None))
    assert conform(rows, GROUND_TRUTH, "look_up_ground_truth").num_rows == 3
    assert [row["solvable"] for row in rows] == [True, False, False]
    assert [row["reason"] for row in rows] == [None, wrong.unsolvable, "unreadable"]
    assert rows[0]["answer"] is not None and rows[1]["answer"] is None


def measured(truth: list[tuple[bool, str | None]], kept: set[int], best: dict[int, str]) -> dict[str, dict[str, Any]]:
    """Figures by name; question i is solvable with an answer, `kept` by the judge, and published with an answer."""
    con = duckdb.connect()
    tables: dict[str, list[dict[str, Any]]] = {
        "empty_rows": [{"row_id": str(i), "number": i} for i in range(len(ERROR_RATES))],
        "ground_truth": [{"row_id": f"q{i}", "solvable": ok, "answer": answer} for i, (ok, answer) in enumerate(truth)],
        "judged": [{"row_id": f"q{i}"} for i in sorted(kept)],
        "best": [{"row_id": f"q{i}/0", "question_id": f"q{i}", "answer_key": key} for i, key in best.items()],
    }
    for name, rows in tables.items():
        con.register(name, pa.Table.from_pylist(rows))
    found = con.sql(MeasureErrorRates().sql()).to_arrow_table().to_pylist()
    return {row["figure"]: row for row in found}


def test_noise_is_counted_on_the_rows_that_could_have_been_wrong() -> None:
    truth: list[tuple[bool, str | None]] = [(True, "1"), (True, "2"), (True, "3"), (False, None), (False, None)]
    found = measured(truth, kept={0, 1, 3}, best={0: "1", 1: "9", 3: "5"})
    assert [(found[name]["value"], found[name]["n"]) for name, _ in ERROR_RATES] == [
        (pytest.approx(2 / 3), 3),
        (pytest.approx(2 / 3), 3),
        (pytest.approx(1 / 3), 3),
        (pytest.approx(1 / 2), 2),
    ]


def test_intervals_are_those_of_wilson_and_hold_the_value() -> None:
    truth: list[tuple[bool, str | None]] = [(True, "1")] * 100
    none = measured(truth, kept=set(range(100)), best=dict.fromkeys(range(100), "1"))["published: wrong answers"]
    assert (none["value"], none["low"]) == (0, 0) and none["high"] == pytest.approx(0.037, abs=0.001)
    ten = measured(truth, kept=set(range(100)), best={i: "1" if i >= 10 else "2" for i in range(100)})
    row = ten["published: wrong answers"]
    assert (row["low"], row["high"]) == (pytest.approx(0.0552, abs=1e-3), pytest.approx(0.1744, abs=1e-3))
