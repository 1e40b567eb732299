"""Writes the replies of a mock server: completions in the two formats of the OpenAI API, and errors."""

import json
import random
import re
from collections.abc import Callable, Iterator
from hashlib import sha256, shake_128
from typing import Any

from infra.mock_server.behaviour import MockBehaviour
from infra.mock_server.schema_sampler import UnsupportedSchema, sample_value

Body = dict[str, Any]
ReplyFunction = Callable[[Body, int], str]
"""Returns the text of one sample, from the request's body and the sample's index; blocks the server meanwhile."""

WORDS = [
    "so",
    "then",
    "let",
    "us",
    "add",
    "both",
    "sides",
    "of",
    "the",
    "sum",
    "and",
    "take",
    "half",
    "which",
    "is",
    "we",
]
WORDS += ["what", "need", "here", "since", "each", "term", "divides", "twice", "it", *"23579", "x", "y"]
"""The 32 words of made-up replies; five bits select one."""

ERROR_CODES = {
    400: "invalid_request_error",
    401: "invalid_api_key",
    402: "insufficient_quota",
    403: "forbidden",
    404: "not_found",
    429: "rate_limit_exceeded",
    500: "server_error",
    503: "overloaded",
}
MAX_SAMPLES = 1024


class HttpRefusal(Exception):
    """The request is answered with an error; `retry_after` is the value of `Retry-After` in seconds, or None."""

    def __init__(self, status: int, message: str, code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after
        self.code = code or ERROR_CODES.get(status, "error")

    def encode_body(self) -> bytes:
        """Return the error as JSON in the format of the OpenAI API."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return json.dumps({"error": {"message": str(self), "type": kind, "param": None, "code": self.code}}).encode()


def parse_request(raw: bytes, chat: bool) -> Body:
    """Parse and check the body of a request; raises `HttpRefusal` (400) where a real server would."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise HttpRefusal(400, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise HttpRefusal(400, "the body is not a JSON object")
    prompt = body.get("messages" if chat else "prompt")
    if chat and not (isinstance(prompt, list) and prompt and all(isinstance(m, dict) for m in prompt)):
        raise HttpRefusal(400, "messages must be a list of at least one message")
    if not chat and not (isinstance(prompt, str) or (isinstance(prompt, list) and prompt)):
        raise HttpRefusal(400, "prompt must be a string or a list")
    for name in ("stream", "echo"):
        if body.get(name):
            raise HttpRefusal(400, f"{name} is not supported")
    for name, maximum in (("n", MAX_SAMPLES), ("max_tokens", None), ("max_completion_tokens", None)):
        value = body.get(name)
        if value is not None and not (type(value) is int and 1 <= value <= (maximum or value)):
            raise HttpRefusal(400, f"{name} must be a whole number of at least 1, not {value!r}")
    return body


def prompt_of(body: Body) -> Any:
    """Return the messages or the prompt of a request."""
    return body["messages"] if "messages" in body else body["prompt"]


def count_words(prompt: Any) -> int:
    """Count the words of a prompt: of a string, or of messages and their parts; a token id counts as one word."""
    if isinstance(prompt, str):
        return len(prompt.split())
    if isinstance(prompt, dict):
        return count_words(prompt.get("content") or prompt.get("text") or "")
    return sum(map(count_words, prompt)) if isinstance(prompt, list) else 1


class ReplyWriter:
    """Writes the replies of one server: by `reply`, or else words and a number drawn from the request and its seed."""

    def __init__(self, behaviour: MockBehaviour, reply: ReplyFunction | None = None) -> None:
        self.behaviour, self.reply = behaviour, reply

    def write_completion(self, body: Body, key: bytes, chat: bool) -> bytes:
        """Return the reply as JSON; `key` is the digest of the request's meaning and seed. Raises `HttpRefusal`."""
        choices, completion_tokens = [], 0
        for index, text in enumerate(self._write_samples(body, key, chat)):
            choice, tokens = _make_choice(body, text, index, chat)
            choices.append(choice)
            completion_tokens += tokens
        prompt_tokens = count_words(prompt_of(body)) + 1
        return json.dumps(
            {
                "id": f"{'chatcmpl' if chat else 'cmpl'}-{key.hex()[:24]}",
                "object": "chat.completion" if chat else "text_completion",
                "created": 0,
                "model": body.get("model", self.behaviour.model),
                "choices": choices,
                "usage": {
                    "prompt_tokens": prompt_tokens,
                    "completion_tokens": completion_tokens,
                    "total_tokens": prompt_tokens + completion_tokens,
                },
            }
        ).encode()

    def _write_samples(self, body: Body, key: bytes, chat: bool) -> Iterator[str]:
        """Yield `n` samples for each prompt; only `/v1/completions` takes several prompts."""
        prompt = prompt_of(body)
        several = not chat and isinstance(prompt, list) and not isinstance(prompt[0], int)
        for one in [{**body, "prompt": p} for p in prompt] if several else [body]:
            prompt_key = sha256(key + json.dumps(one["prompt"]).encode()).digest() if several else key
            for sample in range(body.get("n") or 1):
                yield self._write_text(one, prompt_key, sample) if self.reply is None else self.reply(one, sample)

    def _write_text(self, body: Body, key: bytes, sample: int) -> str:
        drawn = sha256(b"%d %d " % (self.behaviour.seed, sample) + key).digest()
        number = int.from_bytes(drawn[:2], "big") % 1000
        response_format = body.get("response_format")
        if response_format and isinstance(response_format, dict) and response_format.get("type") == "json_object":
            return json.dumps({"answer": number})
        if response_format and isinstance(response_format, dict) and response_format.get("type") == "json_schema":
            try:
                return json.dumps(
                    sample_value(response_format.get("json_schema", {}).get("schema"), random.Random(drawn))
                )
            except (UnsupportedSchema, AttributeError) as error:
                raise HttpRefusal(400, f"response_format: {error}") from error
        picked = shake_128(drawn).digest(self.behaviour.draw_length(key, sample) - 2)
        return f"{' '.join([WORDS[byte & 31] for byte in picked])}\n#### {number}".lstrip()


def _make_choice(body: Body, text: str, index: int, chat: bool) -> tuple[Body, int]:
    """Return one sample in the API's format, and its tokens: each word is a token, and so is the end of a reply."""
    stops = body.get("stop")
    for stop in [stops] if isinstance(stops, str) else stops or ():
        text = text.partition(stop)[0]
    maximum = body.get("max_tokens") or body.get("max_completion_tokens")
    logprobs = body.get("logprobs")
    with_logprobs = logprobs is not None and logprobs is not False
    token_count = len(text.split()) + 1
    is_cut = maximum is not None and token_count > maximum
    tokens = re.findall(r"\s*\S+", text) if is_cut or with_logprobs else []
    if is_cut:
        tokens = tokens[:maximum]
        text, token_count = "".join(tokens), len(tokens)
    choice: Body = {"index": index, "finish_reason": "length" if is_cut else "stop", "logprobs": None}
    if with_logprobs:
        choice["logprobs"] = _make_logprobs(tokens if is_cut else [*tokens, ""], chat)
    return choice | ({"message": {"role": "assistant", "content": text}} if chat else {"text": text}), token_count


def _make_logprobs(tokens: list[str], chat: bool) -> Body:
    """Make up a log-probability for every token; the end of a reply is an empty token."""
    values = [-(1 + sha256(token.encode()).digest()[0]) / 64 for token in tokens]
    if chat:
        pairs = zip(tokens, values, strict=True)
        return {"content": [{"token": token, "logprob": value, "top_logprobs": []} for token, value in pairs]}
    return {"tokens": tokens, "token_logprobs": values}
