"""Diagnosis: the teacher names the first wrong step of a solution and the type of its error, and is asked twice."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import pyarrow as pa

from schemas.engine import Completion
from schemas.outcomes import Quarantine, Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.tables import diagnoses
from tasks.base.ask import Ask, Outcome, find_tagged_line
from tasks.base.json_reply import parse_count, parse_json_reply
from tasks.base.llm_judge import VERDICT_PREFIX
from tasks.lemma.error_types import ERROR_TYPES, ErrorType, parse_error_type

STEP_PREFIX, TYPE_PREFIX = "Step:", "Type:"
"""Open the last two lines of a diagnosis."""

DIAGNOSIS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "verdict": {"enum": ["correct", "wrong"]},
        "step": {"type": "integer"},
        "type": {"enum": [*ERROR_TYPES, "none"]},
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
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = diagnoses.SCHEMA
    role: str | None = "teacher"
    """Which model finds the error."""
    sampling: Sampling = Sampling(n=2, temperature=0.7, max_tokens=4096)
    """Temperature, top-p and length are the paper's, also for analysis (appendix A.3.1)."""
    structured: bool = False
    """Hold the model to a JSON object of reason, verdict, step and type; for engines that can (http, vllm)."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"], reference=row["reference"], attempt=number_steps(row))

    def initial_sampling(self) -> Sampling:
        return self.sampling.model_copy(update={"reply_schema": DIAGNOSIS_SCHEMA}) if self.structured else self.sampling

    def follow_up(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """One more, where no diagnosis has most of the replies yet; warmer where the first ones were greedy."""
        diagnosis, votes = _most_voted(row, replies)
        if len(replies) > self.sampling.n or (votes * 2 > len(replies) and diagnosis.verdict != "unreadable"):
            return None
        return self.initial_sampling().model_copy(update={"n": 1, "temperature": max(self.sampling.temperature, 0.7)})

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        diagnosis, votes = _most_voted(row, replies)
        if diagnosis.verdict == "unreadable":
            yield Quarantine(row, "no diagnosis", f"the last reply ends in {replies[-1].text[-80:]!r}", len(replies))
        elif votes * 2 <= len(replies):
            yield Reject(row, "no agreement")
        elif diagnosis.verdict == "correct":
            yield Reject(row, "called correct")
        elif diagnosis.verdict == "step out of range":
            yield Reject(row, "step out of range")
        else:
            found_columns = {
                "found_type": diagnosis.type,
                "found_step": diagnosis.step,
                "votes": votes,
                "asked": len(replies),
            }
            yield row | found_columns


def parse_diagnosis(text: str, count: int) -> Diagnosis:
    """What a reply says of a solution with `count` steps: its last lines, or its JSON."""
    parsed = _parse_fields(text)
    if str(parsed.get("verdict")).lower().strip(" .*") == "correct":
        return Diagnosis("correct")
    step, kind = parse_count(parsed.get("step")), parse_error_type(str(parsed.get("type")))
    if kind is None or step is None:
        return Diagnosis("unreadable")
    return Diagnosis("wrong", step, kind) if 1 <= step <= count else Diagnosis("step out of range")


def _parse_fields(text: str) -> Mapping[str, Any]:
    if parsed := parse_json_reply(text):
        return parsed
    last = text[text.rfind(VERDICT_PREFIX) :] if VERDICT_PREFIX in text else ""
    tagged = {"step": find_tagged_line(text, STEP_PREFIX), "type": find_tagged_line(text, TYPE_PREFIX)}
    # What comes last counts: `correct` may be said of a step before the verdict on the whole.
    return (
        tagged
        if STEP_PREFIX in last and TYPE_PREFIX in last
        else {"verdict": find_tagged_line(text, VERDICT_PREFIX), **tagged}
    )


def _most_voted(row: Row, replies: list[Completion]) -> tuple[Diagnosis, int]:
    """The diagnosis that the most replies make, and how many do; an unreadable one only where all are."""
    counts = Counter(
        Diagnosis("unreadable") if reply.finish_reason == "length" else parse_diagnosis(reply.text, len(row["steps"]))
        for reply in replies
    )
    ranked = sorted(counts, key=lambda each: (each.verdict == "unreadable", -counts[each], each.verdict, each[1:2]))
    return ranked[0], counts[ranked[0]]


def number_steps(row: Row) -> str:
    """The steps of a solution, a line each, with their numbers."""
    texts = (row["response"][step["start"] : step["end"]] for step in row["steps"])
    return "\n".join(f"{n}) {' '.join(text.split())}" for n, text in enumerate(texts, 1))
