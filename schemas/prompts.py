"""The prompt that a model reads, and how its reply is sampled."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.identity import FrozenModel, NotIdentity

Layout = Literal["system_user", "user", "boxed"]
"""How a chat prompt is laid out: instruction and inputs in two turns, both in the user's turn, or `boxed`."""
SOLVE_TAG = "solve"
"""Tag of the stages that ask for the solution of a question."""
BOXED_REQUEST = r"Think it through step by step, then give the final answer inside \boxed{}."
"""Follows the question in the layout `boxed`."""


class Prompt(FrozenModel):
    """One question to one model: the stage's instruction and its named inputs.

    Instruct models read both, through their chat template. The shipped model reads only the stage's tag and the inputs,
    because it was trained on the tags. So rewording an instruction never needs a new training.
    """

    stage: str
    """Tag of the stage that asks, e.g. `solve`."""
    inputs: Mapping[str, str] = {}
    """Named inputs in order, e.g. `{"question": "..."}`; empty if the model writes without any input."""
    instruction: str = ""
    """Instruction for an instruct model. It is constant over a stage, so that servers can cache the prefix."""
    chat_inputs: Mapping[str, str] = {}
    """Inputs that instruct models read instead of those of the same name; empty: they read the same.

    They are no part of `as_plain`, and so of no seed: they are another form of the same row, as a stage's code writes
    it. Where that form changes, the instruction that speaks of it changes with it."""
    reply_format: str = ""
    """How an instruct model shall write its reply down. It follows the instruction, and is no part of `as_plain`: the
    parser reads replies with and without the format, so that naming one asks no question anew."""

    def as_plain(self) -> dict[str, Any]:
        """What is asked, as plain JSON: everything that the seeds of the replies depend on."""
        return {"stage": self.stage, "inputs": list(self.inputs.items()), "instruction": self.instruction}

    def to_tagged_text(self) -> str:
        """The text that the shipped model reads: `<solve><question>How many ...<reply>`."""
        return f"<{self.stage}>" + "".join(f"<{k}>{v}" for k, v in self.inputs.items()) + "<reply>"

    def to_messages(self, layout: "Layout" = "system_user") -> list[dict[str, str]]:
        """The chat messages that an instruct model reads: the instruction, then the inputs under their names.

        `user`: both in one user turn, for templates that know no system turn. `boxed`: the same, but a question to
        solve comes first, and is followed by a request for the answer in a box, as models for mathematics were trained.
        """
        instruction = f"{self.instruction} {self.reply_format}".strip()
        texts = {name: self.chat_inputs.get(name, text) for name, text in self.inputs.items()}
        inputs = "\n\n".join(f"{name.replace('_', ' ').capitalize()}:\n{text}" for name, text in texts.items())
        if layout == "boxed" and self.stage == SOLVE_TAG:
            return [{"role": "user", "content": f"{texts.get('question', inputs)}\n{BOXED_REQUEST}"}]
        if not inputs:
            return [{"role": "user", "content": instruction}]
        if layout in ("user", "boxed"):
            return [{"role": "user", "content": f"{instruction}\n\n{inputs}"}]
        return [{"role": "system", "content": instruction}, {"role": "user", "content": inputs}]


class Sampling(FrozenModel):
    """How a model is sampled. It counts for the identity of every stage that asks a model."""

    n: int = Field(default=1, ge=1)
    """Number of replies to sample for each prompt."""
    temperature: float = Field(default=0.0, ge=0)
    """Sampling temperature; 0 is greedy decoding."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Share of the probability whose likeliest tokens are sampled from (nucleus sampling); 1: all tokens."""
    max_tokens: int = Field(default=512, ge=1)
    """Most tokens of a reply. A reply that reaches this limit is cut off, with finish reason `length`."""
    logprobs: bool = False
    """Whether the engine returns the log-probability of each sampled token."""
    top_k: int = Field(default=0, ge=0)
    """Number of the likeliest tokens that are sampled from; 0: all tokens."""
    min_p: float = Field(default=0.0, ge=0, le=1)
    """Least probability of a token that may be sampled, as a share of that of the likeliest token; 0: no limit."""
    presence_penalty: float = Field(default=0.0, ge=-2, le=2)
    """Amount subtracted from the logit of every token that the reply already holds; 0: nothing."""
    frequency_penalty: float = Field(default=0.0, ge=-2, le=2)
    """Amount subtracted from the logit of a token for each time that the reply already holds it; 0: nothing."""
    repetition_penalty: float = Field(default=1.0, gt=0)
    """Factor by which the logit of every token of prompt and reply is divided; 1: nothing is changed."""
    stop: tuple[str, ...] = ()
    """Texts that end the reply in addition to the model's own end tokens; empty: none. They are left out of the
    reply."""
    thinking: bool | None = None
    """Whether a model that can do both thinks before it replies (`enable_thinking` of its chat template). None: the
    template's own default."""
    reply_schema: Annotated[Mapping[str, Any], NotIdentity] = {}
    """JSON schema that the reply must fit, if the engine supports constrained decoding; empty: free text. It says how
    the reply is written and not what is asked, so it does not count for the identity."""

    def identity_facts(self) -> dict[str, Any]:
        """The place of `reply_schema`, which identities of earlier releases hold."""
        return {"reply_schema": {}}
