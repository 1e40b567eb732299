"""Writes the replies of a mock server: completions in the two formats of the OpenAI API, and errors."""

import json
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256, shake_128
from typing import Any

from infra.mock_server.behaviour import MockBehaviour
from infra.mock_server.dialects import DIALECTS, Dialect, Endpoint
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
SCORING_ENDPOINTS = ("pooling", "score", "classify")


class HttpRefusal(Exception):
    """The request is answered with an error; `retry_after` is the value of `Retry-After` in seconds, or None."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        retry_after: float | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.retry_after, self.param = status, retry_after, param
        self.code = code or ERROR_CODES.get(status, "error")

    def encode_body(self, dialect: Dialect = DIALECTS["plain"]) -> bytes:
        """Return the error as JSON in the format of the dialect; by default in that of the OpenAI API."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return json.dumps(dialect.encode_error(error, self.status)).encode()


def check_dialect(dialect: Dialect, body: Body, headers: Mapping[str, str], query: str) -> None:
    """Raise the `HttpRefusal` with which a server of this dialect refuses the request, if it does."""
    if dialect.key_headers and not any(headers.get(name) for name in dialect.key_headers):
        raise HttpRefusal(401, f"no key in the header {' or '.join(dialect.key_headers)}")
    if dialect.needs_api_version and "api-version=" not in query:
        raise HttpRefusal(404, "Resource not found")
    if dialect.model_pattern and not re.fullmatch(dialect.model_pattern, str(body.get("model", ""))):
        raise HttpRefusal(400, f"{body.get('model')} is not a valid model ID")
    if refused := dialect.find_refused_field(body):
        status = 422 if dialect.error_style == "fastapi" else 400
        raise HttpRefusal(status, refused.message, refused.code, param=refused.field)


def parse_request(raw: bytes, endpoint: Endpoint) -> Body:
    """Parse and check the body of a request; raises `HttpRefusal` (400) where a real server would."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise HttpRefusal(400, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise HttpRefusal(400, "the body is not a JSON object")
    chat, prompt = endpoint == "chat", body.get("messages" if endpoint == "chat" else "prompt")
    if endpoint in SCORING_ENDPOINTS:
        if not any(name in body for name in ("messages", "input", "text_1", "prompt")):
            raise HttpRefusal(400, "messages, input or text_1 is missing")
        return body
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
    if "text_1" in body:
        return [body["text_1"], body.get("text_2", "")]
    return next(body[name] for name in ("messages", "prompt", "input") if name in body)


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
        self.behaviour, self.reply, self.dialect = behaviour, reply, DIALECTS[behaviour.dialect]

    def write_score(self, body: Body, key: bytes, endpoint: Endpoint) -> bytes:
        """Return the reply of a reward model or classifier as JSON, with a score drawn from the request.

        A reply function gives the score as its text.
        """
        drawn = int.from_bytes(sha256(b"score " + key).digest()[:2], "big") / 2**16
        score = float(self.reply(body, 0)) if self.reply is not None else drawn
        results: Mapping[str, Body] = {
            "pooling": {"object": "pooling", "data": [[-1.0], [8 * score - 4]]},
            "score": {"object": "score", "score": score},
            "classify": {"label": "yes", "probs": [1 - score, score], "num_classes": 2},
        }
        tokens = count_words(prompt_of(body)) + 1
        usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
        reply = {
            "object": "list",
            "model": body.get("model"),
            "data": [{"index": 0, **results[endpoint]}],
            "usage": usage,
        }
        return json.dumps(reply).encode()

    def write_completion(self, body: Body, key: bytes, chat: bool, broken: bool = False) -> bytes:
        """Return the reply as JSON; `key` is the digest of the request's meaning and seed. Raises `HttpRefusal`.

        `broken` says whether it has the dialect's own fault.
        """
        choices, completion_tokens = [], 0
        for index, text in enumerate(self._write_samples(body, key, chat)):
            choice, tokens = _make_choice(body, text, index, chat, self.dialect)
            choices.append(choice)
            if index == 0 or not self.dialect.counts_one_sample:
                completion_tokens += tokens
        prompt_tokens = count_words(prompt_of(body)) + 1
        reply = {
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
        if self.dialect.counts_one_sample:
            reply["timings"] = {"predicted_n": completion_tokens}
        blanks = b"\n" * self.dialect.blank_lines
        return blanks + json.dumps(self.dialect.break_reply(reply) if broken else reply).encode()

    def _write_samples(self, body: Body, key: bytes, chat: bool) -> Iterator[str]:
        """Yield `n` samples for each prompt; only `/v1/completions` takes several prompts."""
        prompt = prompt_of(body)
        several = not chat and isinstance(prompt, list) and not isinstance(prompt[0], int)
        for one in [{**body, "prompt": p} for p in prompt] if several else [body]:
            prompt_key = sha256(key + json.dumps(one["prompt"]).encode()).digest() if several else key
            for sample in range(1 if self.dialect.ignores_n else body.get("n") or 1):
                yield self._write_text(one, prompt_key, sample) if self.reply is None else self.reply(one, sample)

    def _write_text(self, body: Body, key: bytes, sample: int) -> str:
        drawn = sha256(b"%d %d " % (self.behaviour.seed, sample) + key).digest()
        number = int.from_bytes(drawn[:2], "big") % 1000
        if _asks_for_score(body):
            return "yes" if number % 2 else "no"
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


def _asks_for_score(body: Body) -> bool:
    """Whether only the likeliest first tokens of a reply are asked for."""
    top = body.get("top_logprobs") or (body["logprobs"] if type(body.get("logprobs")) is int else 0)
    return body.get("max_tokens") == 1 and top > 0


def _make_choice(body: Body, text: str, index: int, chat: bool, dialect: Dialect) -> tuple[Body, int]:
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
    return choice | ({"message": dialect.shape_message(text)} if chat else {"text": text}), token_count


def _make_logprobs(tokens: list[str], chat: bool) -> Body:
    """Make up a log-probability for every token; the end of a reply is an empty token.

    A token's only alternative is itself; for `yes` and `no` it is the other word, with the rest of the probability.
    """
    values = [-(1 + sha256(token.encode()).digest()[0]) / 64 for token in tokens]
    alternatives = [_alternatives(token, value) for token, value in zip(tokens, values, strict=True)]
    if chat:
        return {
            "content": [
                {
                    "token": token,
                    "logprob": value,
                    "top_logprobs": [{"token": other, "logprob": logprob} for other, logprob in likely.items()],
                }
                for token, value, likely in zip(tokens, values, alternatives, strict=True)
            ]
        }
    return {"tokens": tokens, "token_logprobs": values, "top_logprobs": alternatives}


def _alternatives(token: str, value: float) -> dict[str, float]:
    if token.strip().lower() not in ("yes", "no"):
        return {token: value}
    probability = 0.5 + math.exp(value) / 2
    other = "no" if token.strip().lower() == "yes" else "yes"
    return {token: math.log(probability), other: math.log(max(1e-6, 1 - probability))}
