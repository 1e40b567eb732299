"""Scores solutions with a reward model."""

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa

from schemas.outcomes import Row
from schemas.prompts import Prompt
from schemas.tables import answers
from tasks.base.ask import Outcome
from tasks.base.score import Score


class ScoreAnswer(Score):
    """Rewards each solution by the probability that the model judges it correct."""

    label: ClassVar[str] = "score_answer"
    tag: ClassVar[str] = "judge_answer"
    table: ClassVar[pa.Schema] = answers.REWARDS
    role: str | None = "reward"
    """Role of the reward model that scores the solutions."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"], solution=row["solution"])

    def score(self, row: Row, probability: float) -> Iterator[Outcome]:
        yield {"row_id": row["row_id"], "reward": probability}
