"""Configuration of the trainings of ScaleQuest (arXiv:2410.18693): of a questioner on questions (QFT) and on pairs of
questions (QPO), and of a difficulty model.

They follow its sections 2.2, 2.3 and 2.4; "code" refers to the authors' release. This module does not load torch.
"""

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from schemas.identity import NotIdentity
from schemas.steps import TrainingStep


class FineTuning(TrainingStep):
    """The settings that all trainings share: AdamW with a cosine schedule."""

    learning_rate: float = Field(gt=0)
    """Peak learning rate; it falls to zero along a cosine."""
    warmup: float = Field(ge=0)
    """Number of steps in which the learning rate rises to its peak. A value below 1 is a share of all steps; 0:
    none."""
    batch: int = Field(ge=1)
    """Number of sequences, or pairs, per optimiser step, over all processes."""
    max_tokens: int = Field(default=1024, ge=8)
    """Most tokens of a training sequence. Longer questions are left out and counted, because cut off they would have no
    end."""
    epochs: float = Field(default=1.0, gt=0)
    """Number of passes over the training data. More passes reduce diversity (ScaleQuest, appendix A)."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Weight decay of AdamW: 0 in ScaleQuest's code."""
    seed: int = 7
    """Seed of the random order of the training data."""
    micro_batch: Annotated[int, NotIdentity] = Field(default=1, ge=1)
    """Number of sequences, or pairs, in one forward pass of one process."""
    threads: Annotated[int, NotIdentity] = Field(default=0, ge=0)
    """Number of CPU threads of a training; 0 lets torch decide."""
    save_every: Annotated[int, NotIdentity] = Field(default=50, ge=1)
    """Number of steps between two checkpoints; a training that is killed loses at most as many."""

    @model_validator(mode="after")
    def _check_batch(self) -> "FineTuning":
        if self.batch % (self.micro_batch * self.gpus):
            raise ValueError(
                f"a batch of {self.batch} is no multiple of micro_batch x gpus ({self.micro_batch} x {self.gpus}); "
                "change one"
            )
        return self


class QuestionFineTuning(FineTuning):
    """QFT: trains a solver to write questions and to end them, on questions without solutions.

    A causal model knows likely questions already. It writes them after a bare prefix once it has learned to end them.
    """

    label: ClassVar[str] = "question_fine_tuning"
    version: ClassVar[int] = 2
    inputs: ClassVar[tuple[str, ...]] = ("questions",)
    """The table `questions` has the column `question`. Whole questions are packed into rows of `max_tokens`."""
    trainer: ClassVar[str] = "tasks.training.sft:train_on_questions"

    role: Annotated[str | None, NotIdentity] = "solver"
    """Role whose model is trained; the recipe puts its generator here."""
    learning_rate: float = Field(default=2e-5, gt=0)
    """Peak learning rate: 2e-5 in the authors' code; the paper does not say."""
    warmup: float = Field(default=0.03, ge=0)
    """Number of steps in which the learning rate rises to its peak; below 1, a share of all steps: 0.03 in the authors'
    code."""
    batch: int = Field(default=8, ge=1)
    """Number of rows per optimiser step. 8 rows of 1,024 tokens are as many tokens as the 32 rows of 256 in the
    authors' code, which cut long questions."""


class QuestionPreferenceOptimization(FineTuning):
    """QPO: trains the questioner by DPO to prefer the improved one of two questions. The reference is the base."""

    label: ClassVar[str] = "question_preference_optimization"
    version: ClassVar[int] = 2
    inputs: ClassVar[tuple[str, ...]] = ("pairs",)
    """The table `pairs` has the columns `prompt`, `chosen` and `rejected`."""
    trainer: ClassVar[str] = "tasks.training.dpo:train_on_preferences"

    role: Annotated[str | None, NotIdentity] = "questioner"
    """Role whose model is trained; the recipe puts its generator here."""
    learning_rate: float = Field(default=5e-7, gt=0)
    """Peak learning rate: 5e-7 in the paper (appendix A)."""
    warmup: float = Field(default=20.0, ge=0)
    """Number of steps in which the learning rate rises to its peak: 20 in the paper (appendix A). A value below 1 is a
    share of all steps."""
    batch: int = Field(default=128, ge=1)
    """Number of pairs per optimiser step: 128 in the paper (appendix A)."""
    beta: float = Field(default=0.1, gt=0)
    """Strength of the penalty for moving away from the reference model: 0.1 in the authors' code; the paper does not
    say."""
    sft_weight: float = Field(default=0.0, ge=0)
    """Weight of the language-model loss on the chosen question, added to that of the pair; 0: none, which is DPO as in
    the paper. Without it a small model forgets how to write questions: the share of garbled ones grows."""
    held_out: int = Field(default=100, ge=0)
    """Number of pairs held out of training, to measure how many the model orders correctly: 100 in the authors'
    code."""

    def count_held_out(self, rows: int) -> int:
        """How many of `rows` pairs are kept back."""
        return self.held_out


class TrainDifficultyModel(FineTuning):
    """Trains a scalar head on a language model to predict fail rates from questions (ScaleQuest, section 2.4).

    The paper states the base (DeepSeekMath-7B-Base), the loss (mean squared error) and the data (fail rates on GSM8K
    and MATH). The other settings are ours, and usual for fine-tuning. The head's value passes through a sigmoid, in
    training and in use.
    """

    label: ClassVar[str] = "train_difficulty_model"
    inputs: ClassVar[tuple[str, ...]] = ("difficulty",)
    """The table `difficulty` has the columns `question` and `fail_rate`."""
    trainer: ClassVar[str] = "tasks.training.regression:train_on_fail_rates"

    role: Annotated[str | None, NotIdentity] = "prober"
    """Role whose model is trained to predict the fail rates of questions."""
    learning_rate: float = Field(default=1e-5, gt=0)
    """Peak learning rate; it falls to zero along a cosine. The paper gives none."""
    warmup: float = Field(default=0.03, ge=0)
    """Number of steps in which the learning rate rises to its peak; below 1, a share of all steps. The paper gives
    none."""
    batch: int = Field(default=64, ge=1)
    """Number of questions per optimiser step. The paper gives none."""
    epochs: float = Field(default=2.0, gt=0)
    """Number of passes over the questions. The paper gives none."""
    prompt_prefix: str = ""
    """Text before each question; empty: none. If the tokeniser adds an opening token, that comes first."""
    prompt_suffix: str = ""
    """Text after each question; empty: none. The head reads the last token of the whole text."""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """Share of the questions held out of training, to measure the quality of the predictions; 0: none."""

    def count_held_out(self, rows: int) -> int:
        """How many of `rows` questions are kept back."""
        return round(self.held_out * rows)
