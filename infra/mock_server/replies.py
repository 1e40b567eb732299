"""Writes what a stub server replies: completions in the two formats of the OpenAI API, and its errors."""

import json
import random
import re
from collections.abc import Callable, Iterator
from hashlib import sha256, shake_128
from typing import Any

from infra.mock_server.behaviour import Behaviour
from infra.mock_server.schema_sampler import BadShape, fill

Body = dict[str, Any]
Reply = Callable[[Body, int], str]
"""The text of one sample: from the request's body and the sample's index. It holds up the whole server meanwhile."""

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
"""32 of them: five bits name one."""

CODES = {
    400: "invalid_request_error",
    401: "invalid_api_key",
    402: "insufficient_quota",
    403: "forbidden",
    404: "not_found",
    429: "rate_limit_exceeded",
    500: "server_error",
    503: "overloaded",
}
MOST_SAMPLES = 1024


class Refused(Exception):
    """The request gets an error and no completion; `wait` are the seconds its `Retry-After` names."""

    def __init__(self, status: int, message: str, code: str | None = None, wait: float | None = None) -> None:
        super().__init__(message)
        self.status, self.wait = status, wait
        self.code = code or CODES.get(status, "error")

    def body(self) -> bytes:
        """As the OpenAI API words an error."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return json.dumps({"error": {"message": str(self), "type": kind, "param": None, "code": self.code}}).encode()


def read(raw: bytes, chat: bool) -> Body:
    """The body of a request; raises `Refused` (400) where a real server would."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, "the body is not a JSON object")
    asked = body.get("messages" if chat else "prompt")
    if chat and not (isinstance(asked, list) and asked and all(isinstance(m, dict) for m in asked)):
        raise Refused(400, "messages must be a list of at least one message")
    if not chat and not (isinstance(asked, str) or (isinstance(asked, list) and asked)):
        raise Refused(400, "prompt must be a string or a list")
    for name in ("stream", "echo"):
        if body.get(name):
            raise Refused(400, f"{name} is not supported")
    for name, most in (("n", MOST_SAMPLES), ("max_tokens", None), ("max_completion_tokens", None)):
        value = body.get(name)
        if value is not None and not (type(value) is int and 1 <= value <= (most or value)):
            raise Refused(400, f"{name} must be a whole number of at least 1, not {value!r}")
    return body


def prompt_of(body: Body) -> Any:
    """What is asked, whatever else the request says."""
    return body["messages"] if "messages" in body else body["prompt"]


def words_in(prompt: Any) -> int:
    """Words of a prompt: of a string, of messages and their parts, or one for each token id."""
    if isinstance(prompt, str):
        return len(prompt.split())
    if isinstance(prompt, dict):
        return words_in(prompt.get("content") or prompt.get("text") or "")
    return sum(map(words_in, prompt)) if isinstance(prompt, list) else 1


class Writer:
    """Replies of one server: by `reply`, or, without it, words and a number that the request and its seed decide."""

    def __init__(self, behaviour: Behaviour, reply: Reply | None = None) -> None:
        self.behaviour, self.reply = behaviour, reply

    def completion(self, body: Body, key: bytes, chat: bool) -> bytes:
        """The whole reply to a request whose meaning and seed are named by `key`; raises `Refused`."""
        choices, used = [], 0
        for index, text in enumerate(self._texts(body, key, chat)):
            choice, tokens = _choice(body, text, index, chat)
            choices.append(choice)
            used += tokens
        asked = words_in(prompt_of(body)) + 1
        return json.dumps(
            {
                "id": f"{'chatcmpl' if chat else 'cmpl'}-{key.hex()[:24]}",
                "object": "chat.completion" if chat else "text_completion",
                "created": 0,
                "model": body.get("model", self.behaviour.model),
                "choices": choices,
                "usage": {"prompt_tokens": asked, "completion_tokens": used, "total_tokens": asked + used},
            }
        ).encode()

    def _texts(self, body: Body, key: bytes, chat: bool) -> Iterator[str]:
        """`n` samples for each prompt; only a completion may hold several prompts."""
        prompt = prompt_of(body)
        several = not chat and isinstance(prompt, list) and not isinstance(prompt[0], int)
        for one in [{**body, "prompt": p} for p in prompt] if several else [body]:
            here = sha256(key + json.dumps(one["prompt"]).encode()).digest() if several else key
            for sample in range(body.get("n") or 1):
                yield self._text(one, here, sample) if self.reply is None else self.reply(one, sample)

    def _text(self, body: Body, key: bytes, sample: int) -> str:
        drawn = sha256(b"%d %d " % (self.behaviour.seed, sample) + key).digest()
        number = int.from_bytes(drawn[:2], "big") % 1000
        wanted = body.get("response_format")
        if wanted and isinstance(wanted, dict) and wanted.get("type") == "json_object":
            return json.dumps({"answer": number})
        if wanted and isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            try:
                return json.dumps(fill(wanted.get("json_schema", {}).get("schema"), random.Random(drawn)))
            except (BadShape, AttributeError) as error:
                raise Refused(400, f"response_format: {error}") from error
        picked = shake_128(drawn).digest(self.behaviour.length(key, sample) - 2)
        return f"{' '.join([WORDS[byte & 31] for byte in picked])}\n#### {number}".lstrip()


def _choice(body: Body, text: str, index: int, chat: bool) -> tuple[Body, int]:
    """One sample as the API writes it, and its tokens: a word is one, and so is the end of a reply."""
    stops = body.get("stop")
    for stop in [stops] if isinstance(stops, str) else stops or ():
        text = text.partition(stop)[0]
    most = body.get("max_tokens") or body.get("max_completion_tokens")
    logprobs = body.get("logprobs")
    asked = logprobs is not None and logprobs is not False
    used = len(text.split()) + 1
    cut = most is not None and used > most
    tokens = re.findall(r"\s*\S+", text) if cut or asked else []
    if cut:
        tokens = tokens[:most]
        text, used = "".join(tokens), len(tokens)
    choice: Body = {"index": index, "finish_reason": "length" if cut else "stop", "logprobs": None}
    if asked:
        choice["logprobs"] = _logprobs(tokens if cut else [*tokens, ""], chat)
    return choice | ({"message": {"role": "assistant", "content": text}} if chat else {"text": text}), used


def _logprobs(tokens: list[str], chat: bool) -> Body:
    """Of every token; the end of a reply is an empty one."""
    values = [-(1 + sha256(token.encode()).digest()[0]) / 64 for token in tokens]
    if chat:
        pairs = zip(tokens, values, strict=True)
        return {"content": [{"token": token, "logprob": value, "top_logprobs": []} for token, value in pairs]}
    return {"tokens": tokens, "token_logprobs": values}
