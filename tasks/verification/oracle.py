"""A verdict by the oracle of the proving ground, which reads the question itself and needs no gold.

It is exact where it knows the question, and says so where it does not: such a question is `unverifiable`.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.identity import fingerprint
from schemas.outcomes import Quarantine, Row
from schemas.steps import Stage
from schemas.tables import verdicts
from tasks.proving_ground.oracle import read_question
from tasks.verification.extraction.rules import extract
from tasks.verification.llm_judge import make_verdict
from tasks.verification.verify import Verify


class VerifyByOracle(Stage):
    """One verdict for each attempt: its final answer against the one that the oracle computes from the question.

    To a question that has no answer, every answer is wrong, and a response without one is `unparseable` as elsewhere.
    """

    label: ClassVar[str] = "verify_by_oracle"
    table: ClassVar[pa.Schema] = verdicts.VERDICT_SCHEMA

    answer_match: Verify = Field(default_factory=Verify)
    """Compares the two answers."""

    @cached_property
    def identity(self) -> str:
        """For the rows: the version, and all that was configured."""
        return f"{self.version} {fingerprint(self)[:12]}"

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Quarantine]:
        """One verdict, in the order of `batch`, for each row with `row_id`, `question` and `response`."""
        readings = [read_question(row["question"]) for row in batch]
        answerable = [
            row | {"answer": found.answer}
            for row, found in zip(batch, readings, strict=True)
            if found.answer is not None
        ]
        compared = iter(self.answer_match.rows(answerable, engine))
        for row, reading in zip(batch, readings, strict=True):
            if reading.answer is None:
                yield self._judge_without_gold(row, reading.unsolvable if reading.template else None)
                continue
            outcome = next(compared)
            if isinstance(outcome, Quarantine):
                yield outcome._replace(row=row)
            else:
                yield outcome | {"verifier": "questmill.oracle", "verifier_version": self.identity}

    def _judge_without_gold(self, row: Row, unsolvable: str | None) -> Row:
        """The verdict on an attempt at a question that has no answer, or that does not belong to the proving ground."""
        if unsolvable is None:
            verdict, rule = "unverifiable", "unknown_question"
        elif extract(row["response"], self.answer_match.markers) is None:
            verdict, rule = "unparseable", "no_answer"
        else:
            verdict, rule = "wrong", unsolvable
        return make_verdict(row["row_id"], verdict, rule, "questmill.oracle", self.identity)
