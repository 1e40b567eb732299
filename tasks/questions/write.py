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
from tasks.questions.question_faults import Fault
from tasks.questions.question_text import REPLY_FORMAT, read_question


class WriteQuestion(Ask):
    """Writes a question from an empty prompt: the model is given no topic or example."""

    label: ClassVar[str] = "write_question"
    tag: ClassVar[str] = "write_question"
    version: ClassVar[int] = 4
    table: ClassVar[pa.Schema] = questions.SCHEMA
    role: str | None = "questioner"
    """Role of the model that writes the questions."""
    sampling: Sampling = Sampling(temperature=1.0, max_tokens=256)
    """How the questioner is sampled."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt().model_copy(update={"reply_format": REPLY_FORMAT})

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        yield from parse_questions(row, replies)


class RewriteQuestion(Ask):
    """Rewrites a question to make it clear, complete and solvable."""

    label: ClassVar[str] = "rewrite_question"
    tag: ClassVar[str] = "rewrite_question"
    version: ClassVar[int] = 4
    table: ClassVar[pa.Schema] = questions.SCHEMA
    role: str | None = "questioner"
    """Role of the model that rewrites the questions."""
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=256)
    """How the questioner is sampled."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"]).model_copy(update={"reply_format": REPLY_FORMAT})

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        yield from parse_questions(row, replies)


def parse_questions(row: Row, replies: list[Completion]) -> Iterator[Outcome]:
    """Make a question of each reply; reject replies that are cut off, and those that hold more than a question."""
    for sample, reply in enumerate(replies):
        if reply.fault:
            yield Reject(row, reply.fault)
        elif isinstance(question := read_question(reply.text), Fault):
            yield Reject(row, question.reason)
        else:
            yield {"row_id": child_id(row["row_id"], sample), "question": question}
