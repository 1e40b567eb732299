"""How the pupil is built and taught: its size, its schedule, and the empty model."""

from typing import Any

from schemas.identity import FrozenModel


class PupilTraining(FrozenModel):
    """How the pupil is built and taught."""

    hidden_size: int = 192
    """Width of a layer."""
    layers: int = 6
    """As fast as 4 layers of 256; who judges a line must first work it out, then compare: that takes depth."""
    heads: int = 6
    """Attention heads of a layer."""
    feed_forward: int = 576
    """Width of the feed-forward part of a layer."""
    context: int = 512
    """Positions the exported model admits; lessons are shorter."""
    steps: int | None = None
    """Optimiser steps; None: as many as fit into `minutes`, decided when the decay begins."""
    minutes: float = 120.0
    """Training time, over all continuations."""
    micro_tokens: int = 3072
    """Tokens of one forward pass; one core's cache decides on a CPU, 65536 suits a GPU."""
    accumulation_steps: int = 2
    """Forward passes a step, shared out among the processes."""
    padded_lengths: tuple[int, ...] = (40, 64, 72, 80, 96, 128, 160, 208, 352)
    """Lengths that lessons are padded to; each that occurs is compiled once (20 to 30 s)."""
    learning_rate: float = 0.005
    """Peak learning rate of the matrices (Muon); embeddings and norms get `vector_rate` (AdamW)."""
    vector_learning_rate: float = 0.003
    """Highest learning rate of AdamW, which trains embeddings and norms."""
    warmup_steps: int = 80
    """Steps."""
    decay_share: float = 0.4
    """Share of the training in which the rate falls to zero in a line; it is constant before, so the end may move."""
    weight_decay: float = 0.05
    """Weight decay of the matrices."""
    seed: int = 7
    """Seed of the first weights and of the order of the examples."""
    start_model: str = ""
    """Folder of an exported pupil of the same architecture whose weights to begin with, instead of fresh ones."""
    use_compile: bool = True
    """Compile the model with `torch.compile`."""

    def resumable_fields(self) -> dict[str, Any]:
        """What must stay as it is over all continuations: everything but the length and the speed."""
        return self.model_dump(exclude={"steps", "minutes", "decay_share", "use_compile"})
