"""The settings of the engine that plays a role: one class for each kind of engine."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from schemas.identity import FrozenModel, NotIdentity
from schemas.prompts import Layout

# matches "${AZURE_KEY}", not "$AZURE_KEY"
VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
"""How a setting names the environment variable that holds its value."""
# matches "api-key", "Authorization", "access_token", not "api-version"
_SECRET_NAME = re.compile(r"(^|[-_])(api)?(key|auth(orization)?|token|secret|password|cookie)([-_]|$)", re.I)


def is_secret(name: str) -> bool:
    """Whether the value of a header or parameter of this name is a secret."""
    return bool(_SECRET_NAME.search(name))


class PricedSpec(FrozenModel):
    """The price of an engine's tokens. Prices are not part of its identity."""

    usd_per_million_in: Annotated[float, NotIdentity] = Field(default=0.0, ge=0)
    """Price of a million prompt tokens in US dollars."""
    usd_per_million_out: Annotated[float, NotIdentity] = Field(default=0.0, ge=0)
    """Price of a million completion tokens in US dollars."""


class ChatModelSpec(PricedSpec):
    """How a model in the worker is asked for text."""

    layout: Layout | Literal["auto", "tagged", "bare"] = "auto"
    """How a prompt is laid out. `auto`: instruction and inputs in two turns, or both in the user's turn where the chat
    template refuses or drops a system turn; the shipped model reads tagged text. `tagged`: always tagged text. `bare`:
    only the beginning of a user's turn, which the model continues with a question of its own, as in the paper
    (ScaleQuest, section 2.1)."""
    system_turn: str = ""
    """The system turn before a bare user's turn, e.g. `You are a helpful maths tutor.`; empty: the template's own."""
    thinks: bool = False
    """Whether the model thinks before it replies unless its chat template is told not to. Scores are then asked for
    with `enable_thinking = false`."""
    thought_tokens: int = Field(default=0, ge=0)
    """Tokens that a reply may take for its thought, in addition to the `max_tokens` of the stage that asks: 8,000 to
    32,000 for models that think. 0: the stage's limit holds for thought and reply together."""
    reasoning_marks: tuple[tuple[str, str], ...] = ()
    """What opens and what closes the model's thoughts, in addition to the marks that are known, e.g.
    `[["<scratchpad>", "</scratchpad>"]]`."""

    @model_validator(mode="after")
    def _check_system_turn(self) -> Self:
        if self.system_turn and self.layout != "bare":
            raise ValueError("system_turn is only used with layout = 'bare'; leave one of them out")
        return self


class RewardModelSpec(PricedSpec):
    """How the score of a reward model is read."""

    trust_remote_code: bool = False
    """Whether code that comes with the model may run on this machine. Models of a design of their own need it; read
    the code first."""
    reward_token: str = ""
    """Token at which the score is read; it is appended to the text, e.g. `[UNUSED_TOKEN_130]` for InternLM2's reward
    models. Empty: the last token of the text."""
    step_token: str = ""
    """Token after each step at which a process reward model scores it, e.g. `<extra_0>`. Steps are parted by blank
    lines; where there is none, each line is a step."""
    step_scores: Literal["", "min", "product", "last"] = ""
    """How the scores of the steps make one: the lowest, their product, or that of the last step."""

    @model_validator(mode="after")
    def _check_step_fields(self) -> Self:
        if bool(self.step_token) != bool(self.step_scores):
            raise ValueError("a process reward model needs both step_token and step_scores; other models need neither")
        if self.step_token and self.reward_token:
            raise ValueError("a score is read at each step (step_token) or at the end (reward_token), not both")
        return self


def _expand_home(path: Any) -> Any:
    return os.path.expanduser(path) if isinstance(path, str) and path.startswith("~") else path


FolderPath = Annotated[str, BeforeValidator(_expand_home)]
"""Path of a folder; `~` at its beginning stands for the home directory."""


class EmbeddedSpec(ChatModelSpec):
    """A CTranslate2 model that runs on the worker's CPU: its directory, with the original model's tokenizer files."""

    kind: Literal["embedded"] = "embedded"
    path: Annotated[FolderPath, NotIdentity] = "data/models/pupil/int8"
    """Directory of the model. Its content counts for the identity, its location does not."""
    digest: str = ""
    """Content digest of the directory. It is set when the run starts, and checked when the model is loaded."""
    compute_type: str = "int8"
    """Numeric type of the computation, by CTranslate2's names, e.g. `int8` or `float32`."""
    max_model_len: int = Field(default=0, ge=0)
    """Most tokens of a prompt and its reply together; 0: `model_max_length` of the model's tokenizer_config.json, or no
    limit if it names none. Converted weights do not say it."""
    max_batch_size: Annotated[int, NotIdentity] = 32
    """Most prompts in one forward pass."""
    threads: Annotated[int, NotIdentity] = 1
    """CPU threads of one forward pass."""


