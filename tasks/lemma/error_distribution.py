"""Counts the types of error that a student makes, and draws the types to inject."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.outcomes import Reject, Row
from schemas.row_ids import child_id
from schemas.steps import Merge, Stage
from schemas.tables import error_draws
from tasks.lemma.error_types import ERROR_TYPES, INJECTABLE_TYPES, InjectableType


class CountErrorTypes(Merge):
    """Counts the student's failures at each question and their error types, next to the counts over all questions.

    Questions at which the student never failed are rejected: the authors' code makes no errors for them either.
    """

    label: ClassVar[str] = "count_error_types"
    version: ClassVar[int] = 2
    inputs: ClassVar[tuple[str, ...]] = ("problems", "attempts", "diagnosed")

    samples: int = Field(default=0, ge=0)
    """Number of attempts at each question, so that those that were cut off or stay undecided count as failed. 0: only
    attempts that are surely right or wrong are counted, because one that was cut off is no failure."""
    least_failure: float = Field(default=0.0, ge=0, le=1)
    """Least share of failed attempts at a question that is kept (`hard_ratio` in the authors' code); 0: no limit."""
    keep_never_failed: bool = False
    """Whether to keep also questions at which the student never failed."""

    def sql(self) -> str:
        """`types` has the counts of a question and `overall` those of all questions, each for twelve types.

        DuckDB's `count_if` of no rows is null, so `overall` counts by a filter: no diagnosis may have survived.
        """
        per_type = ", ".join(f"{{'type': '{t}', 'n': count(*) FILTER (found_type = '{t}')}}" for t in ERROR_TYPES)
        total = self.samples or "count(*)"
        zero_counts = ", ".join(f"{{'type': '{t}', 'n': 0::BIGINT}}" for t in ERROR_TYPES)
        return f"""
            WITH per_question AS (SELECT question_id, [{per_type}] AS types FROM diagnosed GROUP BY question_id),
            everything AS (SELECT [{per_type}] AS overall FROM diagnosed),
            tried AS (
                SELECT question_id, min(student) AS student, {total} AS attempts,
                    count_if(verdict = 'wrong')::BIGINT AS wrong,
                    1 - count_if(verdict = 'correct') / {total} AS failure
                FROM attempts GROUP BY question_id
            )
            SELECT problems.*, student, coalesce(attempts, 0) AS attempts, coalesce(wrong, 0) AS wrong,
                coalesce(failure, 0)::DOUBLE AS failure, coalesce(types, [{zero_counts}]) AS types, overall,
                CASE WHEN attempts IS NULL THEN 'no attempt'
                     WHEN failure = 0 AND NOT {self.keep_never_failed} THEN 'never wrong'
                     WHEN failure < {self.least_failure} THEN 'seldom wrong' END AS reject
            FROM problems LEFT JOIN tried ON problems.row_id = tried.question_id
                LEFT JOIN per_question ON problems.row_id = per_question.question_id CROSS JOIN everything
            ORDER BY problems.row_id
        """


class DrawErrorTypes(Stage):
    """Draws the error types to inject for each question, from its own errors and, if these are few, from all errors.

    The draws of a question are spread evenly over its distribution (systematic sampling), so that even a few draws
    follow it.
    """

    label: ClassVar[str] = "draw_error_types"
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = error_draws.ERROR_DRAWS

    injections: int = Field(default=4, ge=0)
    """Number of wrong solutions to make for each question. The paper gives no number; the authors' code makes 5 of each
    type."""
    types: tuple[InjectableType, ...] = Field(default=INJECTABLE_TYPES, min_length=1)
    """Error types to draw from; by default the paper's six (section 3.3)."""
    prior: float = Field(default=1.0, gt=0)
    """Weight of the dataset's distribution next to a question's own errors, as a number of errors. Not in the paper;
    without it a question with one diagnosed error would get only that type."""
    seed: int = 0
    """Seed of the random draws of error types."""
    uniform: bool = False
    """Whether each of `types` is drawn equally often, whatever errors the student makes: an ablation."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        for row in batch:
            shares = self.compute_shares(row)
            start = Random(f"{self.seed}/{row['row_id']}").random()
            if not self.injections:
                yield Reject(row, "no injections wanted")
            for n in range(self.injections):
                yield {
                    **{name: row[name] for name in ("question", "answer", "reference", "student")},
                    "row_id": child_id(row["row_id"], f"i{n}"),
                    "question_id": row["row_id"],
                    "type": self._type_at((n + start) / self.injections, shares),
                    "types": list(self.types),
                    "shares": shares,
                }

    def compute_shares(self, row: Row) -> list[float]:
        """The probability of each of `types` for a question; all equal if the dataset has no such errors."""
        if self.uniform:
            return [1 / len(self.types)] * len(self.types)
        own, overall = ({c["type"]: c["n"] for c in row[name]} for name in ("types", "overall"))
        total = sum(overall[t] for t in self.types)
        common = [overall[t] / total if total else 1 / len(self.types) for t in self.types]
        weights = [own[t] + self.prior * share for t, share in zip(self.types, common, strict=True)]
        return [weight / sum(weights) for weight in weights]

    def _type_at(self, place: float, shares: list[float]) -> InjectableType:
        """The type in whose part of [0, 1) `place` lies."""
        for kind, share in zip(self.types, shares, strict=True):
            place -= share
            if place < 0:
                return kind
        return self.types[shares.index(max(shares))]  # the shares add up to a little less than 1
