"""What a model is to a stage: a prompt in, completions out; where the model runs is nobody's business here."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Protocol, runtime_checkable

from schemas.work import Frozen, Where


class Prompt(Frozen):
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

    def tagged(self) -> str:
        """The text the pupil reads: `<solve><question>How many ...<reply>`."""
        return f"<{self.stage}>" + "".join(f"<{k}>{v}" for k, v in self.inputs.items()) + "<reply>"


class Sampling(Frozen):
    """How a model is sampled. Part of the identity of every stage that asks."""

    n: int = 1
    """Samples per prompt."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    max_tokens: int = 512
    """Longest reply in tokens; a reply that hits it ends with finish reason `length`."""
    logprobs: bool = False
    """Return the log-probability of each sampled token."""


class Completion(Frozen):
    """One sample of one prompt."""

    text: str
    finish_reason: Literal["stop", "length"]
    """`stop`: the model ended its reply; `length`: it was cut off at `max_tokens`."""
    prompt_tokens: int
    completion_tokens: int
    logprobs: tuple[float, ...] | None = None
    """Natural log-probability per completion token, when asked for."""


@runtime_checkable
class Generator(Protocol):
    """An engine that writes. `seeds[i][j]` seeds sample j of prompt i."""

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[Sequence[int]]
    ) -> list[list[Completion]]:
        """Return `sampling.n` completions for each prompt, in order."""

    def close(self) -> None:
        """Give memory, threads and child processes back. May be called twice."""


@runtime_checkable
class Scorer(Protocol):
    """An engine that judges: the probability that the model answers `yes`, in [0, 1]."""

    def score(self, prompts: Sequence[Prompt]) -> list[float]:
        """Return one score a prompt, in order."""

    def close(self) -> None:
        """Give memory, threads and child processes back. May be called twice."""


class EmbeddedSpec(Frozen):
    """A CTranslate2 model directory with the tokenizer files of its origin."""

    kind: Literal["embedded"] = "embedded"
    path: Annotated[str, Where] = "data/models/pupil/int8"
    """The directory. Its content is the identity, not its place: see `infra.engines.pin`."""
    digest: str = ""
    """Content digest of the directory; set by `infra.engines.pin`, and checked on loading."""
    compute_type: str = "int8"
    max_batch_size: Annotated[int, Where] = 128
    """Prompts in one forward pass."""
    threads: Annotated[int, Where] = 1


Spec = EmbeddedSpec
"""Every kind of engine that a profile may name for a role; told apart by `kind`."""
