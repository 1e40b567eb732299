"""Scores solutions with a reward model."""

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa

from schemas.engine import Completion
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt
from schemas.tables import answers
from tasks.base.ask import Outcome
from tasks.base.score import Score
from tasks.verification.verify import OPEN_THOUGHT, read_response


class ScoreAnswer(Score):
    """Rewards each solution by the probability that the model judges it correct.

    The model does not see what was thought before a solution. A solution whose thought never ends is rejected.
    """

    label: ClassVar[str] = "score_answer"
    version: ClassVar[int] = 2
    tag: ClassVar[str] = "judge_answer"
    table: ClassVar[pa.Schema] = answers.REWARDS
    role: str | None = "reward"
    """Role of the reward model that scores the solutions."""

    def prompt(self, row: Row) -> Prompt | None:
        return self.prompt_without_thought(row["question"], row["solution"])

    def prompt_without_thought(self, question: str, text: str) -> Prompt | None:
        """The prompt about a solution without its thought; None if the thought never ends."""
        solution = read_response(text)
        return None if solution is None else self.make_prompt(question=question, solution=solution)

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        if replies:
            yield from super().parse(row, replies)
        else:
            yield Reject(row, OPEN_THOUGHT)

    def score(self, row: Row, probability: float) -> Iterator[Outcome]:
        yield {"row_id": row["row_id"], "reward": probability}
