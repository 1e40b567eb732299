"""Reads calls from JSON: of OpenAI, Anthropic, Llama, ReAct and the Berkeley leaderboard."""

import re
from collections.abc import Mapping
from typing import Any

from tasks.verification.answer_types.call_values import Call
from tasks.verification.answer_types.strict_json import JsonFault, parse_json

_NAME_KEYS = ("name", "tool_name", "tool", "action", "recipient_name", "function_name", "function")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "action_input", "kwargs")
_LIST_KEYS = ("tool_calls", "function_calls", "calls", "tool_uses")
_OTHER_KEYS = frozenset({"id", "type", "index", "call_id", "status", "thought"})
"""Keys beside a name and arguments that say nothing about the call."""
_MESSAGE_KEYS = frozenset({"role", "content", "refusal", "name", "reasoning_content", "audio", "annotations"})
"""Keys beside the calls of a message."""
# matches all of "get_weather", "math.sqrt", "get-it", not of "a b", "1a"
_NAME = re.compile(r"[A-Za-z_][\w.\-/:]*")


def read_calls(value: Any, allow_name_keys: bool = True) -> list[Call] | None:
    """The calls that JSON holds, or None if it holds anything else. Raises `JsonFault` if arguments are broken.

    With `allow_name_keys`, `{"get_weather": {"city": "Paris"}}` is a call.
    """
    if isinstance(value, list):
        parts = [read_calls(each, allow_name_keys) for each in value]
        return [call for part in parts for call in part or ()] if all(part is not None for part in parts) else None
    if not isinstance(value, dict):
        return None
    for key in _LIST_KEYS:
        if isinstance(value.get(key), list) and value.keys() <= {key, *_MESSAGE_KEYS}:
            return read_calls(value[key], False)
    for key in ("function_call", "function", "tool_call"):
        if isinstance(value.get(key), dict) and value.keys() <= {key, *_OTHER_KEYS, *_MESSAGE_KEYS}:
            return read_calls(value[key], False)
    call = _read_call(value)
    if call is None and allow_name_keys and len(value) == 1:
        name, arguments = next(iter(value.items()))
        if isinstance(arguments, dict) and _NAME.fullmatch(name) and name not in (*_NAME_KEYS, *_ARGUMENT_KEYS):
            return [Call(name, arguments)]
    return None if call is None else [call]


def _read_call(value: Mapping[str, Any]) -> Call | None:
    """The call of an object with a name and arguments, an object or one written as JSON text."""
    names = [key for key in _NAME_KEYS if key in value]
    keys = [key for key in _ARGUMENT_KEYS if key in value]
    if len(names) != 1 or len(keys) != 1 or not value.keys() <= {names[0], keys[0], *_OTHER_KEYS}:
        return None
    name, arguments = value[names[0]], value[keys[0]]
    if isinstance(arguments, str):
        arguments = parse_json(arguments)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return None
    if not isinstance(arguments, dict):
        raise JsonFault("arguments")
    return Call(name, arguments)
