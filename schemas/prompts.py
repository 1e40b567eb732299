"""What a model is asked: the prompt, and how its reply is sampled."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from schemas.identity import FrozenModel


class Prompt(FrozenModel):
    """One question to one model: the stage's instruction and its named inputs.

    Instruct models read both, through their chat template. The pupil reads the stage's tag and the inputs only
    (it was taught the stages by name), so rewording an instruction never needs a retraining.
    """

    stage: str
    """Name of the asking stage, e.g. `solve`."""
    inputs: Mapping[str, str] = {}
    """Named inputs in order, e.g. `{"question": "..."}`. Empty for a question from nothing."""
    instruction: str = ""
    """What an instruct model is told; constant over a stage, so that servers can cache the prefix."""

    def as_plain(self) -> dict[str, Any]:
        """Everything that any model reads of it, as plain JSON."""
        return {"stage": self.stage, "inputs": list(self.inputs.items()), "instruction": self.instruction}

    def to_tagged_text(self) -> str:
        """The text the pupil reads: `<solve><question>How many ...<reply>`."""
        return f"<{self.stage}>" + "".join(f"<{k}>{v}" for k, v in self.inputs.items()) + "<reply>"

    def to_messages(self) -> list[dict[str, str]]:
        """What an instruct model reads: the instruction, constant over a stage, then the inputs under their names."""
        inputs = "\n\n".join(f"{name.replace('_', ' ').capitalize()}:\n{text}" for name, text in self.inputs.items())
        if not inputs:
            return [{"role": "user", "content": self.instruction}]
        return [{"role": "system", "content": self.instruction}, {"role": "user", "content": inputs}]


class Sampling(FrozenModel):
    """How a model is sampled. Part of the identity of every stage that asks."""

    n: int = Field(default=1, ge=1)
    """Samples per prompt."""
    temperature: float = Field(default=0.0, ge=0)
    """0 is greedy."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Share of the probability that is sampled from, the likeliest tokens first; 1: all."""
    max_tokens: int = Field(default=512, ge=1)
    """Longest reply in tokens; a reply that hits it ends with finish reason `length`."""
    logprobs: bool = False
    """Return the log-probability of each sampled token."""
    reply_schema: Mapping[str, Any] = {}
    """JSON schema that the reply must fit, where the engine can hold a model to one; empty: free text."""
