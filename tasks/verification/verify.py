"""Holds each response against its gold answer and writes down what was found, by which rung, and how sure that is.

Find the answer, climb the ladder (`equivalence/compare.py`), ask Math-Verify about what no rung decided. A hung
comparison is a `timeout`, an unreadable answer `unparseable`; `wrong` is only said when both were read and differ.
"""

import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa
from pydantic import Field, field_validator

from schemas.errors import VerifierBroken
from schemas.identity import fingerprint
from schemas.outcomes import Row
from schemas.steps import Stage
from schemas.tables import verdicts
from tasks.verification.equivalence.compare import compare, read, trust
from tasks.verification.equivalence.question_hints import asked
from tasks.verification.extraction.rules import EXPLICIT, MARKERS, Extract, extract
from tasks.verification.math_verify import pool
from tasks.verification.math_verify.pool import Pair, Ruling

CHUNK = 256
"""Rows looked at before the referee is asked: eight of its batches."""


class _Case(NamedTuple):
    """A row with its ruling, or with the pair that the referee is to judge."""

    row: Row
    found: Extract | None
    ruling: Ruling | None
    pair: Pair
    milliseconds: float


class Verify(Stage):
    """One verdict for each attempt, whatever it is; a broken verifier raises."""

    label: ClassVar[str] = "verify"
    table: ClassVar[pa.Schema] = verdicts.SCHEMA
    version: ClassVar[int] = 4

    markers: tuple[str, ...] = MARKERS
    """What opens the line of the final answer, in responses and in golds that are whole solutions; GSM8K's is `A:`."""
    tolerance: float = Field(default=0.0, ge=0, le=0.05)
    """Largest relative difference to a gold number still correct; 0: none, unless the question asks to round."""
    deadline: float = Field(default=pool.DEADLINE, gt=0, le=3600)
    """Seconds Math-Verify may take for a pair before the verdict is `timeout`."""
    library: str = Field(default_factory=pool.library)
    """Library and version behind the verdicts: another version may judge otherwise, so it is another stage."""

    @field_validator("library")
    @classmethod
    def _installed(cls, library: str) -> str:
        if complaint := _complaint(library):
            raise ValueError(complaint)
        return library

    @cached_property
    def identity(self) -> str:
        """For the rows: the version, the library, and all that was configured."""
        return f"{self.version} with {self.library} {fingerprint(self)[:12]}"

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row]:
        """One verdict, in the order of `batch`, for each row of `schemas.tables.attempts`. Raises `VerifierBroken`."""
        if complaint := _complaint(self.library):  # a worker need not have what the machine it was asked on has
            raise VerifierBroken(f"{self.label} {complaint}")
        trust()
        for start in range(0, len(batch), CHUNK):
            cases = [self._look(row) for row in batch[start : start + CHUNK]]
            rulings = iter(pool.judge([case.pair for case in cases if case.ruling is None], self.deadline))
            for case in cases:
                yield self._outcome(case, case.ruling or next(rulings))

    def _look(self, row: Row) -> _Case:
        began = time.perf_counter()
        found = extract(row["response"], self.markers)
        gold = gold_answer(row["answer"], self.markers)
        answer = found.text if found else ""
        wanted = asked(row["question"], self.tolerance)
        ruling = compare(gold, answer, wanted) if found else Ruling("unparseable", "no_answer")
        pair = Pair(gold, answer) if ruling else Pair(read(gold).bare[0], read(answer).bare[0])
        return _Case(row, found, ruling, pair, (time.perf_counter() - began) * 1e3)

    def _outcome(self, case: _Case, ruling: Ruling) -> Row:
        return {
            "row_id": case.row["row_id"],
            "verdict": ruling.verdict,
            "rule": ruling.rule,
            "found_by": case.found.found_by if case.found else None,
            "gold_parsed": ruling.gold_parsed,
            "answer_parsed": ruling.answer_parsed,
            "verifier": "questmill.ladder",
            "verifier_version": self.identity,
            "milliseconds": case.milliseconds + ruling.milliseconds,
        }


def gold_answer(text: str, markers: Sequence[str] = MARKERS) -> str:
    """The answer in a gold that is a whole solution (boxed, hash or marked), else all of it."""
    found = extract(text, markers)
    return found.text if found and found.found_by in EXPLICIT else text.strip()


def _complaint(library: str) -> str:
    """What is wrong with `library`; empty if it is the installed one."""
    installed = pool.library()
    if library == installed:
        return ""
    return f"was asked for {library}, but this machine has {installed}; install the former"
