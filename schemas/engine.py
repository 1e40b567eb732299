"""What a model is to a stage: a prompt in, completions out; where the model runs is nobody's business here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Protocol, runtime_checkable
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from schemas.errors import EngineError
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

    def messages(self) -> list[dict[str, str]]:
        """What an instruct model reads: the instruction, constant over a stage, then the inputs under their names."""
        inputs = "\n\n".join(f"{name.replace('_', ' ').capitalize()}:\n{text}" for name, text in self.inputs.items())
        if not inputs:
            return [{"role": "user", "content": self.instruction}]
        return [{"role": "system", "content": self.instruction}, {"role": "user", "content": inputs}]


class Sampling(Frozen):
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


class Completion(Frozen):
    """One sample of one prompt."""

    text: str
    finish_reason: Literal["stop", "length"]
    """`stop`: the model ended its reply; `length`: it was cut off at `max_tokens`."""
    prompt_tokens: int
    """0 where the prompt was read for an earlier sample of the same request."""
    completion_tokens: int
    logprobs: tuple[float, ...] | None = None
    """Natural log-probability per completion token, when asked for."""


class Request(NamedTuple):
    """One row's question to a model; one sample is owed for each seed."""

    row: str
    """Its `row_id`, unique within a shard."""
    prompt: Prompt
    seeds: tuple[int, ...]
    samples: tuple[int, ...] = ()
    """Index of the sample that each seed stands for; empty: 0, 1, 2 ..."""

    def sampled(self) -> tuple[int, ...]:
        """`samples`, written out."""
        return self.samples or tuple(range(len(self.seeds)))


class Failure(NamedTuple):
    """Why a request got no reply and never will: not a judgement of the row but a failure of the work."""

    reason: str
    """A few words that can be counted, e.g. `context too long`."""
    error: str
    """What the server said, keys left out."""
    attempts: int = 1


Reply = list[Completion] | Failure
"""One completion a seed, in their order, or why there is none."""


class Watch:
    """What an engine asks and tells whoever streams from it, on any thread and at once. This one allows everything."""

    def allows(self) -> bool | None:
        """Whether one more request may be sent; None: ask again when something that is in flight has come back.

        A request that may not be sent is neither asked nor yielded.
        """
        return True

    def arrived(self, request: Request, reply: Reply) -> None:
        """Called with every reply before anybody reads it; it may hold some of the request's samples only."""


UNWATCHED = Watch()
"""For whoever wants to be asked and told nothing."""


@runtime_checkable
class Generator(Protocol):
    """An engine that writes."""

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, watch: Watch = ...
    ) -> Iterator[tuple[Request, Reply]]:
        """Yield every request once with its reply, in the order in which the replies come.

        Raises `EngineError` where no request can be answered: no server, a key that is refused, no money left.
        """

    def close(self) -> None:
        """Give memory, threads and child processes back. May be called twice."""


def generate(
    engine: Generator, prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[Sequence[int]]
) -> list[list[Completion]]:
    """Completions of all prompts, in order; `seeds[i][j]` seeds sample j of prompt i.

    Raises `EngineError` where a request fails: for callers to whom a part of the replies is of no use.
    """
    requests = [Request(str(i), p, tuple(s)) for i, (p, s) in enumerate(zip(prompts, seeds, strict=True))]
    made: dict[str, list[Completion]] = {}
    for request, reply in engine.stream(requests, sampling):
        if isinstance(reply, Failure):
            raise EngineError(f"{request.prompt.stage}: {reply.reason}: {reply.error}")
        made[request.row] = reply
    return [made[request.row] for request in requests]


@runtime_checkable
class Scorer(Protocol):
    """An engine that judges: the probability that the model answers `yes`, in [0, 1]."""

    def rate(self, requests: Sequence[Request], watch: Watch = ...) -> Iterator[tuple[Request, Reply]]:
        """Like `Generator.stream`; a reply is one completion, its text the probability as `repr` writes it."""

    def close(self) -> None:
        """Give memory, threads and child processes back. May be called twice."""


