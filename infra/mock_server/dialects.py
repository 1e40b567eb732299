"""How today's servers differ from one another: their paths, the fields they refuse, and the form of their replies.

The facts are those of the providers' public documentation and of issues in public repositories; `docs/servers.md` has
the profile for each. A dialect is made of a few settings, so that a new server is a new entry of `DIALECTS`.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from schemas.reasoning import split_reasoning

Body = dict[str, Any]
Endpoint = Literal["chat", "text", "pooling", "score", "classify"]
DialectName = Literal[
    "plain",
    "vllm",
    "sglang",
    "llama_cpp",
    "ollama",
    "openai_chat",
    "openai_o",
    "azure_classic",
    "azure_v1",
    "deepseek",
    "mistral",
    "openrouter",
]

OPENAI_FIELDS = frozenset(
    {
        *("model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "n", "seed", "stop"),
        *("presence_penalty", "frequency_penalty", "response_format", "logprobs", "top_logprobs", "reasoning_effort"),
        *("user", "store", "metadata", "service_tier", "tools", "tool_choice", "logit_bias", "verbosity"),
    }
)
"""Fields of the chat API that OpenAI documents; it refuses any other."""
MISTRAL_FIELDS = frozenset(
    {
        *("model", "messages", "max_tokens", "temperature", "top_p", "random_seed", "stop", "presence_penalty"),
        *("frequency_penalty", "response_format", "safe_prompt", "tools", "tool_choice", "prompt_mode", "prediction"),
    }
)


class FieldError(NamedTuple):
    """A field that a server refuses, and its words."""

    field: str
    message: str
    code: str = "unsupported_parameter"


class Dialect(NamedTuple):
    """The ways of one server; the default is that of the plain mock server."""

    endpoints: Mapping[str, Endpoint]
    """Patterns of the paths that are served, and what they answer."""
    key_headers: tuple[str, ...] = ()
    """Headers of which one must hold the key; empty: no key is needed."""
    needs_api_version: bool = False
    """Whether the query must hold `api-version`."""
    known_fields: frozenset[str] | None = None
    """Fields that are taken; any other is refused. None: all are taken, and unknown ones ignored."""
    refused_if: Mapping[str, tuple[Any, str]] = {}
    """Fields that are refused unless they hold this value, and the server's words; None: they are always refused."""
    ignores_n: bool = False
    """Whether one sample is sent whatever `n` says."""
    counts_one_sample: bool = False
    """Whether the usage covers the first of `n` samples only, as llama.cpp's does, which also sends `timings`."""
    refuses_json_schema: str = ""
    """The words in which a JSON schema is refused; empty: replies are held to it."""
    reasoning: Literal["inline", "fields", "parts"] = "inline"
    """Where the thought of a reply goes: it stays in the text, into `reasoning_fields`, or into parts of content."""
    reasoning_fields: tuple[str, ...] = ("reasoning_content",)
    error_style: Literal["openai", "flat", "fastapi"] = "openai"
    """The form of errors: an object in `error`, the same without it (SGLang), or FastAPI's `detail` (Mistral)."""
    own_fault: Literal["content_filter", "insufficient_system_resource", "null", "error_in_200"] = "null"
    """What `MockBehaviour.fault_dialect` does: a finish reason, or an error inside a reply of status 200."""
    blank_lines: int = 0
    """Blank lines before the JSON, which keep a connection alive."""
    model_pattern: str = ""
    """Pattern that the name of a model must match; empty: any."""

    def find_endpoint(self, path: str) -> Endpoint | None:
        """What this path answers; None if it is not served."""
        if kind := self.endpoints.get(path):
            return kind
        return next((kind for pattern, kind in self.endpoints.items() if re.fullmatch(pattern, path)), None)

    def find_refused_field(self, body: Mapping[str, Any]) -> FieldError | None:
        """The first field of a chat request that is refused, or None."""
        for name, value in body.items():
            if name in self.refused_if:
                allowed, message = self.refused_if[name]
                if allowed is None or value != allowed:
                    code = "unsupported_value" if allowed is not None else "unsupported_parameter"
                    return FieldError(name, message, code)
            if self.known_fields is not None and name not in self.known_fields:
                return FieldError(name, f"Unrecognized request argument supplied: {name}", "unknown_parameter")
        if self.refuses_json_schema and _wants_schema(body):
            return FieldError("response_format", self.refuses_json_schema)
        return None

    def encode_error(self, error: Mapping[str, Any], status: int) -> Body:
        """An error in the server's form; `error` is that of the OpenAI API."""
        if self.error_style == "flat":
            return {"object": "error", **error, "type": "BadRequestError", "code": status}
        if self.error_style == "fastapi" and error.get("param"):
            where = ["body", error["param"]]
            fault = {"type": "extra_forbidden", "loc": where, "msg": "Extra inputs are not permitted", "input": 1}
            return {"object": "error", "message": {"detail": [fault]}, "type": "invalid_request_error", "code": None}
        return {"error": dict(error)}

    def shape_message(self, text: str) -> Body:
        """The message of a chat reply; a thought in `text` goes where the server puts thoughts."""
        if self.reasoning == "inline":
            return {"role": "assistant", "content": text}
        reasoning, reply, closed = split_reasoning(text)
        if reasoning is None:
            return {"role": "assistant", "content": text}
        if self.reasoning == "parts":
            thought = {"type": "thinking", "thinking": [{"type": "text", "text": reasoning}], "closed": closed}
            return {"role": "assistant", "content": [thought, *([{"type": "text", "text": reply}] if reply else [])]}
        return {"role": "assistant", "content": reply or None} | dict.fromkeys(self.reasoning_fields, reasoning)

    def break_reply(self, reply: Body) -> Body:
        """The reply with the dialect's own fault."""
        if self.own_fault == "error_in_200":
            error = {"code": 502, "message": "Provider returned error", "metadata": {"provider_name": "mock"}}
            return {"error": error, "user_id": "mock"}
        for choice in reply["choices"]:
            choice["finish_reason"] = None if self.own_fault == "null" else self.own_fault
        return reply


