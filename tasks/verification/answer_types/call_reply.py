"""Finds the calls of a reply, in any of the forms in which models write them."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tasks.verification.answer_types.call_json import read_calls
from tasks.verification.answer_types.call_python import CALL_BEGIN, Parameters, PythonFault, parse_calls, scan_calls
from tasks.verification.answer_types.call_values import MAX_CALLS, Call, RawText
from tasks.verification.answer_types.reply_places import (
    JSON_LANGUAGES,
    Place,
    find_explicit,
    scan_json,
    take_apart,
)
from tasks.verification.answer_types.strict_json import MAX_CHARACTERS, JsonFault, read_json

# matches "<tool_call>", "<|tool_call|>", "<function_call>", not "<tool>", "tool_call"
_OPEN_TAG = re.compile(r"<(?P<bar>\|?)(?P<tag>tool_calls?|function_?calls?)\|?>")
# matches "<function=f>{}</function>", not "<function>"
_FUNCTION_TAG = re.compile(r"<function=(?P<name>[^<>\s]{1,200})>(?P<body>.*?)</function>", re.DOTALL)
# matches "<parameter=x>\n1\n</parameter>", not "<parameter>1</parameter>"
_PARAMETER_TAG = re.compile(r"<parameter=(?P<name>[^<>\s]{1,200})>\n?(?P<value>.*?)\n?</parameter>", re.DOTALL)
# matches "[TOOL_CALLS] [{}]", "<|python_tag|>{}", not "[TOOL]"
_TOKEN = re.compile(r"\[TOOL_CALLS\]|<\|python_tag\|>")
_DEEPSEEK_TOKENS = {
    "<\uff5ctool\u2581call\u2581begin\uff5c>": "<|tool_call_begin|>",
    "<\uff5ctool\u2581call\u2581end\uff5c>": "<|tool_call_end|>",
    "<\uff5ctool\u2581sep\uff5c>": "<|tool_sep|>",
}
"""Tokens of DeepSeek's models, and how they are written here."""
# matches "<|tool_call_begin|>function<|tool_sep|>f\n```json\n{}\n```<|tool_call_end|>", not "<|tool_sep|>f"
_DEEPSEEK = re.compile(
    r"<\|tool_call_begin\|>(?:function)?<\|tool_sep\|>(?P<name>[^\n<]{1,200})\n"
    r"```json\n(?P<body>.*?)\n```\s*<\|tool_call_end\|>",
    re.DOTALL,
)
# matches "Action: f\nAction Input: {}", not "Action: f\nObservation"
_REACT = re.compile(
    r"^[ \t*]*Action[ \t*]*:[ \t*]*(?P<name>[\w.\-]{1,200})[ \t*]*\n[ \t*]*Action[ \t]Input[ \t*]*:", re.M
)
_PYTHON_LANGUAGES = ("python", "py", "tool_code", "")
# matches "`f(x=1)`", not "``", "`a\nb`"
_CODE_SPAN = re.compile(r"`([^`\n]{3,})`")
# matches all of "; ", ",\n", not of "and"
_SEPARATORS = re.compile(r"[\s;,]*")
# matches "<tool_call", '{"name"', "f(x=", "[TOOL_CALLS]", not "f(x)", "call me"
LOOKS_LIKE_CALL = re.compile(
    r"tool_call|function_call|functioncall|<function=|TOOL_CALLS|python_tag|\u2581|\{\s*[\"']|^[ \t]*Action[ \t]*:"
    r"|[A-Za-z_]\w*\((?:\s*\)|\s*[A-Za-z_]\w*\s*=|\s*[\"'\[{])",
    re.MULTILINE,
)


class CallReading(NamedTuple):
    """The calls of a reply; None if it makes none. A `fault` says why they cannot be read."""

    calls: list[Call] | None
    fault: str = ""


