"""The configuration of a training of the pupil: its architecture, its optimisation and its length."""

from typing import Any

from schemas.identity import FrozenModel


class PupilTraining(FrozenModel):
    """Architecture, optimisation and length of a training."""

    hidden_size: int = 192
    """Number of dimensions of the hidden states."""
    layers: int = 6
    """Number of transformer layers. Six of 192 dimensions are as fast as four of 256, and judging takes depth: first
    work a line out, then compare."""
    heads: int = 6
    """Number of attention heads in each layer."""
    feed_forward: int = 576
    """Number of dimensions inside the feed-forward layers."""
    context: int = 512
    """Context length of the exported model, in tokens; examples are shorter."""
    steps: int | None = None
    """Number of optimiser steps. None: as many as fit into `minutes`, fixed when the decay begins."""
    minutes: float = 120.0
    """Training time in minutes, over all continuations. Not used if `steps` is set."""
    micro_tokens: int = 3072
    """Number of tokens of one forward pass, padding included. The default fits the cache of one core; 65536 suits a
    GPU."""
    accumulation_steps: int = 2
    """Number of forward passes per optimiser step, divided among the processes."""
    padded_lengths: tuple[int, ...] = (40, 64, 72, 80, 96, 128, 160, 208, 352)
    """Lengths, in tokens, to which examples are padded. Compiling for each takes 20 to 30 s."""
    learning_rate: float = 0.005
    """Peak learning rate of the matrices (Muon)."""
    vector_learning_rate: float = 0.003
    """Peak learning rate of embeddings and norms (AdamW)."""
    warmup_steps: int = 80
    """Number of steps in which the learning rate rises to its peak."""
    decay_share: float = 0.4
    """Share of the training in which the learning rate falls linearly to zero. It is constant before, so the end may
    move."""
    weight_decay: float = 0.05
    """Weight decay of the matrices (Muon)."""
    seed: int = 7
    """Seed of the fresh weights and of the order of the examples."""
    start_model: str = ""
    """Folder of an exported pupil of the same architecture, whose weights the training starts from. Empty: fresh
    weights."""
    use_compile: bool = True
    """Whether the model is compiled with `torch.compile`."""

    def resumable_fields(self) -> dict[str, Any]:
        """Fields that must not change when a training is continued: all but those of its length and speed."""
        return self.model_dump(exclude={"steps", "minutes", "decay_share", "use_compile"})
