"""Stages that make and filter questions: write one from nothing, judge whether it can be solved, improve it."""

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa

from schemas.engine import Completion
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.row_ids import child_id
from schemas.tables import questions
from tasks.base.ask import Ask, Outcome


class WriteQuestion(Ask):
    """A question from nothing: the model is given no topic, so its questions are its own."""

    label: ClassVar[str] = "write_question"
    tag: ClassVar[str] = "write_question"
    table: ClassVar[pa.Schema] = questions.SCHEMA
    role: str | None = "questioner"
    """Which model writes the questions."""
    sampling: Sampling = Sampling(temperature=1.0, max_tokens=256)
    """How the questioner is sampled."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt()

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        yield from parse_questions(row, replies)


class RewriteQuestion(Ask):
    """An improved question: clear, complete and solvable."""

    label: ClassVar[str] = "rewrite_question"
    tag: ClassVar[str] = "rewrite_question"
    table: ClassVar[pa.Schema] = questions.SCHEMA
    role: str | None = "questioner"
    """Which model rewrites the questions."""
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=256)
    """How the questioner is sampled."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"])

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        yield from parse_questions(row, replies)


def parse_questions(row: Row, replies: list[Completion]) -> Iterator[Outcome]:
    """A question for each reply that came to its end."""
    for sample, reply in enumerate(replies):
        text = reply.text.strip()
        if reply.finish_reason == "length":
            yield Reject(row, "cut_off")
        elif not text:
            yield Reject(row, "empty")
        else:
            yield {"row_id": child_id(row["row_id"], sample), "question": text}