def read_reply(reply: str, parameters: Parameters) -> CallReading:
    """The calls of the strongest place of a reply that holds any."""
    if len(reply) > MAX_CHARACTERS:
        return CallReading(None, "too_long")
    try:
        calls = _read_reply(reply, parameters)
    except (JsonFault, PythonFault) as fault:
        return CallReading(None, str(fault))
    if calls and len(calls) > MAX_CALLS:
        return CallReading(None, "too_long")
    return CallReading(calls)


def _read_reply(reply: str, parameters: Parameters) -> list[Call] | None:
    whole = _read_text(reply, parameters)
    if whole is not None:
        return whole
    tagged = _read_tags(reply)
    if tagged is not None:
        return tagged
    parts = take_apart(reply)
    for place in find_explicit(parts):
        if (calls := _read_place(place, parameters)) is not None:
            return calls
    for languages in (JSON_LANGUAGES[:-1], _PYTHON_LANGUAGES[:-1], ("",)):
        bodies = [fence.body for fence in parts.fences if fence.language.split(" ")[0] in languages]
        if (calls := _read_all(bodies, parameters, needs_all="json" in languages)) is not None:
            return calls
    spans = [span for span in _CODE_SPAN.findall(parts.outside) if CALL_BEGIN.match(span) or span[:1] in "{["]
    if (calls := _read_all(spans, parameters)) is not None:
        return calls
    return _read_prose(parts.outside, parameters)


def _read_all(texts: list[str], parameters: Parameters, needs_all: bool = False) -> list[Call] | None:
    if len(texts) > MAX_CALLS:
        raise JsonFault("too_long")
    parts = [_read_text(text, parameters) for text in texts]
    if needs_all and any(part is None for part in parts) and any(part is not None for part in parts):
        raise JsonFault("no_call")
    return [call for part in parts for call in part or ()] if any(part is not None for part in parts) else None


def _read_place(place: Place, parameters: Parameters) -> list[Call] | None:
    text = place.texts[0]
    first_line = text.strip().partition("\n")[0].strip().rstrip(".")
    whole = _read_text(text, parameters)
    if whole is not None:
        return whole
    inner = take_apart(text)
    fenced = _read_all([fence.body for fence in inner.fences], parameters)
    if fenced is not None:
        return fenced
    return _read_text(first_line, parameters) if place.is_prose else None


def _read_text(text: str, parameters: Parameters) -> list[Call] | None:
    """The calls of a text that holds nothing else; None if it holds something else."""
    text = text.strip("\ufeff \t\r\n")
    text = text if text.startswith("```") else text.strip("`")
    parsed = read_json(text)
    if not parsed.fault:
        return read_calls(parsed.value)
    if parsed.fault not in ("no_json", "too_long"):
        raise JsonFault(parsed.fault)
    python = parse_calls(text, parameters)
    if python is not None:
        return python
    return _read_sequence(text)


def _read_sequence(text: str) -> list[Call] | None:
    """The calls of several JSON values behind each other, with nothing but blanks, commas and semicolons between."""
    if text[:1] != "{":
        return None
    calls, at = list[Call](), 0
    for value in scan_json(text):
        if value.fault:
            raise JsonFault(value.fault)
        start = text.find(value.text, at)
        if not _SEPARATORS.fullmatch(text, at, start):
            return None
        part = read_calls(value.value)
        if part is None:
            return None
        calls += part
        at = start + len(value.text)
    return calls if _SEPARATORS.fullmatch(text, at) and calls else None


def _read_tags(text: str) -> list[Call] | None:
    """The calls in the tags and tokens of chat models; None if there are none."""
    kinds = [
        part for part in (_read_call_tags(text), _read_token(text), _read_deepseek(text), _read_react(text)) if part
    ]
    if len(kinds) > 1:
        raise JsonFault("several_answers")
    return kinds[0] if kinds else None


