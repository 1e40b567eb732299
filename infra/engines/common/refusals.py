"""Reads why a server refused a request: a field it does not take, a prompt or reply too long for it, or the model."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

_NUMBER = r"(\d[\d,]*)"
# matches "exceeds the available context size", "maximum context length is 2048", not "in the context of the reply"
_TOO_LONG = re.compile(
    r"context_length|context[ _]size|context[ _]length|context[ _]window|context[ _]limit|maximum context|n_ctx"
    r"|prompt is too long|input is too long|too many (input )?tokens|string too long|too large for model"
    r"|input token count|tokens allowed|max_new_tokens`? must be|`inputs` must have less than|is too long"
    r"|maximum (number of )?(input )?tokens|reduce the length",
    re.I,
)
# matches "maximum context length is 2048", "must be <= 4096", "tokens allowed (1048576)", not "2048 tokens"
_WINDOW = re.compile(
    rf"(?:context[ _](?:length|size|window|limit)(?: (?:is|of))? ?[(:]?|must be <=|tokens allowed \(|n_ctx\W+"
    rf"|must have less than|tokens >|\d >) ?{_NUMBER}|{_NUMBER} maximum context",
    re.I,
)
# matches "at most 16384 completion tokens", "max_tokens is too large", not "max_tokens is not supported"
_REPLY_TOO_LONG = re.compile(
    r"(max_(completion_|new_|output_)?tokens\W.{0,60}(too large|at most|less than|must be|valid range|maximum|greater)"
    r"|(too large|at most|less than|range of|maximum|greater).{0,60}(completion tokens|max_(completion_)?tokens))",
    re.I | re.S,
)
# matches "5000 in the completion", "`max_new_tokens` must be <= 2048", not "5000 tokens"
_REPLY = re.compile(r"completion|max_(new_|completion_|output_)?tokens", re.I)
# matches "is not a valid model ID", "The model `x` does not exist", "model not found", not "the model failed"
_UNKNOWN_MODEL = re.compile(
    r"not a valid model|unknown model|invalid model|no such model|model \S{0,80} ?(does not exist|(is )?not found)"
    r"|model_not_found|does not exist or you do not have access",
    re.I,
)
# matches "is not supported", "Extra inputs are not permitted", "only the default", not "the server failed"
_UNSUPPORTED = re.compile(
    r"support|unrecogni[sz]ed|unknown|unexpected|extra|not (permitted|allowed|available|implemented|valid)|forbidden"
    r"|only|invalid|incompatible|cannot (both|be)|can't be|deprecated|must be|should be|not a (valid )?parameter"
    r"|ignored|use only one",
    re.I,
)
# matches "'loc': ('body', 'seed')", '"loc":["body","seed"]', not "('body', 'seed')"
_LOCATION = re.compile(r"""['"]?loc['"]?: ?[(\[]['"]body['"], ?['"](\w+)['"]""")
# matches "Use 'max_completion_tokens' instead", not "use another model instead"
_INSTEAD = re.compile(r"use [`'\"](\w+)[`'\"] instead", re.I)
_NEVER_REFUSED = frozenset({"model", "messages", "prompt", "input", "text_1", "text_2"})
"""Fields without which there is no request; messages mention them for other reasons."""
# matches "Only one completion choice is allowed", "multiple choices are not supported", not "no choices"
_SEVERAL = re.compile(
    r"\b(only|single|one|multiple|several|more than)\b.{0,20}\b(choices?|samples|generations)\b", re.I
)
# matches "System role not supported", "Conversation roles must alternate user/assistant", not "the system failed"
_NO_SYSTEM_TURN = re.compile(
    r"system (role|message|prompt|turn|instruction)s?\b.{0,40}(not|un)|(not|un)\w* .{0,40}system (role|message|prompt)"
    r"|roles must alternate|developer instruction is not enabled",
    re.I,
)
_STRUCTURE_WORDS = ("response_format", "json_schema", "guided", "structured", "grammar", "json schema")
_MODERATION_WORDS = ("moderation", "flagged", "content policy", "content_policy", "content management policy")


class RefusedFields(NamedTuple):
    """The fields of a body that a server refused, and the name that it says to use instead, if any."""

    names: tuple[str, ...]
    use_instead: str | None


def find_refused_fields(data: bytes, body: Mapping[str, Any]) -> RefusedFields:
    """The fields of `body` that the server names in its error `data`; none if the error is about something else."""
    try:
        error = orjson.loads(data)
    except ValueError:
        error = data.decode("utf-8", "replace")
    text = " ".join(_messages(error))
    names = [*_located(error), *_LOCATION.findall(text)]
    candidates = [name for name in body if name not in _NEVER_REFUSED]
    named = [name for name in candidates if name in names]
    if not named and _UNSUPPORTED.search(text):
        named = [name for name in candidates if _names(text, name)]
    if not named and "response_format" in body and any(word in text.lower() for word in _STRUCTURE_WORDS):
        named = ["response_format"]
    if not named and "n" in body and _SEVERAL.search(text):
        named = ["n"]
    instead = _INSTEAD.search(text)
    return RefusedFields(tuple(named), instead[1] if instead else None)


def _located(error: Any) -> Iterator[str]:
    """Fields that an error names in `param` (OpenAI) or `loc` (FastAPI), wherever they are in it."""
    if isinstance(error, list):
        for each in error:
            yield from _located(each)
    elif isinstance(error, dict):
        for key, value in error.items():
            if key == "param" and isinstance(value, str):
                yield re.split(r"[.\[]", value)[0]
            elif key == "loc" and isinstance(value, list):
                yield next((part for part in value if isinstance(part, str) and part != "body"), "")
            elif key != "input":  # what was sent, which names every field
                yield from _located(value)


def _messages(error: Any) -> Iterator[str]:
    """All texts of an error that are written for a reader."""
    if isinstance(error, str):
        yield error
    elif isinstance(error, list):
        for each in error:
            yield from _messages(each)
    elif isinstance(error, dict):
        for key in ("message", "msg", "detail", "error", "raw", "metadata"):
            yield from _messages(error.get(key))


def _names(text: str, field: str) -> bool:
    """Whether a message names `field`: in quotes, or as a word; `n` and `stop` only where they can be nothing else."""
    word = re.escape(field)
    if field not in ("n", "stop"):
        return bool(re.search(rf"\b{word}\b", text))
    patterns = (
        rf"""[`'"]{word}[`'"]""",
        rf"\b{word} ?(>|<|=|!=|is |are |must |should )",
        rf"(parameters?|fields?|arguments?|value for|supplied):? {word}\b",
        rf"\b{word}: ",
    )
    return any(re.search(pattern, text) for pattern in patterns)