def score(engine: Scorer, prompts: Sequence[Prompt]) -> list[float]:
    """The probability that the model answers `yes` to each prompt, in [0, 1]; `EngineError` where a request fails."""
    requests = [Request(str(i), prompt, (0,)) for i, prompt in enumerate(prompts)]
    made: dict[str, float] = {}
    for request, reply in engine.rate(requests):
        if isinstance(reply, Failure):
            raise EngineError(f"{request.prompt.stage}: {reply.reason}: {reply.error}")
        made[request.row] = float(reply[0].text)
    return [made[request.row] for request in requests]


class Priced(Frozen):
    """What every engine may cost; money is no part of an identity."""

    usd_per_million_in: Annotated[float, Where] = Field(default=0.0, ge=0)
    """US dollars for a million prompt tokens."""
    usd_per_million_out: Annotated[float, Where] = Field(default=0.0, ge=0)
    """US dollars for a million completion tokens."""


class EmbeddedSpec(Priced):
    """A CTranslate2 model directory with the tokenizer files of its origin."""

    kind: Literal["embedded"] = "embedded"
    path: Annotated[str, Where] = "data/models/pupil/int8"
    """The directory. Its content is the identity, not its place: see `infra.engines.pin`."""
    digest: str = ""
    """Content digest of the directory; set by `infra.engines.pin`, and checked on loading."""
    compute_type: str = "int8"
    max_batch_size: Annotated[int, Where] = 32
    """Prompts in one forward pass."""
    threads: Annotated[int, Where] = 1


class HttpSpec(Priced):
    """A model behind any server that speaks OpenAI's protocol."""

    kind: Literal["http"]
    model: str
    """As the server calls it."""
    base_url: Annotated[tuple[str, ...], Where, Field(min_length=1)]
    """One or several, e.g. `https://api.example.com/v1` (https where none is given); the least busy one is asked."""
    form: Literal["chat", "tagged"] = "chat"
    """`chat`: messages to `/chat/completions`; `tagged`: the text that the pupil reads, to `/completions`."""
    extra: Mapping[str, Any] = {}
    """More fields for the body of every request, e.g. `{"reasoning_effort": "low"}`."""
    key_from: Annotated[str, Where] = ""
    """Name of the environment variable that holds the key; empty: no key is sent."""
    slots: Annotated[int, Where] = Field(default=256, ge=1)
    """Most requests in flight, from one worker."""
    floor: Annotated[int, Where] = Field(default=4, ge=1)
    """Fewest requests in flight that a server which complains brings the window down to."""
    deadline: Annotated[float, Where] = Field(default=600.0, gt=0)
    """Seconds for one attempt, after which it counts as failed."""
    attempts: Annotated[int, Where] = Field(default=6, ge=1)
    """For one request, before its row is quarantined."""
    patience: Annotated[float, Where] = Field(default=60.0, gt=0)
    """Seconds without any server that answers, after which the run stops."""
    many: Annotated[bool, Where] = True
    """The server takes `n`: all samples of a row in one request."""

    @field_validator("base_url", mode="before")
    @classmethod
    def _one_or_several(cls, urls: Any) -> Any:
        return (urls,) if isinstance(urls, str) else urls

    @field_validator("base_url")
    @classmethod
    def _urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        whole = tuple(url if "://" in url else f"https://{url}" for url in urls)
        for url in whole:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s,]", url):
                raise ValueError(f"{url!r} is no http or https url; several of them are a list")
            _ = parts.port  # raises ValueError where it is no number
            if parts.username or parts.password:
                raise ValueError("a base_url holds no user and no password; name the key's variable in key_from")
        return whole


