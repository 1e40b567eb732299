"""Builds the requests to a server: url, headers and JSON body, as the role's spec shapes them."""

import os
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from infra.engines.common.reward_models import reward_model_chat
from schemas.engine import Request
from schemas.engine_specs import VARIABLE, HttpSpec
from schemas.errors import EngineError
from schemas.prompts import Prompt, Sampling

TOP_LOGPROBS = 20
"""Alternatives of the first token that are requested for a score; 20 is the most that servers return."""
SYSTEM_TURN = "a system turn"
"""What a server lacks that refuses messages with the role `system`."""
SEED_LIMIT = 2**31
"""Seeds are sent below this: some servers refuse larger ones, others read them as floating-point numbers. Among a
million samples some two hundred then share their seed with another one."""
SCORE_SAMPLING = Sampling(max_tokens=1, logprobs=True)
"""Marks a request for a score, which is read from the first token of the reply."""
CHAT_ENDPOINT, TEXT_ENDPOINT = "/chat/completions", "/completions"
SCORE_ENDPOINTS = {"pooling": "/pooling", "score": "/score", "classify": "/classify"}
OPTIONAL_FIELDS: Mapping[str, Any] = {
    **{"top_k": 0, "min_p": 0.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "repetition_penalty": 1.0},
    "stop": (),
}
"""Fields of `Sampling` that are sent only if they differ from these, because not every server knows them."""
# matches "sk-1\n2", "clé"
_NOT_IN_A_HEADER = re.compile(r"[^\x20-\x7e]")


class Secrets:
    """The values of the environment variables that a spec names; `mask` takes them out of any message."""

    def __init__(self, spec: HttpSpec) -> None:
        """Raises `EngineError` if a variable is missing, or holds what cannot be sent."""
        self.values: set[str] = set()
        self.headers = {name: self._fill_in(name, value) for name, value in spec.headers.items()}
        self.query = {name: self._fill_in(name, value) for name, value in spec.query.items()}
        if spec.key_from:
            self.headers = {"Authorization": f"Bearer {self._read(spec.key_from, 'key_from')}"} | self.headers

    def _fill_in(self, name: str, value: str) -> str:
        return VARIABLE.sub(lambda match: self._read(match["name"], name), value)

    def _read(self, variable: str, field: str) -> str:
        value = os.environ.get(variable, "").strip()
        if not value:
            raise EngineError(f"the environment variable {variable} holds no key; set it, or leave {field} out")
        if _NOT_IN_A_HEADER.search(value):
            raise EngineError(
                f"the environment variable {variable} holds a line break or another character that no key has; "
                "set it to the key alone"
            )
        self.values.add(value)
        return value

    def mask(self, text: str) -> str:
        """`text` with every secret replaced by `***`."""
        for value in sorted(self.values, key=len, reverse=True):
            text = text.replace(value, "***")
        return text


def request_url(base_url: str, endpoint: str, query: Mapping[str, str]) -> str:
    """The url of `endpoint` below `base_url`, whose own query goes behind it, together with `query`."""
    parts = urlsplit(base_url)
    path = parts.path.rstrip("/")
    if endpoint in SCORE_ENDPOINTS.values():
        path = path.removesuffix("/v1")  # vLLM serves these beside /v1
    queries = "&".join(filter(None, (parts.query, urlencode(query))))
    return urlunsplit((parts.scheme, parts.netloc, path + endpoint, queries, ""))


def build_body(spec: HttpSpec, request: Request, sampling: Sampling, lacks: Collection[str] = ()) -> dict[str, Any]:
    """Build the JSON body; fields that are constant within a stage come first, so that servers can cache them.

    `lacks`: fields that the server is known to refuse.
    """
    prompt, is_score, is_chat = request.prompt, sampling is SCORE_SAMPLING, asks_chat(spec)
    body: dict[str, Any] = {"model": spec.model}
    body |= {"messages": chat_messages(spec, prompt, lacks)} if is_chat else {"prompt": plain_prompt(spec, prompt)}
    body |= {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p}
    body |= {"n": len(request.seeds), "seed": request.seeds[0] % SEED_LIMIT}
    for name, unset in OPTIONAL_FIELDS.items():
        if (value := getattr(sampling, name)) != unset:
            body[name] = list(value) if isinstance(value, tuple) else value
    thinking = False if is_score and spec.thinks else sampling.thinking
    if thinking is not None and is_chat:
        body["chat_template_kwargs"] = {"enable_thinking": thinking}
    if sampling.reply_schema and spec.structured and spec.api == "chat":
        response_schema = {"name": prompt.stage, "schema": sampling.reply_schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": response_schema}
    top = TOP_LOGPROBS if is_score else 0
    if sampling.logprobs:
        body |= {"logprobs": True, "top_logprobs": top} if is_chat else {"logprobs": top}
    if not spec.supports_n:
        del body["n"]
    return _shape(spec, {name: value for name, value in body.items() if name not in lacks})


def asks_chat(spec: HttpSpec) -> bool:
    """Whether prompts are sent as messages rather than as a text."""
    return spec.api == "chat" and spec.layout != "bare"


def chat_messages(spec: HttpSpec, prompt: Prompt, lacks: Collection[str] = ()) -> list[dict[str, str]]:
    """The messages of a prompt in the layout of the spec; in one turn if the server refuses a system turn."""
    if spec.layout == "auto" or spec.layout == "bare":
        return prompt.to_messages("user" if SYSTEM_TURN in lacks else "system_user")
    return prompt.to_messages(spec.layout)


def plain_prompt(spec: HttpSpec, prompt: Prompt) -> str:
    """The text that is sent to `/completions`. Raises `EngineError` if a bare prefix is to hold a prompt's inputs."""
    if spec.layout != "bare":
        return prompt.to_tagged_text()
    if prompt.inputs:
        raise EngineError(
            f"{spec.model} only begins a user's turn (layout = 'bare'), so it cannot be asked {prompt.stage}, which "
            "has inputs; give that role another model or layout"
        )
    return spec.bare_prefix


def build_score_body(spec: HttpSpec, request: Request) -> dict[str, Any]:
    """Build the body of a request to one of `SCORE_ENDPOINTS`: the last input is the reply that is scored."""
    messages = reward_model_chat(request.prompt)
    # A value without bound is asked for where the server may give several, and mapped here; elsewhere in [0, 1].
    body: dict[str, Any] = {"model": spec.model, "use_activation": spec.score_api != "pooling"}
    if spec.score_api == "score":
        question, answer = (message["content"] for message in messages)
        return _shape(spec, body | {"text_1": question, "text_2": answer})
    return _shape(spec, body | {"messages": messages})


def _shape(spec: HttpSpec, body: dict[str, Any]) -> dict[str, Any]:
    """Drop, rename and add the fields that the spec says."""
    shaped = {spec.rename.get(name, name): value for name, value in body.items() if name not in spec.drop}
    for name, value in spec.extra_body.items():
        ours = shaped.get(name)
        shaped[name] = {**ours, **value} if isinstance(ours, dict) and isinstance(value, Mapping) else value
    return shaped
