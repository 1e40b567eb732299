"""How the pupil is built and taught: its size, its schedule, and the empty model."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from schemas.work import Frozen


class Schooling(Frozen):
    """How the pupil is built and taught."""

    hidden: int = 192
    layers: int = 6
    """As fast as 4 layers of 256; who judges a line must first work it out, then compare: that takes depth."""
    heads: int = 6
    feed_forward: int = 576
    context: int = 512
    """Positions the exported model admits; lessons are shorter."""
    steps: int | None = None
    """Optimiser steps; None: as many as fit into `minutes`, decided when the decay begins."""
    minutes: float = 120.0
    """Training time, over all continuations."""
    micro_tokens: int = 3072
    """Tokens of one forward pass; one core's cache decides on a CPU, 65536 suits a GPU."""
    accumulate: int = 2
    """Forward passes a step, shared out among the processes."""
    widths: tuple[int, ...] = (40, 64, 72, 80, 96, 128, 160, 208, 352)
    """Lengths that lessons are padded to; each that occurs is compiled once (20 to 30 s)."""
    rate: float = 0.005
    """Peak learning rate of the matrices (Muon); embeddings and norms get `vector_rate` (AdamW)."""
    vector_rate: float = 0.003
    warmup: int = 80
    """Steps."""
    decay: float = 0.4
    """Share of the training in which the rate falls to zero in a line; it is constant before, so the end may move."""
    weight_decay: float = 0.05
    seed: int = 7
    start: str = ""
    """Folder of an exported pupil of the same architecture whose weights to begin with, instead of fresh ones."""
    compiled: bool = True

    def lasting(self) -> dict[str, Any]:
        """What must stay as it is over all continuations: everything but the length and the speed."""
        return self.model_dump(exclude={"steps", "minutes", "decay", "compiled"})


class Clock(Frozen):
    """Where a training stands; the learning rate depends on nothing else."""

    step: int = 0
    seconds: float = 0.0
    """Spent in training so far, over all continuations."""
    tokens: int = 0
    """Read so far, padding left out."""
    end: int | None = None
    """The last step, fixed when the decay begins."""

    def rate(self, schooling: Schooling) -> float:
        """Share of the peak rate: warm-up, constant, then a line down to zero."""
        rising = min(1.0, (self.step + 1) / schooling.warmup)
        if self.end is None:
            return rising
        return rising * min(1.0, max(0.0, self.end - self.step) / (self.end * schooling.decay))

    def fixed(self, schooling: Schooling) -> "Clock":
        """The same, with the end fixed if it is time for the decay."""
        if self.end is not None:
            return self
        if schooling.steps is not None:
            return self.model_copy(update={"end": schooling.steps})
        begin = (1 - schooling.decay) * schooling.minutes * 60
        if self.seconds < begin or self.step == 0:
            return self
        return self.model_copy(update={"end": round(self.step / (1 - schooling.decay))})


def make_model(schooling: Schooling, vocabulary: int) -> LlamaForCausalLM:
    """A Llama with fresh weights, the same for the same seed."""
    torch.manual_seed(schooling.seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=schooling.hidden,
        num_hidden_layers=schooling.layers,
        intermediate_size=schooling.feed_forward,
        num_attention_heads=schooling.heads,
        num_key_value_heads=schooling.heads,
        max_position_embeddings=schooling.context,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=2,
        use_cache=False,
        attn_implementation="sdpa",
    )
    return LlamaForCausalLM(config)


def inherit(model: LlamaForCausalLM, folder: Path, tokenizer: Path) -> None:
    """Take the weights of an exported model; tokens are matched by spelling, so the vocabulary may have changed.

    Raises ValueError when `folder` holds no model of this architecture.
    """
    try:
        old = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()
        words = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    except Exception as error:
        raise ValueError(f"no model to begin with in {folder}: {error}") from error
    new = model.state_dict()
    pairs = [(i, words[word]) for word, i in Tokenizer.from_file(str(tokenizer)).get_vocab().items() if word in words]
    here, there = (torch.tensor(side) for side in zip(*pairs, strict=True))
    with torch.no_grad():
        for name, tensor in new.items():
            if "embed" in name or "lm_head" in name:
                tensor[here] = old[name][there]
            elif name in old and old[name].shape == tensor.shape:
                tensor.copy_(old[name])
            else:
                raise ValueError(f"{folder} has another architecture: {name} differs")
