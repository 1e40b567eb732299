"""Trainings that make a questioner of a solver: on questions alone (QFT), then on pairs of questions (QPO).

Both follow ScaleQuest (arXiv:2410.18693, sections 2.2 and 2.3); "code" is what its authors released.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar

import pyarrow as pa
from pydantic import Field, model_validator

from schemas.identity import NotIdentity
from schemas.steps import TrainingStep

Tables = Mapping[str, Iterable[pa.RecordBatch]]


class FineTuning(TrainingStep):
    """What both trainings share: one pass over the data by AdamW, on a cosine."""

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
                f"a batch of {self.batch} is no multiple of micro x gpus ({self.micro_batch} x {self.gpus}); change one"
            )
        return self


class QuestionFineTuning(FineTuning):
    """QFT: a solver learns to write questions and to end them, from questions without solutions.

    A causal model has a notion of likely questions; a bare prefix brings it out once the end of a question is taught.
    """

    label: ClassVar[str] = "question_fine_tuning"
    inputs: ClassVar[tuple[str, ...]] = ("questions",)

    role: Annotated[str | None, NotIdentity] = "solver"
    """Whose model is trained; a recipe puts its generator here."""
    learning_rate: float = Field(default=2e-5, gt=0)
    """2e-5 (code; the paper does not say)."""
    warmup: float = Field(default=0.03, ge=0)
    """3 % of the steps (code)."""
    batch: int = Field(default=8, ge=1)
    """8 rows of 1,024 tokens: as many tokens as the authors' 32 rows of 256 (code), which cut long questions."""

    def fit(
        self, tables: Tables, base: Path, out: Path, checkpoints: Path, report: Callable[[str], None]
    ) -> dict[str, float]:
        """Column `question` of `sample_questions`; questions are packed into rows of `length` tokens, none is cut in
        two."""
        from tasks.training import common, sft

        texts = (text for batch in tables["questions"] for text in batch.column("question").to_pylist())
        return sft.train_on_questions(self, texts, common.TrainingFolders(base, out, checkpoints), report)


class QuestionPreferenceOptimization(FineTuning):
    """QPO: of two questions the questioner learns to prefer the improved one, by DPO against itself as it was."""

    label: ClassVar[str] = "question_preference_optimization"
    inputs: ClassVar[tuple[str, ...]] = ("pairs",)

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

    def fit(
        self, tables: Tables, base: Path, out: Path, checkpoints: Path, report: Callable[[str], None]
    ) -> dict[str, float]:
        """Columns `prompt`, `chosen` and `rejected` of `pairs`."""
        from tasks.training import common, dpo

        pairs = (pair for batch in tables["pairs"] for pair in batch.to_pylist())
        return dpo.train_on_preferences(self, pairs, common.TrainingFolders(base, out, checkpoints), report)
