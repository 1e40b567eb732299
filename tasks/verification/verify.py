"""Compares the final answer of each response with its gold answer, and records the verdict and the rule that decided.

It extracts the answer, applies the exact rules of `equivalence/compare.py`, and asks Math-Verify if none of them
decides. A comparison that takes too long is repeated at the end with more time, and is then a `timeout`; an unreadable
answer is `unparseable`. The verdict is `wrong` only if both answers were read and it is proved that they differ.
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
from schemas.reasoning import split_reasoning
from schemas.steps import Stage
from schemas.tables import verdicts
from tasks.verification.equivalence.compare import compare, compare_for_question, parse_answer, run_canaries
from tasks.verification.equivalence.latex_commands import is_equation
from tasks.verification.extraction.number_candidates import EARLIER_NUMBERS, SEVERAL_NUMBERS
from tasks.verification.extraction.rules import (
    EXPLICIT_RULES,
    MARKERS,
    UNDECIDABLE,
    ExtractedAnswer,
    extract,
    may_be_explicit,
)
from tasks.verification.extraction.stated_numbers import excludes
from tasks.verification.math_verify import pool
from tasks.verification.math_verify.verdict import Pair, Verdict, describe_library

OPEN_THOUGHT = "open_thought"
"""Rule of a verdict on a response that was cut off while the model thought."""
CHUNK_ROWS = 256
"""Rows prepared before Math-Verify is asked: eight of its batches."""
RETRY_FACTOR = 4
"""A pair that took too long is judged once more, after all others, with so many times the limit."""


class _PreparedRow(NamedTuple):
    """A row with its verdict, or with the pair that Math-Verify must judge."""

    row: Row
    answer: ExtractedAnswer | None
    verdict: Verdict | None
    pair: Pair
    milliseconds: float


class Verify(Stage):
    """One verdict for each attempt, whatever the response is. A broken verifier raises `VerifierBroken`."""

    label: ClassVar[str] = "verify"
    table: ClassVar[pa.Schema] = verdicts.VERDICT_SCHEMA
    version: ClassVar[int] = 7

    markers: tuple[str, ...] = MARKERS
    """Markers that open the line of the final answer, in responses and in golds that are whole solutions; GSM8K's is
    `A:`."""
    tolerance: float = Field(default=0.0, ge=0, le=0.05)
    """Largest relative difference from a gold number that is still correct. At 0 no difference is allowed, unless the
    question asks to round."""
    deadline: float = Field(default=pool.DEADLINE_SECONDS, gt=0, le=3600)
    """Seconds of CPU time that Math-Verify may take for a pair of answers. A pair that takes more is judged once more,
    at the end and with four times as many, before its verdict is `timeout`."""
    library: str = Field(default_factory=describe_library)
    """Name and version of the library that judges, as it is installed. Another version may judge differently, so it is
    part of the stage's identity."""

    @field_validator("library")
    @classmethod
    def _check_installed(cls, library: str) -> str:
        if mismatch := _describe_mismatch(library):
            raise ValueError(mismatch)
        return library

    @cached_property
    def identity(self) -> str:
        """The verifier's version for the rows: the stage's version, the library and a fingerprint of the settings."""
        return f"{self.version} with {self.library} {fingerprint(self)[:12]}"

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row]:
        """One verdict, in the order of `batch`, for each row of `schemas.tables.attempts`. Raises `VerifierBroken`."""
        if mismatch := _describe_mismatch(self.library):  # a worker may have another version than the caller
            raise VerifierBroken(f"{self.label} {mismatch}")
        run_canaries()
        judged = list[tuple[_PreparedRow, Verdict]]()
        for start in range(0, len(batch), CHUNK_ROWS):
            prepared_rows = [self._prepare(row) for row in batch[start : start + CHUNK_ROWS]]
            library_verdicts = iter(
                pool.compare_pairs([case.pair for case in prepared_rows if case.verdict is None], self.deadline)
            )
            judged += [(prepared, prepared.verdict or next(library_verdicts)) for prepared in prepared_rows]
        late = [prepared.pair for prepared, verdict in judged if verdict.verdict == "timeout"]
        retried = iter(pool.compare_pairs(late, RETRY_FACTOR * self.deadline))
        for prepared, verdict in judged:
            yield self._make_row(prepared, next(retried) if verdict.verdict == "timeout" else verdict)

    def _prepare(self, row: Row) -> _PreparedRow:
        began = time.perf_counter()
        response = read_response(row["response"])
        extracted = merge_boxes(extract(response or "", self.markers, takes_words=True))
        gold = extract_gold(row["answer"], self.markers)
        if extracted and extracted.doubt in (SEVERAL_NUMBERS, EARLIER_NUMBERS) and excludes(response or "", gold):
            extracted = extracted._replace(doubt="")
        answer = _choose_text(extracted, gold) if extracted else ""
        verdict: Verdict | None = Verdict("unparseable", "no_answer" if response is not None else OPEN_THOUGHT)
        if extracted and extracted.doubt in UNDECIDABLE:
            verdict = Verdict("unparseable", extracted.doubt)
        elif extracted:
            verdict = compare_for_question(gold, answer, row["question"], self.tolerance)
        pair = (
            Pair(gold, answer)
            if verdict
            else Pair(parse_answer(gold).text_and_unit[0], parse_answer(answer).text_and_unit[0])
        )
        return _PreparedRow(row, extracted, verdict, pair, (time.perf_counter() - began) * 1e3)

    def _make_row(self, prepared: _PreparedRow, verdict: Verdict) -> Row:
        if prepared.answer and prepared.answer.doubt and verdict.verdict == "wrong":
            verdict = verdict._replace(verdict="unparseable", rule=prepared.answer.doubt)
        return {
            "row_id": prepared.row["row_id"],
            "verdict": verdict.verdict,
            "rule": verdict.rule,
            "found_by": prepared.answer.found_by if prepared.answer else None,
            "gold_parsed": verdict.gold_parsed,
            "answer_parsed": verdict.answer_parsed,
            "verifier": "questmill.answer_match",
            "verifier_version": self.identity,
            "milliseconds": prepared.milliseconds + verdict.milliseconds,
        }


