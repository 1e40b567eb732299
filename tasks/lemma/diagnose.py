"""Diagnoses wrong solutions: the teacher, asked twice, names the first wrong step and the type of its error."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar

import pyarrow as pa

from schemas.engine import Completion
from schemas.outcomes import Quarantine, Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.tables import diagnoses
from tasks.base.ask import Ask, Outcome
from tasks.lemma.diagnosis_reply import UNREADABLE, Diagnosis, DiagnosisReply, parse_diagnosis

STEP_PREFIX, TYPE_PREFIX = "Step:", "Type:"
"""Open the last two lines of a diagnosis: the first wrong step, and the type of its error."""


class Diagnose(Ask):
    """Takes the step and type that most replies name. If two replies differ, it asks again; the paper asks once.

    A row is rejected if its solution is called correct, if the step does not exist, or if the replies do not agree: its
    answer is wrong, and the place of the error is unknown.
    """

    label: ClassVar[str] = "diagnose"
    tag: ClassVar[str] = "diagnose"
    carries_user_columns: ClassVar[bool] = True
    version: ClassVar[int] = 3
    table: ClassVar[pa.Schema] = diagnoses.SCHEMA
    role: str | None = "teacher"
    """Role of the model that finds the error."""
    sampling: Sampling = Sampling(n=2, temperature=0.7, max_tokens=4096)
    """How the teacher is sampled. Temperature, top-p and length are the paper's (appendix A.3.1)."""
    structured: bool = True
    """Whether engines that can (http, vllm) must enforce a JSON object with reason, verdict, step, its first words and
    type. The others are asked for text."""

    def prompt(self, row: Row) -> Prompt:
        """The shipped model reads the steps with numbers, as it was trained; instruct models read labels."""
        steps = split_attempt(row)
        prompt = self.make_prompt(question=row["question"], reference=row["reference"], attempt=number_steps(steps))
        return prompt.model_copy(update={"chat_inputs": {"attempt": label_steps(steps)}})

    def initial_sampling(self) -> Sampling:
        schema = DiagnosisReply.schema_of_reply()
        return self.sampling.model_copy(update={"reply_schema": schema}) if self.structured else self.sampling

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


def _most_voted(row: Row, replies: list[Completion]) -> tuple[Diagnosis, int]:
    """The most frequent diagnosis and its number of replies; an unreadable one only if all replies are."""
    steps = split_attempt(row)
    counts = Counter(UNREADABLE if reply.fault else parse_diagnosis(reply.text, steps) for reply in replies)
    ranked = sorted(counts, key=lambda each: (each.verdict == "unreadable", -counts[each], each.verdict, each[1:2]))
    return ranked[0], counts[ranked[0]]


def split_attempt(row: Row) -> list[str]:
    """The steps of a solution, each on one line."""
    return [" ".join(row["response"][step["start"] : step["end"]].split()) for step in row["steps"]]


def number_steps(steps: Sequence[str]) -> str:
    """The steps on one line each, numbered as the shipped model was trained to read them."""
    return "\n".join(f"{n}) {step}" for n, step in enumerate(steps, 1))


def label_steps(steps: Sequence[str]) -> str:
    """The steps on one line each, with labels that no student writes: `[S2] 3 + 4 = 7`."""
    return "\n".join(f"[S{n}] {step}" for n, step in enumerate(steps, 1))
