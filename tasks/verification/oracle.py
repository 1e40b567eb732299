"""Verdicts by the oracle of the proving ground, which solves the question itself and needs no gold answer.

It is exact for questions of the proving ground. Any other question is `unverifiable`.
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
from tasks.verification.verify import OPEN_THOUGHT, Verify, read_response


class VerifyByOracle(Stage):
    """One verdict for each attempt: compares its final answer with the one that the oracle computes from the question.

    For a question that has no answer, every answer is wrong; a response without an answer is `unparseable`, as always.
    """

    label: ClassVar[str] = "verify_by_oracle"
    table: ClassVar[pa.Schema] = verdicts.VERDICT_SCHEMA

    answer_match: Verify = Field(default_factory=Verify)
    """How the response's final answer is compared with the exact answer."""

    @cached_property
    def identity(self) -> str:
        """The verifier's version for the rows: the stage's version and a fingerprint of its settings."""
        return f"{self.version} {fingerprint(self)[:12]}"

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Quarantine]:
        """One verdict, in the order of `batch`, for each row with `row_id`, `question` and `response`."""
        readings = [read_question(row["question"]) for row in batch]
        answerable = [
            row | {"answer": reading.answer}
            for row, reading in zip(batch, readings, strict=True)
            if reading.answer is not None
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
        """The verdict on an attempt at a question without an answer, or one that is not of the proving ground."""
        if unsolvable is None:
            verdict, rule = "unverifiable", "unknown_question"
        elif (response := read_response(row["response"])) is None:
            verdict, rule = "unparseable", OPEN_THOUGHT
        elif extract(response, self.answer_match.markers) is None:
            verdict, rule = "unparseable", "no_answer"
        else:
            verdict, rule = "wrong", unsolvable
        return make_verdict(row["row_id"], verdict, rule, "questmill.oracle", self.identity)
