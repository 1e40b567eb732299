"""Diagnoses wrong solutions: the teacher, asked twice, names the first wrong step and the type of its error."""

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
"""Open the last two lines of a diagnosis: the number of the step, from 1, and the type of error."""

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
"""JSON schema of a structured diagnosis. For a correct solution `step` is 0 and `type` is `none`."""


class Diagnosis(NamedTuple):
    """The diagnosis in one reply. Only a `wrong` verdict comes with a step and a type."""

    verdict: Literal["wrong", "correct", "unreadable", "step out of range"]
    step: int = 0
    """Number of the first wrong step, from 1; 0 if there is none."""
    type: ErrorType | None = None


class Diagnose(Ask):
    """Takes the step and type that most replies name. If two replies differ, it asks again; the paper asks once.

    A row is rejected if its solution is called correct, if the step does not exist, or if the replies do not agree: its
    answer is wrong, and the place of the error is unknown.
    """

    label: ClassVar[str] = "diagnose"
    tag: ClassVar[str] = "diagnose"
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = diagnoses.SCHEMA
    role: str | None = "teacher"
    """Role of the model that finds the error."""
    sampling: Sampling = Sampling(n=2, temperature=0.7, max_tokens=4096)
    """How the teacher is sampled. Temperature, top-p and length are the paper's (appendix A.3.1)."""
    structured: bool = False
    """Whether the engine must enforce a JSON object with reason, verdict, step and type; only for engines that can
    (http, vllm)."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"], reference=row["reference"], attempt=number_steps(row))

    def initial_sampling(self) -> Sampling:
        return self.sampling.model_copy(update={"reply_schema": DIAGNOSIS_SCHEMA}) if self.structured else self.sampling

    def follow_up(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """One more reply if no diagnosis has a majority yet, at a temperature of at least 0.7."""
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
    """Read the diagnosis of a solution with `count` steps from the last lines or the JSON of a reply."""
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
    # The last verdict counts: `correct` may refer to a step before the verdict on the whole solution.
    return (
        tagged
        if STEP_PREFIX in last and TYPE_PREFIX in last
        else {"verdict": find_tagged_line(text, VERDICT_PREFIX), **tagged}
    )


def _most_voted(row: Row, replies: list[Completion]) -> tuple[Diagnosis, int]:
    """The most frequent diagnosis and its number of replies; an unreadable one only if all replies are."""
    counts = Counter(
        Diagnosis("unreadable") if reply.fault else parse_diagnosis(reply.text, len(row["steps"])) for reply in replies
    )
    ranked = sorted(counts, key=lambda each: (each.verdict == "unreadable", -counts[each], each.verdict, each[1:2]))
    return ranked[0], counts[ranked[0]]


def number_steps(row: Row) -> str:
    """The steps of a solution on one line each, with their numbers."""
    texts = (row["response"][step["start"] : step["end"]] for step in row["steps"])
    return "\n".join(f"{n}) {' '.join(text.split())}" for n, text in enumerate(texts, 1))
