"""Reads the replies of servers as they are: content in parts, thoughts in fields, errors inside a 200, odd usage."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from schemas.engine import Completion

STOP_WORDS = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})
LENGTH_WORDS = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
"""The words in which servers say that a reply is whole, and that it was cut off."""
UNKNOWN_FINISH = "unknown"
"""Finish reason of a reply for which the server gives none: it may be whole or not."""
CHARACTERS_PER_TOKEN = 4
"""Characters taken for a token where a server does not count tokens."""
MOST_CHARACTERS_PER_TOKEN = 8
"""Characters a token that no text of several samples has; a count below it leaves samples out."""
ERROR_STATUSES: Mapping[str, int] = {
    **{"invalid_api_key": 401, "authentication_error": 401, "insufficient_quota": 402, "permission_error": 403},
    **{"invalid_request_error": 400, "badrequesterror": 400, "context_length_exceeded": 400, "bad_request": 400},
    **{"content_policy_violation": 400, "content_filter": 400, "exceed_context_size_error": 400},
    **{"model_not_found": 404, "not_found_error": 404, "notfounderror": 404},
    **{"rate_limit_exceeded": 429, "rate_limit_error": 429, "too_many_requests": 429},
    **{"overloaded_error": 503, "overloaded": 503, "service_unavailable": 503},
}
"""HTTP status that an error inside a 200 stands for, by its code or type."""
DEFAULT_ERROR_STATUS = 502
"""HTTP status of an error inside a 200 that says nothing of its kind: the model behind the server failed."""


class Message(NamedTuple):
    """What one choice of a reply says."""

    text: str
    reasoning: str | None
    finish_reason: str


class TokenCounts(NamedTuple):
    """Tokens of a reply; `is_estimate`: by the length of the texts, because the server did not count them."""

    prompt: int
    completions: tuple[int, ...]
    is_estimate: bool


def decode_body(data: bytes) -> Any:
    """Decode JSON, which blank lines may precede, or a stream of events. Raises ValueError if it is neither."""
    stripped = data.strip()
    if stripped.startswith((b"data:", b"event:", b":", b"id:")):
        try:
            return _join_events(stripped)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"a stream of events that cannot be read ({error})") from None
    return orjson.loads(stripped)


def _join_events(data: bytes) -> Any:
    """Join the pieces of a stream of events into one reply, as if no stream had been sent."""
    choices: dict[int, dict[str, Any]] = {}
    usage, is_complete = None, False
    for line in data.splitlines():
        if not line.startswith(b"data:"):
            continue
        event = line.removeprefix(b"data:").strip()
        if event == b"[DONE]":
            is_complete = True
            continue
        piece = orjson.loads(event)
        if find_error(piece):
            return piece
        usage = piece.get("usage") or usage
        for choice in piece.get("choices") or ():
            _add_piece(choices.setdefault(int(choice.get("index") or 0), {"message": {}}), choice)
    ended = [choice for choice in choices.values() if choice.get("finish_reason")]
    if not is_complete and len(ended) < max(1, len(choices)):
        raise ValueError("a stream of events, which was not asked for, and which ends too early")
    return {"choices": [choices[index] for index in sorted(choices)], "usage": usage}


def _add_piece(choice: dict[str, Any], piece: Mapping[str, Any]) -> None:
    """Add one event to what is there of its choice."""
    for name, value in (piece.get("delta") or piece.get("message") or {}).items():
        before = choice["message"].get(name)
        is_joined = before is not None and type(before) is type(value) and isinstance(value, str | list)
        choice["message"][name] = before + value if is_joined and name != "role" else (value or before)
    if isinstance(piece.get("text"), str):
        choice["text"] = choice.get("text", "") + piece["text"]
    choice["finish_reason"] = piece.get("finish_reason") or choice.get("finish_reason")
    for name, values in (piece.get("logprobs") or {}).items():
        logprobs = choice.setdefault("logprobs", {})
        logprobs[name] = [*(logprobs.get(name) or ()), *values] if isinstance(values, list) else values


def find_error(data: Any) -> tuple[int, str] | None:
    """The status and message of an error that a reply of status 200 holds, at its top or in a choice; else None."""
    if not isinstance(data, dict):
        return None
    choices = data.get("choices")
    holders = [data, *(choice for choice in choices or () if isinstance(choice, dict))] if _is_list(choices) else [data]
    error = next((holder["error"] for holder in holders if holder.get("error")), None)
    if error is None and data.get("object") == "error":  # older servers of vLLM and SGLang
        error = data
    if error is None:
        return None
    if not isinstance(error, dict):
        return DEFAULT_ERROR_STATUS, str(error)
    words = [error.get("code"), error.get("type"), error.get("status")]
    numbers = [int(word) for word in words if isinstance(word, int) or (isinstance(word, str) and word.isdigit())]
    named = [ERROR_STATUSES[word.lower()] for word in words if isinstance(word, str) and word.lower() in ERROR_STATUSES]
    status = next((number for number in [*numbers, *named] if 400 <= number <= 599), DEFAULT_ERROR_STATUS)
    return status, str(error.get("message") or orjson.dumps(error).decode())


def read_message(choice: Mapping[str, Any], is_chat: bool) -> Message:
    """Read one choice. Raises TypeError or ValueError where no content can be read from it."""
    finish_reason = _finish_reason(choice.get("finish_reason"))
    if not is_chat:
        return Message(_read_text(choice["text"]), _optional_text(choice.get("reasoning")), finish_reason)
    message = choice["message"]
    text, thoughts, refusal = _read_content(message.get("content"))
    for name in ("reasoning_content", "reasoning"):  # some servers send both, with the same text
        if (thought := _optional_text(message.get(name))) and thought not in thoughts:
            thoughts.append(thought)
    refusal = _optional_text(message.get("refusal")) or refusal
    if refusal:
        return Message(text or refusal, "\n".join(thoughts) or None, "refusal")
    if not text and finish_reason == "stop" and (message.get("tool_calls") or message.get("function_call")):
        finish_reason = "tool_calls"
    return Message(text, "\n".join(thoughts) or None, finish_reason)


def _finish_reason(word: Any) -> str:
    if word is None or word == "":
        return UNKNOWN_FINISH
    lower = str(word).lower()
    return "stop" if lower in STOP_WORDS else "length" if lower in LENGTH_WORDS else str(word)


def _read_content(content: Any) -> tuple[str, list[str], str | None]:
    """Text, thoughts and refusal of a message's content, which is a text or a list of parts."""
    if content is None or isinstance(content, str):
        return content or "", [], None
    texts, thoughts, refusals = list[str](), list[str](), list[str]()
    for part in content if _is_list(content) else [content]:
        kind = part.get("type", "text") if isinstance(part, dict) else "text"
        if kind in ("text", "output_text"):
            texts.append(_read_text(part["text"] if isinstance(part, dict) else part))
        elif kind in ("thinking", "reasoning"):
            thoughts.append(_join_texts(part.get(kind) or part.get("text") or part.get("summary") or ""))
        elif kind == "refusal":
            refusals.append(_join_texts(part.get("refusal") or ""))
    if content and not (texts or thoughts or refusals):
        raise ValueError("the content has no part of type text")
    return "".join(texts), list(filter(None, thoughts)), "\n".join(refusals) or None


