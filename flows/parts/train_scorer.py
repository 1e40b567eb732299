"""From a language model to a scorer of difficulty: it learns the fail rates of questions (ScaleQuest, section 2.4)."""

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
    """How a scorer is made. The paper names the models: fail rates of DeepSeekMath-7B-RL, learnt by its base model."""

    questions: int = Field(default=15_000, ge=1)
    """Questions whose fail rates are learnt, where no corpus is named (the paper: GSM8K and MATH, 14,973)."""
    fail_rate: FailRate = FailRate(sampling=Sampling(n=8, temperature=1.6, top_p=0.95, max_tokens=2048))
    """What is learnt; as in DART-Math, whose labels the paper follows. Its n is not told."""
    train: TrainDifficultyModel = TrainDifficultyModel(role="difficulty")
    """The training, from the model that plays its role."""
    shard_rows: Annotated[int, NotIdentity] = Field(default=512, ge=1)
    """Questions a shard."""


def check_scorer(run: Run, recipe: ScorerTraining, role: str) -> None:
    """Raises `BadInput` where a role is missing, or the engine that plays `role` could not load the scorer."""
    run.require_trainable(role)
    run.require_roles(recipe.fail_rate, recipe.train)


def train_scorer(run: Run, recipe: ScorerTraining, corpus: Table | None) -> Receipt:
    """The scorer; `corpus` has a column `question`, and `answer` where answers are known. None: sound problems of the
    proving ground."""
    if corpus is None:
        empty_rows = run.empty_rows(recipe.questions, recipe.shard_rows, id_prefix="scorer:")
        corpus = run.map(DrawProblem(solvable=True), empty_rows)
    return run.train(recipe.train, run.map(recipe.fail_rate, corpus))