def _wants_schema(body: Mapping[str, Any]) -> bool:
    response_format = body.get("response_format")
    return isinstance(response_format, dict) and response_format.get("type") == "json_schema"


def _paths(prefix: str, *kinds: Endpoint) -> dict[str, Endpoint]:
    names: Mapping[Endpoint, str] = {"chat": "/chat/completions", "text": "/completions"}
    return {prefix + names[kind]: kind for kind in kinds}


def _unsupported(*names: str) -> dict[str, tuple[Any, str]]:
    return {name: (None, f"Unsupported parameter: '{name}' is not supported with this model.") for name in names}


PLAIN_ENDPOINTS: Mapping[str, Endpoint] = {
    **_paths("/v1", "chat", "text"),
    **{"/pooling": "pooling", "/score": "score", "/v1/score": "score", "/classify": "classify"},
}
BEARER, EITHER_KEY = ("Authorization",), ("Authorization", "api-key")
_O_REFUSES = {
    "max_tokens": (
        None,
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    ),
    "temperature": (
        1,
        "Unsupported value: 'temperature' does not support this value with this model. Only the default (1) value is "
        "supported.",
    ),
    "n": (1, "Unsupported value: 'n' does not support this value with this model. Only the default (1) is supported."),
    **_unsupported("top_p", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty"),
}
_PLAIN = Dialect(PLAIN_ENDPOINTS)
_OPENAI = Dialect(
    _paths("/v1", "chat", "text"), key_headers=BEARER, known_fields=OPENAI_FIELDS, own_fault="content_filter"
)
DIALECTS: Mapping[str, Dialect] = {
    "plain": _PLAIN,
    "vllm": _PLAIN._replace(reasoning="fields", reasoning_fields=("reasoning", "reasoning_content")),
    "sglang": Dialect(_paths("/v1", "chat", "text"), reasoning="fields", error_style="flat"),
    "llama_cpp": Dialect(
        _paths("/v1", "chat", "text"),
        reasoning="fields",
        counts_one_sample=True,
    ),
    "ollama": Dialect(
        _paths("/v1", "chat", "text"), ignores_n=True, reasoning="fields", reasoning_fields=("reasoning",)
    ),
    "openai_chat": _OPENAI,
    "openai_o": _OPENAI._replace(refused_if=_O_REFUSES),
    "azure_classic": _OPENAI._replace(
        endpoints={"/openai/deployments/[^/]+/chat/completions": "chat"},
        key_headers=("api-key",),
        needs_api_version=True,
    ),
    "azure_v1": _OPENAI._replace(endpoints=_paths("/openai/v1", "chat"), key_headers=EITHER_KEY),
    "deepseek": Dialect(
        _paths("(/v1)?", "chat"),
        key_headers=BEARER,
        refused_if={
            "n": (1, "Invalid n value (currently only n = 1 is supported)"),
            **_unsupported("logprobs", "top_logprobs"),
        },
        refuses_json_schema="This response_format type is unavailable now",
        reasoning="fields",
        own_fault="insufficient_system_resource",
        blank_lines=40,
    ),
    "mistral": Dialect(
        _paths("/v1", "chat"),
        key_headers=BEARER,
        known_fields=MISTRAL_FIELDS,
        reasoning="parts",
        error_style="fastapi",
        own_fault="content_filter",
    ),
    "openrouter": Dialect(
        _paths("/api/v1", "chat", "text"),
        key_headers=BEARER,
        reasoning="fields",
        reasoning_fields=("reasoning",),
        own_fault="error_in_200",
        model_pattern=r"[^/]+/.+",
    ),
}
"""The dialects by name. `plain` refuses nothing and leaves thoughts in the text."""