def refuses_system_turn(message: str) -> bool:
    """Whether a message says that the model's chat template knows no system turn."""
    return bool(_NO_SYSTEM_TURN.search(message))


def is_too_long(message: str) -> bool:
    """Whether a message says that prompt and reply do not fit into the context."""
    return bool(_TOO_LONG.search(message))


def window_tokens(message: str) -> int | None:
    """The size of the context that a message names; None if it names none."""
    found = [(match[1] or match[2]).replace(",", "") for match in _WINDOW.finditer(message)]
    return max(map(int, found), default=None)


def counts_reply(message: str) -> bool:
    """Whether a message on the context's size counts the tokens of the reply as well."""
    return bool(_REPLY.search(message))


def is_reply_too_long(message: str) -> bool:
    """Whether a message says that `max_tokens` alone is more than the model ever writes."""
    return bool(_REPLY_TOO_LONG.search(message))


def is_unknown_model(message: str) -> bool:
    """Whether a message says that there is no such model."""
    return bool(_UNKNOWN_MODEL.search(message))


def is_moderation(message: str) -> bool:
    """Whether a message says that the prompt's content was refused, which concerns this row alone."""
    return any(word in message.lower() for word in _MODERATION_WORDS)


def advise(fields: Collection[str], use_instead: str | None, renamed: Mapping[str, str]) -> str:
    """What to write into the profile when a server refuses `fields`."""
    originals = {new: old for old, new in renamed.items()}
    names = [originals.get(name, name) for name in fields]
    if use_instead and len(names) == 1:
        return f'write rename = {{ {names[0]} = "{use_instead}" }} into the role of the profile'
    if {"temperature", "top_p"} <= set(names):
        names = ["top_p"]
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"write drop = [{quoted}] into the role of the profile"
