"""Which engine plays a role: one model of fields for each kind."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from schemas.identity import FrozenModel, NotIdentity


class PricedSpec(FrozenModel):
    """What every engine may cost; money is no part of an identity."""

    usd_per_million_in: Annotated[float, NotIdentity] = Field(default=0.0, ge=0)
    """US dollars for a million prompt tokens."""
    usd_per_million_out: Annotated[float, NotIdentity] = Field(default=0.0, ge=0)
    """US dollars for a million completion tokens."""


class EmbeddedSpec(PricedSpec):
    """A CTranslate2 model directory with the tokenizer files of its origin."""

    kind: Literal["embedded"] = "embedded"
    path: Annotated[str, NotIdentity] = "data/models/pupil/int8"
    """The directory. Its content is the identity, not its place: see `infra.engines.pin`."""
    digest: str = ""
    """Content digest of the directory; set by `infra.engines.pin`, and checked on loading."""
    compute_type: str = "int8"
    max_batch_size: Annotated[int, NotIdentity] = 32
    """Prompts in one forward pass."""
    threads: Annotated[int, NotIdentity] = 1


class HttpSpec(PricedSpec):
    """A model behind any server that speaks OpenAI's protocol."""

    kind: Literal["http"]
    model: str
    """As the server calls it."""
    base_url: Annotated[tuple[str, ...], NotIdentity, Field(min_length=1)]
    """One or several, e.g. `https://api.example.com/v1` (https where none is given); the least busy one is asked."""
    api: Literal["chat", "tagged"] = "chat"
    """`chat`: messages to `/chat/completions`; `tagged`: the text that the pupil reads, to `/completions`."""
    extra_body: Mapping[str, Any] = {}
    """More fields for the body of every request, e.g. `{"reasoning_effort": "low"}`."""
    key_from: Annotated[str, NotIdentity] = ""
    """Name of the environment variable that holds the key; empty: no key is sent."""
    max_in_flight: Annotated[int, NotIdentity] = Field(default=256, ge=1)
    """Most requests in flight, from one worker."""
    min_in_flight: Annotated[int, NotIdentity] = Field(default=4, ge=1)
    """Fewest requests in flight that a server which complains brings the window down to."""
    deadline: Annotated[float, NotIdentity] = Field(default=600.0, gt=0)
    """Seconds for one attempt, after which it counts as failed."""
    max_attempts: Annotated[int, NotIdentity] = Field(default=6, ge=1)
    """For one request, before its row is quarantined."""
    outage_seconds: Annotated[float, NotIdentity] = Field(default=60.0, gt=0)
    """Seconds without any server that answers, after which the run stops."""
    supports_n: Annotated[bool, NotIdentity] = True
    """The server takes `n`: all samples of a row in one request."""

    @field_validator("base_url", mode="before")
    @classmethod
    def _as_tuple(cls, urls: Any) -> Any:
        return (urls,) if isinstance(urls, str) else urls

    @field_validator("base_url")
    @classmethod
    def _check_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        full_urls = tuple(url if "://" in url else f"https://{url}" for url in urls)
        for url in full_urls:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s,]", url):
                raise ValueError(f"{url!r} is no http or https url; several of them are a list")
            _ = parts.port  # raises ValueError where it is no number
            if parts.username or parts.password:
                raise ValueError("a base_url holds no user and no password; name the key's variable in key_from")
        return full_urls


class VllmSpec(PricedSpec):
    """A model in this worker, through vLLM: one engine on one GPU or several, or on the CPU."""

    kind: Literal["vllm"]
    model: str = ""
    """Its name on a model hub; or give `path`."""
    revision: str = ""
    """Commit of a model from a hub; empty: the newest, which may be another one tomorrow."""
    path: Annotated[str, NotIdentity] = ""
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
    device: Annotated[Literal["cuda", "cpu"], NotIdentity] = "cuda"
    """What the installed vLLM was built for."""
    tensor_parallel_size: Annotated[int, NotIdentity] = Field(default=1, ge=1)
    """GPUs that share each layer."""
    gpu_memory_fraction: Annotated[float, NotIdentity] = Field(default=0.9, gt=0, le=1)
    """Of each GPU, for weights and cache together."""
    kv_cache_gib: Annotated[float, NotIdentity] = Field(default=0.0, ge=0)
    """For the cache of keys and values, in GiB; 0: what the fraction leaves, on a CPU what vLLM thinks fit."""
    offload_gib: Annotated[float, NotIdentity] = Field(default=0.0, ge=0)
    """Of weights that wait in main memory for their turn on each GPU, in GiB."""
    enforce_eager: Annotated[bool, NotIdentity] = False
    """Compile nothing: a quick start, slower replies."""
    max_num_seqs: Annotated[int, NotIdentity] = Field(default=256, ge=1)
    """Most samples in one forward pass."""
    max_in_flight: Annotated[int, NotIdentity] = Field(default=512, ge=1)
    """Most requests in flight: more than a forward pass holds, so that one that ends is followed at once."""
    stall_seconds: Annotated[float, NotIdentity] = Field(default=300.0, gt=0)
    """Seconds without a token for any request in flight, after which the engine is restarted."""

    @model_validator(mode="after")
    def _check_one_model(self) -> "VllmSpec":
        if bool(self.model) == bool(self.path):
            raise ValueError("name a model on a hub (model) or give its directory (path), one of the two")
        return self

    @property
    def gpus(self) -> int:
        """How many it keeps busy; none on a CPU."""
        return self.tensor_parallel_size if self.device == "cuda" else 0


class RegressorSpec(PricedSpec):
    """A model with a scalar head in this worker, through transformers: it scores and writes nothing."""

    kind: Literal["regressor"]
    path: Annotated[str, NotIdentity] = ""
    """A directory of safetensors with one label, and its tokenizer; where a recipe trains the model, any language model
    that the training may start from. Its content is the identity, not its place."""
    digest: str = ""
    """Content digest of that directory; set by `infra.engines.pin`, and checked on loading."""
    bound: Literal["sigmoid", "clip"] = "sigmoid"
    """How the head's value, which knows no bounds, comes to lie in [0, 1]; `clip` suits a head that was trained on bare
    fail rates, as the paper's (ScaleQuest, section 2.4)."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of weights and activations."""
    max_batch_tokens: Annotated[int, NotIdentity] = Field(default=8192, ge=1)
    """Tokens of one forward pass, padding included; a longer question goes alone."""
    device: Annotated[Literal["cuda", "cpu"], NotIdentity] = "cpu"
    threads: Annotated[int, NotIdentity] = Field(default=1, ge=1)
    """On a CPU."""

    @property
    def gpus(self) -> int:
        """How many it keeps busy."""
        return int(self.device == "cuda")


EngineSpec = Annotated[EmbeddedSpec | HttpSpec | VllmSpec | RegressorSpec, Field(discriminator="kind")]
"""Every kind of engine that a profile may name for a role; told apart by `kind`."""