class HttpSpec(PricedSpec):
    """A model on any server that speaks the OpenAI protocol."""

    kind: Literal["http"]
    model: str
    """Name of the model, as the server calls it."""
    base_url: Annotated[tuple[str, ...], NotIdentity, Field(min_length=1)]
    """One or more server urls, e.g. `https://api.example.com/v1` (https is assumed if no scheme is given). Each request
    goes to the least busy server. A url may end with a query, e.g. `?api-version=2024-10-21`."""
    api: Literal["chat", "tagged"] = "chat"
    """Which API is called. `chat` sends messages to `/chat/completions`; `tagged` sends the shipped model's tagged
    text to `/completions`."""
    extra_body: Mapping[str, Any] = {}
    """Additional fields for the body of every request, e.g. `{"reasoning_effort": "low"}`."""
    drop: Annotated[tuple[str, ...], NotIdentity] = ()
    """Fields that are never sent, because the server refuses them, e.g. `["seed", "top_p"]`."""
    rename: Annotated[Mapping[str, str], NotIdentity] = {}
    """Fields that the server calls otherwise, e.g. `{"max_tokens": "max_completion_tokens"}`."""
    headers: Annotated[Mapping[str, str], NotIdentity] = {}
    """Additional headers of every request. `${NAME}` is replaced by the environment variable NAME, so that no secret
    stands in the profile: `{"api-key": "${AZURE_KEY}"}`."""
    query: Annotated[Mapping[str, str], NotIdentity] = {}
    """Additional parameters after the `?` of every request, e.g. `{"api-version": "2024-10-21"}`; `${NAME}` as in
    `headers`."""
    structured: Annotated[bool, NotIdentity] = True
    """Whether the server is asked to hold replies to the JSON schema of the stage that asks. One that refuses this is
    asked again without it."""
    thinks: bool = False
    """Whether the model thinks before it replies unless its chat template is told not to. Scores are then asked for
    with `enable_thinking = false`."""
    thought_tokens: int = Field(default=0, ge=0)
    """Tokens that a reply may take for its thought, in addition to the `max_tokens` of the stage that asks: 8,000 to
    32,000 for models that think. 0: the stage's limit holds for thought and reply together."""
    layout: Layout | Literal["auto", "bare"] = "auto"
    """How a chat prompt is laid out. `auto`: instruction and inputs in two turns, or both in the user's turn if the
    server refuses a system turn. `boxed`: as models for mathematics were trained. `bare`: only `bare_prefix`, sent to
    `/completions`, which the model continues with a question of its own, as in the paper (ScaleQuest, section 2.1)."""
    bare_prefix: str = ""
    """What the model's chat template writes before the text of the first user's turn, with its system turn if there is
    one, e.g. `<|im_start|>user\\n`. `python -m infra.engines.common.bare_prefix DIRECTORY` prints it, with the text
    that ends the turn, from the directory of the model's tokenizer."""
    reasoning_marks: tuple[tuple[str, str], ...] = ()
    """What opens and what closes the model's thoughts, in addition to the marks that are known, e.g.
    `[["<scratchpad>", "</scratchpad>"]]`."""
    score_api: Literal["chat", "pooling", "score", "classify"] = "chat"
    """How scores are asked for. `chat`: the probability of `yes` as the first token of a reply; the others: the
    endpoints of that name of a vLLM server with a reward model or classifier."""
    key_from: Annotated[str, NotIdentity] = ""
    """Name of the environment variable that holds the API key; empty: no key is sent."""
    max_in_flight: Annotated[int, NotIdentity] = Field(default=256, ge=1)
    """Most requests in flight from one worker."""
    min_in_flight: Annotated[int, NotIdentity] = Field(default=4, ge=1)
    """Fewest requests in flight when an overloaded server makes the worker slow down."""
    deadline: Annotated[float, NotIdentity] = Field(default=600.0, gt=0)
    """Seconds after which one attempt counts as failed."""
    max_attempts: Annotated[int, NotIdentity] = Field(default=6, ge=1)
    """Attempts of one request before its row is quarantined."""
    outage_seconds: Annotated[float, NotIdentity] = Field(default=60.0, gt=0)
    """Seconds without an answer from any server, after which the run stops."""
    supports_n: Annotated[bool, NotIdentity] = True
    """Whether one request asks for all samples of a row, by `n`. A server that refuses or ignores it is noticed, and is
    asked for each sample; `false` spares the first attempt."""

    @field_validator("headers", "query")
    @classmethod
    def _check_secrets(cls, values: Mapping[str, str]) -> Mapping[str, str]:
        for name, value in values.items():
            if is_secret(name) and not VARIABLE.search(value):
                raise ValueError(f'{name} holds a secret; write "${{NAME}}", the environment variable that holds it')
        return values

    @model_validator(mode="after")
    def _check_fields(self) -> "HttpSpec":
        if both := set(self.drop) & {*self.rename, *self.extra_body}:
            raise ValueError(f"{', '.join(sorted(both))} is dropped, and renamed or added as well; do one of them")
        if (self.layout == "bare") != bool(self.bare_prefix):
            raise ValueError("layout = 'bare' needs bare_prefix, and no other layout has one; give both or neither")
        return self

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
                raise ValueError(f"{url!r} is not an http or https url; give several urls as a list")
            _ = parts.port  # raises ValueError if it is not a number
            if parts.username or parts.password:
                raise ValueError("a base_url must not hold a user or password; name the key's variable in key_from")
            if secret := next((name for name, _ in parse_qsl(parts.query) if is_secret(name)), None):
                raise ValueError(f'a base_url must not hold a secret; write query = {{ "{secret}" = "${{NAME}}" }}')
        return full_urls