def _join_texts(parts: Any) -> str:
    """The text of a thought, which may be in parts of its own."""
    if isinstance(parts, list):
        return "".join(_join_texts(part) for part in parts)
    return _read_text(parts.get("text", "") if isinstance(parts, dict) else parts)


def _read_text(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"a text is of type {type(text).__name__}")
    return text


def _optional_text(value: Any) -> str | None:
    return _join_texts(value) if value else None


def count_tokens(usage: Any, write_prompt: Callable[[], str], replies: Sequence[str]) -> TokenCounts:
    """Tokens of a request and its replies, as the server counts them; what it leaves out is estimated.

    `write_prompt` is only called for an estimate.
    """
    usage = usage if isinstance(usage, dict) else {}
    total, prompt_tokens = _whole_number(usage.get("total_tokens")), _whole_number(usage.get("prompt_tokens"))
    completion_tokens = _whole_number(usage.get("completion_tokens"))
    estimates = [estimate_tokens(reply) for reply in replies]
    if completion_tokens is None and total is not None and prompt_tokens is not None and total >= prompt_tokens:
        completion_tokens = total - prompt_tokens
    if not completion_tokens and any(replies):
        is_estimate, completions = True, estimates
    else:
        # The server counts all samples together, so each gets an equal share.
        n, is_estimate = max(1, len(replies)), False
        completions = [(completion_tokens or 0) // n + (i < (completion_tokens or 0) % n) for i in range(n)]
    if not prompt_tokens:
        is_estimate = True
        rest = (total or 0) - sum(completions)
        prompt_tokens = rest if rest > 0 else estimate_tokens(write_prompt())
    return TokenCounts(prompt_tokens, tuple(completions), is_estimate)


def counts_one_sample(data: Mapping[str, Any], replies: Sequence[str]) -> bool:
    """Whether the usage of a reply with several samples covers only one of them, as llama.cpp's does.

    Its own field `timings` tells that server; any other is recognized by more characters a token than texts have.
    """
    usage = data.get("usage")
    counted = _whole_number(usage.get("completion_tokens")) if isinstance(usage, dict) else None
    if len(replies) < 2 or not counted:
        return False
    return "timings" in data or sum(map(len, replies)) > MOST_CHARACTERS_PER_TOKEN * counted


def estimate_tokens(text: str) -> int:
    """About how many tokens `text` has, rounded up."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def _whole_number(value: Any) -> int | None:
    """A count as servers write it: 12, 12.0 or "12"; None for anything else."""
    if isinstance(value, str) and value.isdigit():
        return int(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and math.isfinite(value) and value >= 0 else None


def first_token_logprobs(logprobs: Any, is_chat: bool) -> dict[str, float]:
    """Map each likely first token to its log-probability; empty if the server gives none."""
    if is_chat:
        (first, *_) = logprobs.get("content") or [{}]
        alternatives: Iterable[tuple[str, Any]] = (
            (each["token"], each["logprob"])
            for each in [*(first.get("top_logprobs") or ()), *([first] if first else ())]
        )
    else:
        (likely, *_) = logprobs.get("top_logprobs") or [{}]
        alternatives = (likely or {}).items()
    found: dict[str, float] = {}
    for token, value in alternatives:
        found.setdefault(token, float(value))
    return found


def token_logprobs(logprobs: Any, is_chat: bool) -> tuple[float, ...] | None:
    """The log-probability of each token of a reply; None if the server gives none."""
    if not isinstance(logprobs, dict):
        return None
    values = [each["logprob"] for each in logprobs.get("content") or ()] if is_chat else logprobs.get("token_logprobs")
    return tuple(float(value) for value in values or () if value is not None) or None


def read_score(data: Any, score_api: str) -> float:
    """The score in [0, 1] of a reply of `/pooling`, `/score` or `/classify`. Raises ValueError if it is none.

    `/pooling` gives values without bound: a single one, or those of the last token, is mapped by the sigmoid; of
    several labels the last one counts, by the softmax.
    """
    (result, *_) = data["data"]
    if score_api == "score":
        value = float(result["score"])
    elif score_api == "classify":
        value = float(result["probs"][-1])
    else:
        values = result["data"]
        while _is_list(values) and values and _is_list(values[-1]):
            values = values[-1]
        *others, last = [float(value) for value in values] if _is_list(values) else [float(values)]
        value = 1.0 / sum(math.exp(min(700.0, other - last)) for other in [*(others or [0.0]), last])
    if not 0.0 <= value <= 1.0:
        raise ValueError(f'the score {value:g} is not in [0, 1]; use score_api = "pooling", which maps such values')
    return value


def score_completion(value: float, usage: Any, write_prompt: Callable[[], str]) -> Completion:
    """A score as a completion: its text is the score, as `repr` writes it."""
    counts = count_tokens(usage, write_prompt, [""])
    return Completion(
        text=repr(value),
        finish_reason="stop",
        prompt_tokens=counts.prompt,
        completion_tokens=counts.completions[0],
        tokens_estimated=counts.is_estimate,
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
