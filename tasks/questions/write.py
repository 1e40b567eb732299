"""Stages that write new questions and improve given ones."""

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
    """Writes a question from an empty prompt: the model is given no topic or example."""

    label: ClassVar[str] = "write_question"
    tag: ClassVar[str] = "write_question"
    table: ClassVar[pa.Schema] = questions.SCHEMA
    role: str | None = "questioner"
    """Role of the model that writes the questions."""
    sampling: Sampling = Sampling(temperature=1.0, max_tokens=256)
    """How the questioner is sampled."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt()

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        yield from parse_questions(row, replies)


class RewriteQuestion(Ask):
    """Rewrites a question to make it clear, complete and solvable."""

    label: ClassVar[str] = "rewrite_question"
    tag: ClassVar[str] = "rewrite_question"
    table: ClassVar[pa.Schema] = questions.SCHEMA
    role: str | None = "questioner"
    """Role of the model that rewrites the questions."""
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=256)
    """How the questioner is sampled."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"])

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        yield from parse_questions(row, replies)


def parse_questions(row: Row, replies: list[Completion]) -> Iterator[Outcome]:
    """Make a question of each reply; reject replies that are cut off or empty."""
    for sample, reply in enumerate(replies):
        text = reply.text.strip()
        if reply.fault:
            yield Reject(row, reply.fault)
        elif not text:
            yield Reject(row, "empty")
        else:
            yield {"row_id": child_id(row["row_id"], sample), "question": text}