class VllmSpec(Priced):
    """A model in this worker, through vLLM: one engine on one GPU or several, or on the CPU."""

    kind: Literal["vllm"]
    model: str = ""
    """Its name on a model hub; or give `path`."""
    revision: str = ""
    """Commit of a model from a hub; empty: the newest, which may be another one tomorrow."""
    path: Annotated[str, Where] = ""
    """A directory of safetensors with its tokenizer. Its content is the identity, not its place."""
    digest: str = ""
    """Content digest of that directory; set by `infra.engines.pin`, and checked on loading."""
    dtype: str = "auto"
    """Type of weights and activations: `auto`, `bfloat16`, `float16`, `float32`."""
    quantization: str = ""
    """As vLLM calls it, e.g. `fp8`; empty: what the model itself says."""
    max_model_len: int = Field(default=0, ge=0)
    """Longest prompt with its reply, in tokens; 0: what the model was made for."""
    pooling: bool = False
    """A reward model or classifier, which scores and writes nothing."""
    device: Annotated[Literal["cuda", "cpu"], Where] = "cuda"
    """What the installed vLLM was built for."""
    tensor_parallel_size: Annotated[int, Where] = Field(default=1, ge=1)
    """GPUs that share each layer."""
    gpu_memory_fraction: Annotated[float, Where] = Field(default=0.9, gt=0, le=1)
    """Of each GPU, for weights and cache together."""
    cache_gib: Annotated[float, Where] = Field(default=0.0, ge=0)
    """For the cache of keys and values, in GiB; 0: what the fraction leaves, on a CPU what vLLM thinks fit."""
    offload_gib: Annotated[float, Where] = Field(default=0.0, ge=0)
    """Of weights that wait in main memory for their turn on each GPU, in GiB."""
    eager: Annotated[bool, Where] = False
    """Compile nothing: a quick start, slower replies."""
    max_num_seqs: Annotated[int, Where] = Field(default=256, ge=1)
    """Most samples in one forward pass."""
    slots: Annotated[int, Where] = Field(default=512, ge=1)
    """Most requests in flight: more than a forward pass holds, so that one that ends is followed at once."""
    stall: Annotated[float, Where] = Field(default=300.0, gt=0)
    """Seconds without a token for any request in flight, after which the engine is restarted."""

    @model_validator(mode="after")
    def _one_model(self) -> "VllmSpec":
        if bool(self.model) == bool(self.path):
            raise ValueError("name a model on a hub (model) or give its directory (path), one of the two")
        return self

    @property
    def gpus(self) -> int:
        """How many it keeps busy; none on a CPU."""
        return self.tensor_parallel_size if self.device == "cuda" else 0


class RegressorSpec(Priced):
    """A model with a scalar head in this worker, through transformers: it scores and writes nothing."""

    kind: Literal["regressor"]
    path: Annotated[str, Where] = ""
    """A directory of safetensors with one label, and its tokenizer. Its content is the identity, not its place; empty
    where a training of the recipe makes it."""
    digest: str = ""
    """Content digest of that directory; set by `infra.engines.pin`, and checked on loading."""
    bound: Literal["sigmoid", "clip"] = "sigmoid"
    """How the head's value, which knows no bounds, comes to lie in [0, 1]; `clip` suits a head that was trained on bare
    fail rates, as the paper's (ScaleQuest, section 2.4)."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of weights and activations."""
    max_batch_tokens: Annotated[int, Where] = Field(default=8192, ge=1)
    """Tokens of one forward pass, padding included; a longer question goes alone."""
    device: Annotated[Literal["cuda", "cpu"], Where] = "cpu"
    threads: Annotated[int, Where] = Field(default=1, ge=1)
    """On a CPU."""

    @property
    def gpus(self) -> int:
        """How many it keeps busy."""
        return int(self.device == "cuda")


Spec = Annotated[EmbeddedSpec | HttpSpec | VllmSpec | RegressorSpec, Field(discriminator="kind")]
"""Every kind of engine that a profile may name for a role; told apart by `kind`."""