def read_response(text: str) -> str | None:
    """A response without the thought before it; None if the thought never ends, since then there is no answer."""
    _, response, closed = split_reasoning(text)
    return response if closed else None


def extract_gold(text: str, markers: Sequence[str] = MARKERS) -> str:
    """The final answer of a gold that is a whole solution (boxed, hash or marked), else the whole text."""
    extracted = merge_boxes(extract(text, markers)) if may_be_explicit(text, markers) else None
    return extracted.text if extracted and extracted.found_by in EXPLICIT_RULES else text.strip()


def merge_boxes(extracted: ExtractedAnswer | None) -> ExtractedAnswer | None:
    """The last of several boxes if all say the same in other words, such as `x+11` and `11+x`."""
    if extracted is None or not extracted.boxes:
        return extracted
    verdicts = [compare(extracted.boxes[-1], box) for box in extracted.boxes[:-1]]
    if all(verdict and verdict.verdict == "correct" for verdict in verdicts):
        return extracted._replace(text=extracted.boxes[-1], boxes=(), doubt="")
    return extracted


def _choose_text(extracted: ExtractedAnswer, gold: str) -> str:
    """The answer: the whole equation if the gold is one, so that `y = 2x` is not compared by its right side alone."""
    return extracted.equation if extracted.equation and is_equation(gold) else extracted.text


def _describe_mismatch(library: str) -> str:
    """How `library` differs from the installed one; empty if it does not."""
    installed = describe_library()
    if library == installed:
        return ""
    return f"was asked for {library}, but this machine has {installed}; install the former"