def _read_call_tags(text: str) -> list[Call] | None:
    bodies, at = list[str](), 0
    while match := _OPEN_TAG.search(text, at):
        tag, bar = match["tag"], match["bar"]
        ends = [text.find(end, match.end()) for end in (f"</{tag}>", f"<{bar}/{tag}{bar}>", f"<|/{tag}|>")]
        found = [end for end in ends if end >= 0]
        if not found:
            raise JsonFault("cut_off")
        bodies.append(text[match.end() : min(found)])
        at = min(found) + len(tag)
        if len(bodies) > MAX_CALLS:
            raise JsonFault("too_long")
    if not bodies and "<function=" in text:
        bodies = [text]
    calls = [call for body in bodies for call in _read_tag_body(body)]
    return calls or None


def _read_tag_body(body: str) -> Iterator[Call]:
    if "<function=" in body:
        _check_pairs(body, "<function=", "</function>")
        for match in _FUNCTION_TAG.finditer(body):
            yield _read_function(match["name"], match["body"])
        return
    calls = _read_text(body, {})
    if calls is None:
        raise JsonFault("no_call")
    yield from calls


def _read_function(name: str, body: str) -> Call:
    """The call of Llama's tag, with JSON, or of Qwen3-Coder's, with a tag for each argument."""
    if "<parameter=" not in body:
        arguments = read_json(body.strip() or "{}")
        if arguments.fault or not isinstance(arguments.value, dict):
            raise JsonFault(arguments.fault or "arguments")
        return Call(name, arguments.value)
    _check_pairs(body, "<parameter=", "</parameter>")
    found = [(match["name"], RawText(match["value"])) for match in _PARAMETER_TAG.finditer(body)]
    values = dict(found)
    if len(values) < len(found) or len(found) != body.count("<parameter="):
        raise JsonFault("duplicate_key")
    return Call(name, values)


def _check_pairs(text: str, opening: str, closing: str) -> None:
    """Refuse tags that do not close, and more of them than a call has: the search for a pair's end is then short."""
    count = text.count(opening)
    if count != text.count(closing):
        raise JsonFault("cut_off")
    if count > MAX_CALLS:
        raise JsonFault("too_long")


def _read_token(text: str) -> list[Call] | None:
    match = _TOKEN.search(text)
    if match is None:
        return None
    rest = re.sub(r"(?:<\|(?:eom_id|eot_id|im_end)\|>|</s>)\s*\Z", "", text[match.end() :])
    calls = _read_text(rest, {})
    if calls is None:
        raise JsonFault("no_call")
    return calls


def _read_deepseek(text: str) -> list[Call] | None:
    for token, name in _DEEPSEEK_TOKENS.items():
        text = text.replace(token, name)
    _check_pairs(text, "<|tool_call_begin|>", "<|tool_call_end|>")
    found = list(_DEEPSEEK.finditer(text))
    if len(found) != text.count("<|tool_call_begin|>"):
        raise JsonFault("cut_off")
    return [_read_function(match["name"].strip(), match["body"]) for match in found] or None


def _read_react(text: str) -> list[Call] | None:
    calls = list[Call]()
    for match in _REACT.finditer(text):
        value = next(scan_json(text[match.end() :].partition("\nObservation")[0]), None)
        if value is None or value.fault or not isinstance(value.value, dict):
            raise JsonFault(value.fault if value and value.fault else "arguments")
        calls.append(Call(match["name"], value.value))
        if len(calls) > MAX_CALLS:
            raise JsonFault("too_long")
    return calls or None


def _read_prose(text: str, parameters: Parameters) -> list[Call] | None:
    """The calls within other words, in JSON or in Python syntax but not in both."""
    values = list(scan_json(text))
    found = [calls for each in values if not each.fault and (calls := read_calls(each.value, False))]
    python = scan_calls(text, parameters)
    if python and found:
        raise JsonFault("several_answers")
    if python:
        return python
    if any(each.fault for each in values):
        raise JsonFault(next(each.fault for each in values if each.fault))
    return [call for part in found for call in part] or None
