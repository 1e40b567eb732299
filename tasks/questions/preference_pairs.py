"""Makes pairs of questions for preference training (QPO): improves each sampled question once, and rejects failures."""

from collections.abc import Iterator
from random import Random
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.engine import Completion
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.row_ids import child_id
from schemas.steps import Merge
from schemas.tables import question_preferences
from tasks.base.ask import Ask, Outcome, load_instruction
from tasks.questions.question_faults import Fault
from tasks.questions.question_text import read_question


class ImproveQuestion(Ask):
    """Improves a question once, for solvability or for difficulty; the direction is drawn for each row.

    Prompts for solvability have the tag of `RewriteQuestion`, on which the pupil was trained. The pupil was not trained
    to make questions harder.
    """

    label: ClassVar[str] = "improve_question"
    tag: ClassVar[str] = "rewrite_question"
    version: ClassVar[int] = 4
    table: ClassVar[pa.Schema] = question_preferences.QUESTION_REWRITES

    role: str | None = "teacher"
    """Role of the model that improves the questions."""
    harder_template: str = load_instruction("harden_question")
    """Instruction for making a question harder; `template` is the instruction for making it solvable."""
    harder_share: float = Field(default=0.5, ge=0, le=1)
    """Share of questions to make harder. The paper draws one of the two directions (section 2.3); it gives no share."""
    seed: int = 0
    """Seed of the random choice between making a question harder and making it solvable."""
    max_words: int = Field(default=300, ge=1)
    """Most words of a rewritten question; longer ones are rejected. Not in the paper, which also trains on rewrites
    that are no longer questions."""
    sampling: Sampling = Sampling(max_tokens=4096)
    """How rewrites are sampled: greedy, at most 4,096 tokens (the authors' code)."""

    def choose_direction(self, row: Row) -> str:
        """The direction of a row. It depends only on the seed and the row id."""
        return "difficulty" if Random(f"{self.seed}/{row['row_id']}").random() < self.harder_share else "solvability"

    def prompt(self, row: Row) -> Prompt:
        inputs = {"question": row["question"]}
        if self.choose_direction(row) == "difficulty":
            return Prompt(stage="harden_question", inputs=inputs, instruction=self.harder_template)
        return Prompt(stage=self.tag, inputs=inputs, instruction=self.template)

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        for sample, reply in enumerate(replies):
            question = read_question(reply.text)
            if reply.fault:
                yield Reject(row, "too_long" if reply.fault == "cut_off" else reply.fault)
            elif isinstance(question, Fault):
                yield Reject(row, question.reason)
            elif len(question.split()) > self.max_words:
                yield Reject(row, "too_long")
            elif _normalize(question) == _normalize(row["question"]):
                yield Reject(row, "unchanged")
            else:
                yield {
                    "row_id": child_id(row["row_id"], sample),
                    "question": question,
                    "original": row["question"],
                    "direction": self.choose_direction(row),
                }


class KeepUnsolvable(Merge):
    """Keeps the questions that a judge did not find solvable, so that there is something to improve.

    The paper rewrites every question. A small rewriter changes the names in a good question and calls that an
    improvement; such pairs would outnumber those that show what makes a question solvable.
    """

    label: ClassVar[str] = "keep_unsolvable"
    inputs: ClassVar[tuple[str, ...]] = ("questions", "solvable")

    def sql(self) -> str:
        """`solvable` holds the questions that a judge kept."""
        return """
            SELECT questions.*, CASE WHEN solvable.row_id IS NOT NULL THEN 'solvable' END AS reject
            FROM questions LEFT JOIN solvable USING (row_id) ORDER BY row_id
        """


class PairQuestions(Merge):
    """Pairs each rewrite (chosen) with its original (rejected). Drops rewrites that were not judged solvable."""

    label: ClassVar[str] = "pair_questions"
    inputs: ClassVar[tuple[str, ...]] = ("rewrites", "solvable")

    def sql(self) -> str:
        """`solvable` holds the rewrites that a judge kept."""
        return """
            SELECT rewrites.row_id, '' AS prompt, rewrites.question AS chosen, rewrites.original AS rejected,
                rewrites.direction AS direction, CASE WHEN solvable.row_id IS NULL THEN 'unsolvable' END AS reject
            FROM rewrites LEFT JOIN solvable USING (row_id) ORDER BY row_id
        """


def _normalize(text: str) -> str:
    """The text in lower case with single blanks; a rewrite that differs only in these is unchanged."""
    return " ".join(text.lower().split())
