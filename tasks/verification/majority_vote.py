"""Verdicts by consensus: the answer that most samples of a question agree on is right, unless too few agree.

It needs no gold answer, but misses errors that a model makes every time. `make bench ONLY=majority_vote_accuracy`
measures its accuracy.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.arrow import measured, optional, required
from schemas.errors import BadInput
from schemas.identity import fingerprint
from schemas.outcomes import Quarantine, Row
from schemas.steps import Merge, Stage
from tasks.answers.final_answer import answer_key
from tasks.verification.extraction.rules import MARKERS, extract
from tasks.verification.verify import read_response

ANSWER_KEYS = pa.schema(
    [
        required("row_id", pa.string()),  # of the attempt
        required("question_id", pa.string()),  # the same for all attempts at one question
        optional("answer_key", pa.string()),  # the answer in the form that is compared; null if there is none
        optional("found_by", pa.string()),
        measured("milliseconds", pa.float32()),
    ]
)
"""The final answer of each attempt, and the question that it is a sample of."""


class ExtractAnswerKey(Stage):
    """The final answer of each attempt, in the form in which attempts at the same question are compared."""

    label: ClassVar[str] = "extract_answer_key"
    table: ClassVar[pa.Schema] = ANSWER_KEYS
    version: ClassVar[int] = 3

    group_column: str = "question"
    """Name of the column whose value all attempts at one question share. A row without a value is quarantined: such
    rows would otherwise count as samples of one question."""
    markers: tuple[str, ...] = MARKERS
    """Markers that open the line of the final answer; GSM8K's is `A:`."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Quarantine]:
        """One outcome for each row of `schemas.tables.attempts`. Raises `BadInput` if there is no `group_column`."""
        if batch and self.group_column not in batch[0]:
            raise BadInput(
                f"{self.label}: the rows have no column {self.group_column!r}; name the shared one with `group_column`"
            )
        for row in batch:
            question_id = row[self.group_column]
            if question_id is None or question_id != question_id:  # NaN, as some writers store what is missing
                reason = f"the attempt has no value in column {self.group_column!r}, so it belongs to no question"
                yield Quarantine(row, f"null {self.group_column}", reason)
                continue
            began = time.perf_counter()
            answer = extract(read_response(row["response"]) or "", self.markers)
            yield {
                "row_id": row["row_id"],
                "question_id": str(question_id),
                "answer_key": answer_key(answer.text) if answer else None,
                "found_by": answer.found_by if answer else None,
                "milliseconds": (time.perf_counter() - began) * 1e3,
            }


class MajorityVote(Merge):
    """A verdict for each attempt, with the share of the leading answer and the entropy of all answers in bits.

    An attempt without an answer counts as a sample of its question that agrees with no other.
    """

    label: ClassVar[str] = "majority_vote"
    inputs: ClassVar[tuple[str, ...]] = ("attempts", "answers")
    extra_columns: ClassVar[tuple[str, ...]] = ("agreement", "entropy", "samples")
    """Columns in addition to those of every verdict."""
    verifier: ClassVar[str] = "questmill.vote"
    weight_sql: ClassVar[str] = "1.0"
    """The weight of one sample, as SQL."""

    least_agreement: float = Field(default=0.5, ge=0, le=1)
    """Smallest share of the samples that must state the leading answer. Below it all samples are `unverifiable`."""
    least_samples: int = Field(default=2, ge=1)
    """Smallest number of samples of a question that must state an answer. With fewer there is no consensus."""

    def sql(self) -> str:
        """Sums are rounded because their last digits depend on the order of summation."""
        return f"""
            WITH answered AS (
                SELECT *, {self.weight_sql} AS weight FROM (SELECT row_id FROM attempts) LEFT JOIN answers USING
                (row_id)
                {self.weight_joins()}
            ),
            shares AS (
                SELECT question_id, answer_key, count(*) AS votes, round(sum(weight), 9) AS weight,
                    rank() OVER (
                        PARTITION BY question_id ORDER BY answer_key IS NULL, round(sum(weight), 9) DESC
                    ) AS place
                FROM answered WHERE question_id IS NOT NULL GROUP BY question_id, answer_key
            ),
            shared AS (
                SELECT *, coalesce(weight / nullif(sum(weight) OVER (PARTITION BY question_id), 0), 0) AS share
                FROM shares
            ),
            counted AS (
                SELECT question_id, sum(votes)::INTEGER AS samples,
                    sum(votes) FILTER (answer_key IS NOT NULL) AS stated, count_if(place = 1) AS leaders,
                    min(answer_key) FILTER (place = 1) AS leader, max(share) FILTER (place = 1) AS agreement,
                    abs(round(coalesce(sum(share * log2(nullif(share, 0))), 0), 9)) AS entropy
                FROM shared GROUP BY question_id
            ),
            ruled AS (
                SELECT answered.* EXCLUDE (question_id), counted.* EXCLUDE (question_id), CASE
                    WHEN answer_key IS NULL THEN 'no_answer'
                    WHEN stated < {self.least_samples} THEN 'few_samples'
                    WHEN leaders > 1 THEN 'tie'
                    WHEN agreement < {self.least_agreement} THEN 'little_agreement'
                    WHEN answer_key = leader THEN 'majority' ELSE 'minority'
                END AS rule
                FROM answered LEFT JOIN counted USING (question_id)
            )
            SELECT row_id, CASE rule
                    WHEN 'majority' THEN 'correct' WHEN 'minority' THEN 'wrong'
                    WHEN 'no_answer' THEN 'unparseable' ELSE 'unverifiable'
                END AS verdict,
                rule, found_by, leader AS gold_parsed, answer_key AS answer_parsed, '{self.verifier}' AS verifier,
                '{self.version} {fingerprint(self)[:12]}' AS verifier_version, milliseconds,
                agreement, entropy, samples, CASE WHEN samples IS NULL THEN 'no verdict' END AS reject
            FROM ruled ORDER BY row_id
        """

    def weight_joins(self) -> str:
        """SQL that joins the further tables that `weight_sql` reads."""
        return ""


class WeightedVote(MajorityVote):
    """A majority vote in which each sample has its reward as weight, so two good samples can outvote three doubtful."""

    label: ClassVar[str] = "weighted_vote"
    inputs: ClassVar[tuple[str, ...]] = ("attempts", "answers", "rewards")
    verifier: ClassVar[str] = "questmill.weighted_vote"
    weight_sql: ClassVar[str] = "coalesce(reward, 0.0)"

    def weight_joins(self) -> str:
        """An attempt without a reward has no weight."""
        return "LEFT JOIN rewards USING (row_id)"