class VllmSpec(ChatModelSpec, RewardModelSpec):
    """A model that runs in the worker through vLLM, on one or more GPUs or on the CPU."""

    kind: Literal["vllm"]
    model: str = ""
    """Name of the model on a model hub. Give either this or `path`."""
    revision: str = ""
    """Commit of the hub model; empty: the newest one, which may change between runs."""
    path: Annotated[FolderPath, NotIdentity] = ""
    """Directory of safetensors with their tokenizer. Its content counts for the identity, its location does not."""
    digest: str = ""
    """Content digest of that directory. It is set when the run starts, and checked when the model is loaded."""
    dtype: str = "auto"
    """Type of weights and activations: `auto`, `bfloat16`, `float16` or `float32`."""
    quantization: str = ""
    """Quantization method by vLLM's name, e.g. `fp8`; empty: what the model's own configuration says."""
    max_model_len: int = Field(default=0, ge=0)
    """Most tokens of a prompt and its reply together; 0: the model's own limit."""
    pooling: bool = False
    """Whether the model is a reward model or classifier, which scores and writes no text."""
    device: Annotated[Literal["cuda", "cpu"], NotIdentity] = "cuda"
    """Device that the installed vLLM was built for."""
    tensor_parallel_size: Annotated[int, NotIdentity] = Field(default=1, ge=1)
    """GPUs that each layer is split over."""
    gpu_memory_fraction: Annotated[float, NotIdentity] = Field(default=0.9, gt=0, le=1)
    """Fraction of each GPU's memory for weights and cache together."""
    kv_cache_gib: Annotated[float, NotIdentity] = Field(default=0.0, ge=0)
    """Size of the key-value cache in GiB; 0: what `gpu_memory_fraction` leaves, on a CPU vLLM's own default."""
    offload_gib: Annotated[float, NotIdentity] = Field(default=0.0, ge=0)
    """GiB of weights, for each GPU, that stay in main memory until they are needed."""
    enforce_eager: Annotated[bool, NotIdentity] = False
    """Whether to skip compilation: the engine starts faster and replies more slowly."""
    max_num_seqs: Annotated[int, NotIdentity] = Field(default=256, ge=1)
    """Most samples in one forward pass."""
    max_in_flight: Annotated[int, NotIdentity] = Field(default=512, ge=1)
    """Most requests in flight. More than one forward pass holds, so that a finished request is replaced at once."""
    stall_seconds: Annotated[float, NotIdentity] = Field(default=300.0, gt=0)
    """Seconds without a token for any request in flight, after which the engine is restarted."""

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        if bool(self.model) == bool(self.path):
            raise ValueError("give either the name of a model on a hub (model) or its directory (path), not both")
        if (self.reward_token or self.step_token) and not self.pooling:
            raise ValueError("reward_token and step_token belong to reward models; set pooling = true as well")
        return self

    @property
    def gpus(self) -> int:
        """How many GPUs it uses; 0 on a CPU."""
        return self.tensor_parallel_size if self.device == "cuda" else 0


class RegressorSpec(RewardModelSpec):
    """A model with a scalar head that runs in the worker through transformers. It scores and writes no text."""

    kind: Literal["regressor"]
    path: Annotated[FolderPath, NotIdentity] = ""
    """Directory of safetensors with one label, and their tokenizer. If a recipe trains the model, any language model to
    start from. The content counts for the identity, the location does not."""
    digest: str = ""
    """Content digest of that directory. It is set when the run starts, and checked when the model is loaded."""
    bound: Literal["sigmoid", "clip"] = "sigmoid"
    """How the head's unbounded value is mapped into [0, 1]. `clip` suits a head that was trained on plain fail rates,
    as in the paper (ScaleQuest, section 2.4)."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of weights and activations."""
    max_batch_tokens: Annotated[int, NotIdentity] = Field(default=8192, ge=1)
    """Most tokens in one forward pass, padding included. A longer question gets a pass of its own."""
    device: Annotated[Literal["cuda", "cpu"], NotIdentity] = "cpu"
    """Device that the model runs on."""
    threads: Annotated[int, NotIdentity] = Field(default=1, ge=1)
    """CPU threads of one forward pass; only used with `device = "cpu"`."""

    @property
    def gpus(self) -> int:
        """How many GPUs it uses: 1, or 0 on a CPU."""
        return int(self.device == "cuda")


EngineSpec = Annotated[EmbeddedSpec | HttpSpec | VllmSpec | RegressorSpec, Field(discriminator="kind")]
"""Every kind of engine that a profile may name for a role; `kind` says which one it is."""
