"""Measures the error rates of a run on questions of the proving ground, where the truth is known."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from schemas.outcomes import Row
from schemas.steps import Merge, Stage
from schemas.tables import ground_truth
from tasks.answers.final_answer import answer_key
from tasks.base.confidence import with_wilson_interval
from tasks.proving_ground.oracle import read_question

ERROR_RATES = (
    ("solvability filter: precision", "of the questions it kept, solvable ones"),
    ("solvability filter: recall", "of the solvable questions, kept ones"),
    ("published: unsolvable questions", "of the published rows"),
    ("published: wrong answers", "of the published rows whose question is solvable"),
)
"""Rates that `MeasureErrorRates` measures, in the order of its rows, each with the total that it is a share of."""


class LookUpGroundTruth(Stage):
    """Looks up the truth about a question: the oracle of the proving ground reads it, no model judges it."""

    label: ClassVar[str] = "look_up_ground_truth"
    table: ClassVar[pa.Schema] = ground_truth.SCHEMA

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row]:
        for row in batch:
            reading = read_question(row["question"])
            yield {
                "row_id": row["row_id"],
                "solvable": reading.answer is not None,
                "reason": reading.unsolvable if reading.template else "unreadable",
                "answer": None if reading.answer is None else answer_key(reading.answer),
                "topic": reading.topic,
            }


class MeasureErrorRates(Merge):
    """Computes each of `ERROR_RATES`: its value, its 95 % Wilson interval, and the number of rows it was counted on.

    The first input has one empty row for each rate, because a merge returns the rows of its first input.
    """

    label: ClassVar[str] = "measure_error_rates"
    version: ClassVar[int] = 2
    inputs: ClassVar[tuple[str, ...]] = ("empty_rows", "ground_truth", "judged", "best")

    def sql(self) -> str:
        """DuckDB's `count_if` of no rows is null, so rows are counted by a filter: nothing may have been published."""
        figure_cases = " ".join(f"WHEN {i} THEN '{figure}'" for i, (figure, _) in enumerate(ERROR_RATES))
        note_cases = " ".join(f"WHEN {i} THEN '{note}'" for i, (_, note) in enumerate(ERROR_RATES))
        return f"""
            WITH known AS (
                SELECT ground_truth.*, judged.row_id IS NOT NULL AS kept FROM ground_truth LEFT JOIN judged USING
                (row_id)
            ),
            published AS (
                SELECT solvable, answer_key = ground_truth.answer AS agrees
                FROM best JOIN ground_truth ON question_id = ground_truth.row_id
            ),
            counted AS (
                SELECT 0 AS number, count(*) FILTER (kept AND solvable) AS k, count(*) FILTER (kept) AS n FROM known
                UNION ALL SELECT 1, count(*) FILTER (kept AND solvable), count(*) FILTER (solvable) FROM known
                UNION ALL SELECT 2, count(*) FILTER (NOT solvable), count(*) FROM published
                UNION ALL SELECT 3, count(*) FILTER (solvable AND NOT agrees), count(*) FILTER (solvable)
                FROM published
            ),
            rated AS ({with_wilson_interval("counted")})
            SELECT row_id, CASE number {figure_cases} END AS figure, rate AS value, low, high, n::BIGINT AS n,
                CASE number {note_cases} END AS note
            FROM empty_rows JOIN rated USING (number) ORDER BY row_id
        """
