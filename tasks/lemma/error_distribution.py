"""Which types of error a student makes, and which are to be injected."""

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
    """How often the student failed at each question, and with which types of error; beside it those of all questions.

    Questions at which it never failed are turned down: the authors' code makes no errors for them either.
    """

    label: ClassVar[str] = "count_error_types"
    inputs: ClassVar[tuple[str, ...]] = ("problems", "attempts", "diagnosed")

    samples: int = Field(default=0, ge=0)
    """Attempts at each question; 0: as many as came to an answer. One that was cut off has failed as well."""
    least_failure: float = Field(default=0.0, ge=0, le=1)
    """Share of wrong attempts from which a question is kept (the authors' `hard_ratio`)."""
    keep_never_failed: bool = False
    """Keep questions at which the student never failed as well."""

    def sql(self) -> str:
        """`types` are the question's counts, `overall` those of the dataset: a struct for each of the twelve types."""
        per_type = ", ".join(f"{{'type': '{t}', 'n': count_if(found_type = '{t}')::BIGINT}}" for t in ERROR_TYPES)
        total = self.samples or "count(*)"
        zero_counts = ", ".join(f"{{'type': '{t}', 'n': 0::BIGINT}}" for t in ERROR_TYPES)
        return f"""
            WITH told AS (SELECT question_id, [{per_type}] AS types FROM diagnosed GROUP BY question_id),
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
                LEFT JOIN told ON problems.row_id = told.question_id CROSS JOIN everything
            ORDER BY problems.row_id
        """


class DrawErrorTypes(Stage):
    """The types of error to make for each question, drawn from its own errors, and from all where it has few.

    The draws of a question are spread evenly over its distribution (systematic sampling), so that few draws already
    follow it, and many do so closely.
    """

    label: ClassVar[str] = "draw_error_types"
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = error_draws.ERROR_DRAWS

    injections: int = Field(default=4, ge=0)
    """Wrong solutions a question; the paper does not say how many, the authors' code makes 5 of each type."""
    types: tuple[InjectableType, ...] = Field(default=INJECTABLE_TYPES, min_length=1)
    """To draw from (section 3.3)."""
    prior: float = Field(default=1.0, gt=0)
    """Weight of the dataset's distribution, in errors of one question. Not in the paper; without it a question with one
    diagnosed error would get one type only."""
    seed: int = 0
    """Of the draws."""

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
        """The probability of each of `types` for a question; all equal where no such error was found anywhere."""
        own, overall = ({c["type"]: c["n"] for c in row[name]} for name in ("types", "overall"))
        total = sum(overall[t] for t in self.types)
        common = [overall[t] / total if total else 1 / len(self.types) for t in self.types]
        weights = [own[t] + self.prior * share for t, share in zip(self.types, common, strict=True)]
        return [weight / sum(weights) for weight in weights]

    def _type_at(self, place: float, shares: list[float]) -> InjectableType:
        """The type in whose part of [0, 1) a place lies."""
        for kind, share in zip(self.types, shares, strict=True):
            place -= share
            if place < 0:
                return kind
        return self.types[shares.index(max(shares))]  # the shares add up to a little less than 1
