"""Finds where the answer of a reply stands: the whole reply, tags, a box, behind a marker, in fences or in prose."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tasks.verification.answer_types.strict_json import (
    MAX_CHARACTERS,
    JsonFault,
    JsonText,
    canonical_text,
    find_closing,
    read_json,
)
from tasks.verification.extraction.boxes import find_boxes
from tasks.verification.extraction.generation_end import find_end

# matches "```json\n{}\n```", "~~~\n1\n~~~", "```\n1", not "`x`", "```x```"
_FENCE = re.compile(
    r"^[ \t>]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[^\n`]*)\n(?P<body>.*?)(?:^[ \t>]*(?P=fence)[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
# matches "<answer>1</answer>", "\n<answer>\n", not '"<answer>1</answer>"'
_ANSWER_TAG = re.compile(r"^[ \t>*]*<answer>", re.MULTILINE | re.IGNORECASE)
# matches "**Final Answer:**\n", "Final answer: x", "Output:", "答案:1", not '"answer": 1', "The answers differ"
_MARKER = re.compile(
    r"^[ \t>#*_-]*+(?:so,? |thus,? |therefore,? )?(?:here is |here's )?(?:the |my |our )?"
    r"(?:(?:final|corrected|revised|updated|correct) (?:answer|json|output|result|version|call|object)"
    r"|answer|output|result|答案)(?: is)?[ \t*_]*[:\uff1a][ \t*_]*",
    re.MULTILINE | re.IGNORECASE,
)
# matches '{"a"', "{}", "{ 'a'", "{a: 1", '["', "[1", "[]", "[[", "[None", not "{1, 2}", "[see", "{x}"
_JSON_BEGIN = re.compile(
    r"\{\s*+(?:[\"'}]|[A-Za-z_]\w*+\s*+:)|\[\s*+(?:[\"'\[\]{]|-?[0-9]|(?:true|false|null|None|True|False|NaN)\b)"
)
# matches "[0", "[ -1", not "[[", '["'
_NUMBER_LIST_BEGIN = re.compile(r"\[\s*+-?[0-9]")
# matches r"\text{a}", r"\texttt{a}", not r"\frac{a}"
_TEXT_COMMAND = re.compile(r"\A\s*\\(?:text(?:tt|rm|sf)?|mathtt|mathrm|mbox)\s*\{(.*)\}\s*\Z", re.DOTALL)
# matches r"\{", r"\_", not r"\n", r"\""
_LATEX_ESCAPE = re.compile(r"\\([{}_%$&#])")
JSON_LANGUAGES = ("json", "jsonc", "json5", "")
"""Languages of fences that hold JSON."""
_TRIM = "\ufeff\u200b \t\r\n`"


class Fence(NamedTuple):
    """A block of code: where it lies, its language in lower case, and its body."""

    start: int
    end: int
    language: str
    body: str


class ReplyParts(NamedTuple):
    """A reply taken apart: its text, its fences, and the text with the fences blanked out."""

    text: str
    fences: tuple[Fence, ...]
    outside: str


class Place(NamedTuple):
    """A place of a reply that may hold the answer; `texts` are its parts, and a part of prose holds other words."""

    name: str
    texts: tuple[str, ...]
    is_prose: bool = False


def take_apart(reply: str) -> ReplyParts:
    """Take a reply apart. What a model generates behind its answer, such as another question, is cut off."""
    text = reply[: find_end(reply, lambda before: _JSON_BEGIN.search(before) is not None)]
    fences = tuple(
        Fence(*match.span(), match["language"].strip().lower(), match["body"]) for match in _FENCE.finditer(text)
    )
    pieces, at = [], 0
    for fence in fences:
        pieces += [text[at : fence.start], " " * (fence.end - fence.start)]
        at = fence.end
    return ReplyParts(text, fences, "".join([*pieces, text[at:]]))


def find_explicit(parts: ReplyParts) -> Iterator[Place]:
    """The places that say themselves that they hold the answer, the strongest first: tags, a box, a marker."""
    if tags := list(_ANSWER_TAG.finditer(parts.outside)):
        start = tags[-1].end()
        end = parts.text.lower().find("</answer>", start)
        yield Place("tags", (parts.text[start : end if end >= 0 else len(parts.text)],))
    if boxes := find_boxes(parts.outside):
        yield Place("box", (unescape_latex(parts.text[boxes[-1].start : boxes[-1].end]),))
    if markers := list(_MARKER.finditer(parts.outside)):
        before = parts.outside[: markers[-1].start()]
        if before.count("{") <= before.count("}"):  # else it is a key of an object
            yield Place("marker", (parts.text[markers[-1].end() :],), is_prose=True)


def unescape_latex(text: str) -> str:
    r"""The content of a box without `\text{...}` and `\{`, if it is no JSON as it stands."""
    if not read_json(text).fault:
        return text
    if command := _TEXT_COMMAND.match(text):
        text = command[1]
    return _LATEX_ESCAPE.sub(r"\1", text)


def find_json(reply: str, question: str = "", prefers_objects: bool = False) -> list[JsonText]:
    """The JSON of the strongest place of a reply that holds any: values, and faults of parts that begin like JSON.

    `prefers_objects`: lists of numbers in prose, such as citations, do not count beside objects.
    """
    if len(reply) > MAX_CHARACTERS:
        return [JsonText(fault="too_long")]
    whole = read_json(reply.strip(_TRIM))
    if whole.fault in ("", "duplicate_key", "too_deep", "not_a_number", "number"):
        return [whole]
    parts = take_apart(reply)
    for place in find_explicit(parts):
        if values := _read_place(place):
            return _select(values, question, prefers_objects)
    if values := _read_fences(parts):
        return _select(values, question, False)
    programs = {fence.body for fence in parts.fences if fence.language not in JSON_LANGUAGES}
    prose = parts.outside if programs else parts.text
    return _select(list(scan_json(prose)), question, prefers_objects)


def _read_place(place: Place) -> list[JsonText]:
    text = place.texts[0]
    whole = read_json(text.strip(_TRIM))
    if not whole.fault:
        return [whole]
    inner = take_apart(text)
    return _read_fences(inner) or list(scan_json(inner.outside))


def _read_fences(parts: ReplyParts) -> list[JsonText]:
    """The JSON of fences: of those that say that they hold JSON, or else of those that say nothing."""
    for languages in (JSON_LANGUAGES[:-1], JSON_LANGUAGES[-1:]):
        bodies = [fence.body for fence in parts.fences if fence.language.split(" ")[0] in languages]
        values = [each for body in bodies for each in _read_fence(body, is_json=bool(languages[0]))]
        if values:
            return values
    return []


def _read_fence(body: str, is_json: bool) -> list[JsonText]:
    whole = read_json(body.strip())
    if not whole.fault:
        return [whole]
    scanned = list(scan_json(body))
    return scanned or ([whole] if is_json else [])


def scan_json(text: str) -> Iterator[JsonText]:
    """The JSON objects and lists within a text, in order, and the faults of what begins like one.

    What lies within a faulty one is not looked at: the inner object of a broken object is no answer. Characters that
    are scanned are counted, so a text of opening brackets costs no time.
    """
    at, scanned = 0, 0
    while match := _JSON_BEGIN.search(text, at):
        start = match.start()
        is_number_list = _NUMBER_LIST_BEGIN.match(text, start) is not None
        try:
            end = find_closing(text, start)
        except JsonFault as fault:
            yield JsonText(fault=str(fault))
            return
        scanned += (end if end >= 0 else len(text)) - start
        if scanned > 4 * len(text) + 1000:
            yield JsonText(fault="no_json")
            return
        if end < 0 and not is_number_list:
            yield JsonText(fault="cut_off")
            return
        value = read_json(text[start:end]) if end >= 0 else JsonText(fault="no_json")
        if value.fault and is_number_list:  # an interval such as [0, 1)
            at = start + 1
            continue
        yield value
        at = end


def _select(values: list[JsonText], question: str, prefers_objects: bool) -> list[JsonText]:
    """The values without citations, and without those that only repeat the question, if others remain."""
    if prefers_objects:
        values = [each for each in values if each.fault or not _is_citation(each.value)] or values
    others = [each for each in values if each.fault or each.text not in question]
    return others or values


def _is_citation(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, int) for each in value)


def agree(values: list[JsonText]) -> bool:
    """Whether all of several readings are the same value."""
    return len({canonical_text(each.value) for each in values}) == 1
