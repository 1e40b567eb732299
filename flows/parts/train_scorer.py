"""Trains a language model to predict difficulty, from the fail rates of questions (ScaleQuest, section 2.4)."""

from typing import Annotated

from pydantic import Field

from flows.run.run import Run, Table
from schemas.identity import FrozenModel, NotIdentity
from schemas.prompts import Sampling
from schemas.receipts import Receipt
from tasks.proving_ground.draw_problems import DrawProblem
from tasks.questions.difficulty import FailRate
from tasks.training.config import TrainDifficultyModel


class ScorerTraining(FrozenModel):
    """How the scorer is trained. In the paper, the base model of DeepSeekMath-7B-RL learns that model's fail rates."""

    questions: int = Field(default=15_000, ge=1)
    """Number of questions to learn from, drawn from the proving ground if no corpus is named (paper: GSM8K and MATH,
    14,973)."""
    fail_rate: FailRate = FailRate(sampling=Sampling(n=8, temperature=1.6, top_p=0.95, max_tokens=2048))
    """How fail rates are measured. The paper follows DART-Math and does not state its number of samples."""
    train: TrainDifficultyModel = TrainDifficultyModel(role="difficulty")
    """How the scorer is trained on the fail rates; it starts from the model of this step's role."""
    shard_rows: Annotated[int, NotIdentity] = Field(default=512, ge=1)
    """Number of questions in each shard, the unit that one task processes and commits."""


def check_scorer(run: Run, recipe: ScorerTraining, role: str) -> None:
    """Raises `BadInput` if a role is missing, or the engine of `role` could not load the scorer."""
    run.require_trainable(role)
    run.require_roles(recipe.fail_rate, recipe.train)


def train_scorer(run: Run, recipe: ScorerTraining, corpus: Table | None) -> Receipt:
    """Train the scorer; returns the receipt of the model.

    `corpus` has a column `question`, and may have a column `answer`. If it is None, solvable problems of the proving
    ground are drawn.
    """
    if corpus is None:
        empty_rows = run.empty_rows(recipe.questions, recipe.shard_rows, id_prefix="scorer:")
        corpus = run.map(DrawProblem(solvable=True), empty_rows)
    return run.train(recipe.train, run.map(recipe.fail_rate, corpus))
