"""Pairs of questions to learn from: each sampled question is improved once; what is no improvement is turned down."""

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


class ImproveQuestion(Ask):
    """One improvement of a question, towards solvability or difficulty; the direction is drawn for each row.

    Towards solvability it asks under the name of `RewriteQuestion`, which the pupil was taught; it was taught nothing
    of difficulty.
    """

    label: ClassVar[str] = "improve_question"
    tag: ClassVar[str] = "rewrite_question"
    table: ClassVar[pa.Schema] = question_preferences.QUESTION_REWRITES

    role: str | None = "teacher"
    """Which model improves the questions."""
    harder_template: str = load_instruction("harden_question")
    """The instruction towards difficulty; `template` is the one towards solvability."""
    harder_share: float = Field(default=0.5, ge=0, le=1)
    """Share of questions to make harder; the paper draws one of the two (section 2.3) and does not say how often."""
    seed: int = 0
    """Of the directions."""
    max_words: int = Field(default=300, ge=1)
    """Words of a rewrite. Not in the paper, where a rewrite that is no question any more is learned from as well."""
    sampling: Sampling = Sampling(max_tokens=4096)
    """Greedy, at most 4,096 tokens (the authors' code)."""

    def choose_direction(self, row: Row) -> str:
        """The direction of a row: the same in every process, whatever else is in the shard."""
        return "difficulty" if Random(f"{self.seed}/{row['row_id']}").random() < self.harder_share else "solvability"

    def prompt(self, row: Row) -> Prompt:
        inputs = {"question": row["question"]}
        if self.choose_direction(row) == "difficulty":
            return Prompt(stage="harden_question", inputs=inputs, instruction=self.harder_template)
        return Prompt(stage=self.tag, inputs=inputs, instruction=self.template)

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        for sample, reply in enumerate(replies):
            text = reply.text.strip()
            if reply.finish_reason == "length" or len(text.split()) > self.max_words:
                yield Reject(row, "too_long")
            elif not text:
                yield Reject(row, "empty")
            elif _normalize(text) == _normalize(row["question"]):
                yield Reject(row, "unchanged")
            else:
                yield {
                    "row_id": child_id(row["row_id"], sample),
                    "question": text,
                    "original": row["question"],
                    "direction": self.choose_direction(row),
                }


class KeepUnsolvable(Merge):
    """Keeps the questions that a judge did not find solvable: those in which there is something to mend.

    The paper rewrites every question. A small rewriter changes the names of a good one and calls that an improvement,
    and such pairs outnumber those that show what solvable means.
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
    """Chosen: the rewrite; rejected: the question that it improves. A rewrite that was not judged solvable is none."""

    label: ClassVar[str] = "pair_questions"
    inputs: ClassVar[tuple[str, ...]] = ("rewrites", "solvable")

    def sql(self) -> str:
        """`solvable` holds the rewrites that a judge kept."""
        return """
            SELECT rewrites.row_id, '' AS prompt, rewrites.question AS chosen, original AS rejected, direction,
                CASE WHEN solvable.row_id IS NULL THEN 'unsolvable' END AS reject
            FROM rewrites LEFT JOIN solvable USING (row_id) ORDER BY row_id
        """


def _normalize(text: str) -> str:
    """Without case and superfluous blanks: what differs by no more is no other question."""
    return " ".join(text.lower().split())
