"""Trainings of ScaleQuest (arXiv:2410.18693): of a questioner on questions (QFT) and on pairs of them (QPO), and of a
scorer of difficulty.

They follow its sections 2.2, 2.3 and 2.4; "code" is what its authors released. Nothing here loads torch.
"""

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from schemas.identity import NotIdentity
from schemas.steps import TrainingStep


class FineTuning(TrainingStep):
    """What all trainings share: one pass over the data by AdamW, on a cosine."""

    learning_rate: float = Field(gt=0)
    """Peak learning rate; it falls to zero along a cosine."""
    warmup: float = Field(ge=0)
    """Steps in which the rate rises; below 1: their share of all steps."""
    batch: int = Field(ge=1)
    """Sequences, or pairs, of one optimiser step, over all processes."""
    max_tokens: int = Field(default=1024, ge=8)
    """Most tokens of a sequence; a question that is longer is left out and counted, never cut: it would have no end."""
    epochs: float = Field(default=1.0, gt=0)
    """Passes over the data: more of them cost diversity (appendix A)."""
    weight_decay: float = Field(default=0.0, ge=0)
    """0 in the code."""
    seed: int = 7
    """Of the order of the data."""
    micro_batch: Annotated[int, NotIdentity] = Field(default=1, ge=1)
    """Sequences, or pairs, in one forward pass of one process."""
    threads: Annotated[int, NotIdentity] = Field(default=0, ge=0)
    """On a CPU; 0: as many as torch thinks fit."""
    save_every: Annotated[int, NotIdentity] = Field(default=50, ge=1)
    """Steps between two checkpoints: what a killed training loses."""

    @model_validator(mode="after")
    def _check_batch(self) -> "FineTuning":
        if self.batch % (self.micro_batch * self.gpus):
            raise ValueError(
                f"a batch of {self.batch} is no multiple of micro_batch x gpus ({self.micro_batch} x {self.gpus}); "
                "change one"
            )
        return self


class QuestionFineTuning(FineTuning):
    """QFT: a solver learns to write questions and to end them, from questions without solutions.

    A causal model has a notion of likely questions; a bare prefix brings it out once the end of a question is taught.
    """

    label: ClassVar[str] = "question_fine_tuning"
    inputs: ClassVar[tuple[str, ...]] = ("questions",)
    """Column `question`; questions are packed into rows of `length` tokens, none is cut in two."""
    trainer: ClassVar[str] = "tasks.training.sft:train_on_questions"

    role: Annotated[str | None, NotIdentity] = "solver"
    """Whose model is trained; a recipe puts its generator here."""
    learning_rate: float = Field(default=2e-5, gt=0)
    """2e-5 (code; the paper does not say)."""
    warmup: float = Field(default=0.03, ge=0)
    """3 % of the steps (code)."""
    batch: int = Field(default=8, ge=1)
    """8 rows of 1,024 tokens: as many tokens as the authors' 32 rows of 256 (code), which cut long questions."""


class QuestionPreferenceOptimization(FineTuning):
    """QPO: of two questions the questioner learns to prefer the improved one, by DPO against itself as it was."""

    label: ClassVar[str] = "question_preference_optimization"
    inputs: ClassVar[tuple[str, ...]] = ("pairs",)
    """Columns `prompt`, `chosen` and `rejected`."""
    trainer: ClassVar[str] = "tasks.training.dpo:train_on_preferences"

    role: Annotated[str | None, NotIdentity] = "questioner"
    """Whose model is trained; a recipe puts its generator here."""
    learning_rate: float = Field(default=5e-7, gt=0)
    """5e-7 (appendix A)."""
    warmup: float = Field(default=20, ge=0)
    """20 steps (appendix A)."""
    batch: int = Field(default=128, ge=1)
    """128 pairs (appendix A)."""
    beta: float = Field(default=0.1, gt=0)
    """How dear it is to leave the reference: 0.1 (code; the paper does not say)."""
    sft_weight: float = Field(default=0.0, ge=0)
    """Weight of the chosen question's own loss beside that of the pair; 0 is DPO as in the paper. A small model that is
    only told what to avoid forgets how questions are written: the share of the garbled ones grows."""
    held_out: int = Field(default=100, ge=0)
    """Pairs that are not trained on but tell how many are ordered rightly: 100 (code)."""


class TrainDifficultyModel(FineTuning):
    """A scalar head on a language model learns fail rates from questions (ScaleQuest, section 2.4).

    The paper says of it: DeepSeekMath-7B-Base, mean squared error, fail rates on the questions of GSM8K and MATH. The
    numbers are ours, those of a usual fine-tuning. The head's value goes through a sigmoid, in training as in use.
    """

    label: ClassVar[str] = "train_difficulty_model"
    inputs: ClassVar[tuple[str, ...]] = ("difficulty",)
    """Columns `question` and `fail_rate`."""
    trainer: ClassVar[str] = "tasks.training.regression:train_on_fail_rates"

    role: Annotated[str | None, NotIdentity] = "prober"
    """Whose model is trained."""
    learning_rate: float = Field(default=1e-5, gt=0)
    """Highest learning rate."""
    warmup: float = Field(default=0.03, ge=0)
    """Share of the steps in which the learning rate rises."""
    batch: int = Field(default=64, ge=1)
    """Questions in one step."""
    epochs: float = Field(default=2.0, gt=0)
    """Passes over the data."""
    prompt_prefix: str = ""
    """What the model reads before a question; an opening token comes first where its tokeniser puts one there."""
    prompt_suffix: str = ""
    """What it reads after it, and in whose last token it sees the whole."""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """Share of the questions that are not trained on, but tell how good the prediction is."""
