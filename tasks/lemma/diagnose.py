"""Diagnosis: the teacher names the first wrong step of a solution and the type of its error, and is asked twice."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import pyarrow as pa

from schemas.engine import Completion
from schemas.outcomes import Quarantine, Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.tables import diagnoses
from tasks.base.ask import Ask, Outcome, tagged_line
from tasks.base.json_reply import fields, whole
from tasks.base.llm_judge import VERDICT
from tasks.lemma.error_types import TYPES, ErrorType, read_type

STEP, TYPE = "Step:", "Type:"
"""Open the last two lines of a diagnosis."""

DIAGNOSIS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "verdict": {"enum": ["correct", "wrong"]},
        "step": {"type": "integer"},
        "type": {"enum": [*TYPES, "none"]},
    },
    "required": ["reason", "verdict", "step", "type"],
}
"""JSON schema of a structured diagnosis; of a correct solution `step` is 0 and `type` is none."""


class Diagnosis(NamedTuple):
    """What one reply says; a reply that says nothing sure has only a `verdict`."""

    verdict: Literal["wrong", "correct", "unreadable", "step out of range"]
    step: int = 0
    """From 1."""
    type: ErrorType | None = None


class Diagnose(Ask):
    """The step and type that most replies name; two that differ are followed by a third (the paper asks once).

    A solution that is called correct, a step that does not exist and replies that do not agree turn the row down: its
    verdict is wrong, so that nobody knows where.
    """

    label: ClassVar[str] = "diagnose"
    tag: ClassVar[str] = "diagnose"
    table: ClassVar[pa.Schema] = diagnoses.SCHEMA
    role: str | None = "teacher"
    sampling: Sampling = Sampling(n=2, temperature=0.7, max_tokens=4096)
    """Temperature, top-p and length are the paper's, also for analysis (appendix A.3.1)."""
    structured: bool = False
    """Hold the model to a JSON object of reason, verdict, step and type; for engines that can (http, vllm)."""

    def prompt(self, row: Row) -> Prompt:
        return self.ask(question=row["question"], reference=row["reference"], attempt=numbered(row))

    def first(self) -> Sampling:
        return self.sampling.model_copy(update={"reply_schema": DIAGNOSIS}) if self.structured else self.sampling

    def again(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """One more, where no diagnosis has most of the replies yet; warmer where the first ones were greedy."""
        found, votes = _winner(row, replies)
        if len(replies) > self.sampling.n or (votes * 2 > len(replies) and found.verdict != "unreadable"):
            return None
        return self.first().model_copy(update={"n": 1, "temperature": max(self.sampling.temperature, 0.7)})

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        found, votes = _winner(row, replies)
        if found.verdict == "unreadable":
            yield Quarantine(row, "no diagnosis", f"the last reply ends in {replies[-1].text[-80:]!r}", len(replies))
        elif votes * 2 <= len(replies):
            yield Reject(row, "no agreement")
        elif found.verdict == "correct":
            yield Reject(row, "called correct")
        elif found.verdict == "step out of range":
            yield Reject(row, "step out of range")
        else:
            told = {"found_type": found.type, "found_step": found.step, "votes": votes, "asked": len(replies)}
            yield row | told


def read_diagnosis(text: str, count: int) -> Diagnosis:
    """What a reply says of a solution with `count` steps: its last lines, or its JSON."""
    told = _fields(text)
    if str(told.get("verdict")).lower().strip(" .*") == "correct":
        return Diagnosis("correct")
    step, kind = whole(told.get("step")), read_type(str(told.get("type")))
    if kind is None or step is None:
        return Diagnosis("unreadable")
    return Diagnosis("wrong", step, kind) if 1 <= step <= count else Diagnosis("step out of range")


def _fields(text: str) -> Mapping[str, Any]:
    if told := fields(text):
        return told
    last = text[text.rfind(VERDICT) :] if VERDICT in text else ""
    found = {"step": tagged_line(text, STEP), "type": tagged_line(text, TYPE)}
    # What comes last counts: `correct` may be said of a step before the verdict on the whole.
    return found if STEP in last and TYPE in last else {"verdict": tagged_line(text, VERDICT), **found}


def _winner(row: Row, replies: list[Completion]) -> tuple[Diagnosis, int]:
    """The diagnosis that the most replies make, and how many do; an unreadable one only where all are."""
    told = Counter(
        Diagnosis("unreadable") if reply.finish_reason == "length" else read_diagnosis(reply.text, len(row["steps"]))
        for reply in replies
    )
    ranked = sorted(told, key=lambda each: (each.verdict == "unreadable", -told[each], each.verdict, each[1:2]))
    return ranked[0], told[ranked[0]]


def numbered(row: Row) -> str:
    """The steps of a solution, a line each, with their numbers."""
    texts = (row["response"][step["start"] : step["end"]] for step in row["steps"])
    return "\n".join(f"{n}) {' '.join(text.split())}" for n, text in enumerate(texts, 1))
