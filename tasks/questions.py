"""Stages that make and filter questions: write one from nothing, judge whether it can be solved, improve it."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import model_validator

from schemas import questions
from schemas.engine import Completion, Prompt, Sampling
from schemas.work import Quarantine, Reject, Row
from tasks.ask import Ask, Outcome, tagged_line

VERDICT = "Verdict:"
"""Opens the last line of a judgement, followed by yes or no."""


JUDGEMENT: dict[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "verdict": {"enum": ["yes", "no"]}},
    "required": ["reason", "verdict"],
}
"""JSON schema of a structured judgement."""


def verdict(text: str) -> bool | None:
    """The verdict that a judgement ends in, written as a last line or as JSON; None when it reaches none."""
    word = tagged_line(text, VERDICT)
    if text.lstrip().startswith("{"):
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            word = json.loads(text).get("verdict")
    return {"yes": True, "no": False}.get(str(word).lower().strip(" .*`\"'"))


class WriteQuestion(Ask):
    """A question from nothing: the model is given no topic, so its questions are its own."""

    table: ClassVar[pa.Schema] = questions.SCHEMA
    role: str | None = "questioner"
    sampling: Sampling = Sampling(temperature=1.0, max_tokens=256)

    def prompt(self, row: Row) -> Prompt:
        return self.ask()

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        yield from written(row, replies)


class JudgeSolvable(Ask):
    """Keeps a question that the model finds solvable, after a short reason; several samples are a panel that votes."""

    table: ClassVar[pa.Schema] = questions.SCHEMA
    role: str | None = "judge"
    sampling: Sampling = Sampling(max_tokens=160)
    structured: bool = False
    """Hold the model to a JSON object of reason and verdict; for engines that can (http, vllm)."""

    @model_validator(mode="after")
    def _no_echo(self) -> "JudgeSolvable":
        if self.sampling.n > 1 and self.sampling.temperature == 0:
            raise ValueError("greedy samples are all equal, and so is no panel; set a temperature above 0")
        return self

    def prompt(self, row: Row) -> Prompt:
        return self.ask(question=row["question"])

    def first(self) -> Sampling:
        return self.sampling.model_copy(update={"reply_schema": JUDGEMENT}) if self.structured else self.sampling

    def again(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """Judgements without a verdict are asked for once more, warmer: a greedy reply would be the same again."""
        silent = [verdict(reply.text) for reply in replies].count(None)
        if not silent or len(replies) > self.sampling.n:
            return None
        warmer = max(self.sampling.temperature, 0.7)
        return self.first().model_copy(update={"n": silent, "temperature": warmer})

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        votes = [verdict(reply.text) for reply in replies]
        if votes.count(True) > votes.count(False):
            yield {"row_id": row["row_id"], "question": row["question"]}
        elif False in votes:
            yield Reject(row, "unsolvable")
        else:
            yield Quarantine(row, "no verdict", f"the last judgement ends in {replies[-1].text[-80:]!r}", len(replies))


class RewriteQuestion(Ask):
    """An improved question: clear, complete and solvable."""

    table: ClassVar[pa.Schema] = questions.SCHEMA
    role: str | None = "questioner"
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=256)

    def prompt(self, row: Row) -> Prompt:
        return self.ask(question=row["question"])

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        yield from written(row, replies)


def written(row: Row, replies: list[Completion]) -> Iterator[Outcome]:
    """A question for each reply that came to its end."""
    for sample, reply in enumerate(replies):
        text = reply.text.strip()
        if reply.finish_reason == "length":
            yield Reject(row, "cut_off")
        elif not text:
            yield Reject(row, "empty")
        else:
            yield {"row_id": f"{row['row_id']}/{sample}", "question": text}
