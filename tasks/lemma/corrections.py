"""Corrections: the teacher goes on behind the wrong step, with a reflection and a right solution."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, NamedTuple

import pyarrow as pa
from pydantic import Field

from schemas.engine import Completion
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.tables import corrections
from tasks.answers.final_answer import answer_key, final_answer
from tasks.base.ask import Ask, Outcome
from tasks.base.json_reply import fields
from tasks.lemma.arithmetic import NUMBER, SIGN, plain
from tasks.lemma.segment_steps import steps

CORRECTION: dict[str, Any] = {
    "type": "object",
    "properties": {"reflection": {"type": "string"}, "correction": {"type": "string"}},
    "required": ["reflection", "correction"],
}
"""JSON schema of a structured correction."""
_OPERATION = re.compile(rf"{NUMBER}(?:{SIGN}{NUMBER})+(?= *=)")
OTHER = "another answer"
"""Fault of a reply whose answer is not the gold one letter for letter: reason to ask again, none to turn it down."""


class Continuation(NamedTuple):
    """What a teacher writes behind the wrong step."""

    reflection: str
    correction: str


class Correct(Ask):
    """One correction of each error. The trajectory is the prefix and the reply, joined: the teacher never copies it.

    A reply whose answer looks wrong is followed by another one, up to `tries` in all; the paper asks once.
    """

    table: ClassVar[pa.Schema] = corrections.DRAFTS
    strategy: ClassVar[Literal["fix_continue", "fresh_restart"]]

    role: str | None = "teacher"
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=4096)
    """The paper's (appendix A.3.1)."""
    tries: int = Field(default=2, ge=1)
    """Replies a row at the most."""
    structured: bool = False
    """Hold the model to a JSON object of reflection and correction; for engines that can (http, vllm)."""

    def first(self) -> Sampling:
        return self.sampling.model_copy(update={"reply_schema": CORRECTION}) if self.structured else self.sampling

    def again(self, row: Row, replies: list[Completion]) -> Sampling | None:
        if len(replies) >= self.tries or any(self.fault(row, reply) is None for reply in replies):
            return None
        return self.first().model_copy(update={"n": 1, "temperature": max(self.sampling.temperature, 0.7)})

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        """The first reply without a fault, else the first whose answer may be right in another form; else why not."""
        faults = [self.fault(row, reply) for reply in replies]
        best = next((fault for fault in (None, OTHER) if fault in faults), "")
        if best != "":
            told = read_continuation(replies[faults.index(best)].text)
            yield joined(row, told) | {
                "row_id": f"{row['row_id']}/{self.strategy}",
                "strategy": self.strategy,
                "teacher": self.role,
            }
        else:
            yield Reject(row, faults[0] or "")

    def fault(self, row: Row, reply: Completion) -> str | None:
        """What can be seen to be wrong with a reply; None: nothing. The verifier judges the answer later."""
        told = read_continuation(reply.text)
        if reply.finish_reason == "length":
            return "cut_off"
        if not told.reflection or not told.correction:
            return "no correction"
        answer = final_answer(told.correction)
        if answer is None:
            return "no_answer"
        return None if answer_key(answer) == answer_key(row["answer"]) else OTHER


class FixContinue(Correct):
    """Mends the wrong step and goes on from there, in the light of the reference (section 3.4, Fix & Continue)."""

    label: ClassVar[str] = "fix_continue"
    tag: ClassVar[str] = "fix_continue"
    strategy: ClassVar[Literal["fix_continue"]] = "fix_continue"

    def prompt(self, row: Row) -> Prompt:
        return self.ask(question=row["question"], reference=row["reference"], attempt=row["prefix"])


class FreshRestart(Correct):
    """Starts again by another method, without a reference (section 3.4, Fresh & Restart)."""

    label: ClassVar[str] = "fresh_restart"
    tag: ClassVar[str] = "fresh_restart"
    strategy: ClassVar[Literal["fresh_restart"]] = "fresh_restart"

    most_overlap: float = Field(default=0.5, ge=0, le=1)
    """Share of the prefix's calculations that the new solution may repeat; the paper asks for another method, and does
    not look whether it gets one."""

    def prompt(self, row: Row) -> Prompt:
        return self.ask(question=row["question"], attempt=row["prefix"])

    def fault(self, row: Row, reply: Completion) -> str | None:
        found = super().fault(row, reply)
        if found not in (None, OTHER):
            return found
        shared = overlap(row["prefix"], read_continuation(reply.text).correction)
        return "same method" if shared > self.most_overlap else found


def read_continuation(text: str) -> Continuation:
    """The first line that is not blank is the reflection, the rest is the correction; or JSON."""
    if (told := fields(text)).keys() >= {"reflection", "correction"}:
        return Continuation(str(told["reflection"]).strip(), str(told["correction"]).strip())
    reflection, _, rest = text.strip().partition("\n")
    return Continuation(reflection.strip(), rest.strip())


def joined(row: Row, told: Continuation) -> Row:
    """An error with its trajectory, and where each part of it stands."""
    prefix = row["prefix"]
    reflected = len(prefix) + 1 + len(told.reflection)
    return row | {
        "trajectory": f"{prefix}\n{told.reflection}\n{told.correction}",
        "reflection_start": len(prefix) + 1,
        "reflection_end": reflected,
        "correction_start": reflected + 1,
        "correction_end": reflected + 1 + len(told.correction),
    }


def overlap(prefix: str, correction: str) -> float:
    """The share of the prefix's steps that the correction repeats, in [0, 1]; 0 where there is nothing to compare.

    A step is known by the numbers that it calculates with, not by its result or its operation, for either may be the
    mistake; where a prefix has no calculation, by its words. A mistaken number is not seen through.
    """
    before, after = _operations(prefix), _operations(correction)
    if not before:
        before, after = _worded(prefix), _worded(correction)
    return len(before & after) / len(before) if before else 0.0


def _operations(text: str) -> set[str]:
    found = _OPERATION.findall(plain(text))
    return {" ".join(sorted(re.findall(NUMBER, each))) for each in found}


def _worded(text: str) -> set[str]:
    return {" ".join(re.findall(r"[^\W\d]+", text[start:end].lower())) for start, end in steps(text)}
