"""Replies typed as small models: the JSON schema that a server enforces, and a tolerant reader of free text.

Models dress their replies: bold, headings, fences, boxes, JSON, a preface, a farewell. All of them are taken off here,
once, for every stage. What remains ambiguous is not read: a reply that nobody understands costs one more ask, while a
wrong reading is published.
"""

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self, Union, get_args, get_origin

from pydantic import ValidationError

from schemas.identity import FrozenModel
from schemas.reasoning import split_reasoning
from tasks.base.json_reply import parse_json_reply


class Labelled(NamedTuple):
    """The value that follows a label in a text."""

    value: str
    """The rest of the label's line without its dress; the next line if nothing follows the label."""
    rest: str
    """What the text says after the value's line."""
    before: str = ""
    """What it says before the label's line."""


class TypedReply(FrozenModel):
    """What a stage wants back from a model. A subclass has one field for each thing; strings, numbers and words.

    This one wants a topic and whether it is certain::

        from typing import ClassVar, Literal
        from collections.abc import Mapping

        from tasks.base.typed_reply import TypedReply

        class Topic(TypedReply):
            labels: ClassVar[Mapping[str, tuple[str, ...]]] = {"topic": ("topic",), "sure": ("sure", "certain")}

            topic: str
            sure: Literal["yes", "no"]

        Topic.read("**Topic:** areas\\nSure: Yes.").topic
    """

    labels: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Words that open the line of each field, in lower case; by default the field's name."""
    synonyms: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Other words for the words of `Literal` fields, in lower case, e.g. `{"no": ("unsolvable",)}`."""

    @classmethod
    def schema_of_reply(cls) -> dict[str, Any]:
        """The JSON schema of the reply, with all fields required and in their order."""
        return {
            "type": "object",
            "properties": {name: _schema_of(field.annotation) for name, field in cls.model_fields.items()},
            "required": [*cls.model_fields],
            "additionalProperties": False,
        }

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read a reply, in JSON or with labels; None if it lacks a required field or cannot be understood."""
        text = read_reply_text(text) or ""
        if objects := [each for each in find_objects(text) if cls._is_like(each)]:
            readings = {reading for each in objects if (reading := cls._validate(each)) is not None}
            return readings.pop() if len(readings) == 1 else None
        found = {name: find_labelled(text, cls.labels.get(name, (name,))) for name in cls.model_fields}
        return cls._validate({name: labelled.value for name, labelled in found.items() if labelled is not None})

    @classmethod
    def _is_like(cls, parsed: Mapping[str, Any]) -> bool:
        names = {key.lower().replace(" ", "_") for key in parsed}
        return any(name in names for name in cls.model_fields)

    @classmethod
    def _validate(cls, values: Mapping[str, Any]) -> Self | None:
        values = {key.lower().replace(" ", "_"): value for key, value in values.items()}
        words = {name: literal_words(field.annotation) for name, field in cls.model_fields.items()}
        read = {
            name: match_word(str(values[name]), words[name], cls.synonyms) if words[name] else values[name]
            for name in cls.model_fields
            if name in values
        }
        try:
            return cls.model_validate({name: value for name, value in read.items() if value is not None})
        except ValidationError:
            return None


def read_reply_text(text: str) -> str | None:
    """A reply without the thought before it; None if the thought never ends."""
    _, reply, closed = split_reasoning(text)
    return reply if closed else None


# matches "```json", "~~~", not "`x`"
_FENCE_LINE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[^\n`]*$", re.MULTILINE)
# matches r"\boxed{yes}", r"\text{yes}", r"\mathbf{x + 1}", not r"\frac{1}{2}"
_TEXT_COMMAND = re.compile(
    r"\\(?:boxed|fbox|text(?:bf|it|rm|sf)?|math(?:rm|bf|sf|it)|operatorname|mbox)\s*\{([^{}]*)\}"
)
# matches "$$", "\\[", "$x", not "$5"
_MATH_SIGNS = re.compile(r"\\[\[\]()]|\$\$|\$(?=\s*(?:[A-Za-z]|$))|(?<=[A-Za-z.!])\$")
# matches "**a", "`a", "_a", "*a", not "a_b", "12 * 3", "12*3"
_EMPHASIS = re.compile(r"\*{2,3}|(?<![\s0-9])\*|\*(?![\s0-9])|(?<![A-Za-z0-9])_{1,3}|_{1,3}(?![A-Za-z0-9])|`+")
# matches "## Verdict", "> x", "- x", "1. x", not "-5", "1.5", "#5"
_LINE_DRESS = re.compile(r"^[ \t]*(?:(?:#{1,6}|>|[-+\u2022\u2013\u2014]|[0-9]{1,2}[.)])[ \t]+)+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_COLONS = str.maketrans({"\N{FULLWIDTH COLON}": ":", "\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"'})
MAX_DRESS_DEPTH = 4
"""LaTeX commands within each other that are taken off around a word."""


def undress(text: str) -> str:
    r"""The text without Markdown and LaTeX dress, line by line: `**Verdict:** \boxed{\text{yes}}` is `Verdict: yes`."""
    text = _FENCE_LINE.sub("", text.translate(_COLONS))
    for _ in range(MAX_DRESS_DEPTH):
        text, changes = _TEXT_COMMAND.subn(r"\1", text)
        if not changes:
            break
    text = _EMPHASIS.sub("", _MATH_SIGNS.sub("", text))
    return "\n".join(_LINE_DRESS.sub("", line.strip()).strip() for line in text.split("\n"))


def find_labelled(text: str, labels: Sequence[str]) -> Labelled | None:
    """The value after the last line that opens with one of `labels`, in any case and dress; None if there is none.

    A label may be introduced (`Final verdict`, `My verdict`, `The verdict is`), and its value may stand on the next
    line. A label without a colon counts only if it is a line of its own.
    """
    return next(reversed(find_all_labelled(text, labels)), None)


def find_all_labelled(text: str, labels: Sequence[str]) -> list[Labelled]:
    """All values after one of `labels`, in their order; see `find_labelled`."""
    lines, found = undress(text).split("\n"), []
    for at, line in enumerate(lines):
        value = _value_after_label(line, labels)
        for sentence in _SENTENCE_END.split(line)[1:]:
            later = _value_after_label(sentence, labels)
            value = later if later else value
        following = [n for n in range(at + 1, len(lines)) if lines[n]]
        if value:
            found.append(Labelled(value, "\n".join(lines[at + 1 :]).strip(), "\n".join(lines[:at])))
        elif value is not None and following:
            n = following[0]
            found.append(Labelled(lines[n], "\n".join(lines[n + 1 :]).strip(), "\n".join(lines[:at])))
    return found


def _value_after_label(line: str, labels: Sequence[str]) -> str | None:
    """What follows a label that opens `line`: `` if nothing does; None if the line opens with no label."""
    for label in labels:
        words = r"[\s_-]+".join(map(re.escape, label.split()))
        opening = rf"(?:(?:so|therefore|thus|hence|and)[\s,]+)?(?:(?:the|my|our|final|overall|first)\s+)*{words}"
        if match := re.match(rf"{opening}\s*(?::|=|\s(?:is|would be)\b\s*:?|\s-\s)\s*(.*)$", line, re.IGNORECASE):
            return match[1].strip()
        if re.fullmatch(rf"{opening}\s*[.:]?", line, re.IGNORECASE):
            return ""
    return None


def find_objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects in a text, in their order: the text itself, those in fences and those between other words.

    Objects within objects are not listed. LaTeX with single backslashes is read as it was meant.
    """
    if parsed := parse_json_reply(text.strip().removesuffix("```").strip()):
        return [parsed]
    return [parsed for part in _balanced_parts(text) if (parsed := parse_json_reply(part))]


_OBJECT_BEGIN = re.compile(r"\{\s*\"")
MAX_OBJECTS = 32
"""Places at which a JSON object may begin that are looked at, so that a text of braces costs no time."""


def _balanced_parts(text: str) -> Iterator[str]:
    """The parts of a text from `{"` to the brace that closes it."""
    at = 0
    for _ in range(MAX_OBJECTS):
        match = _OBJECT_BEGIN.search(text, at)
        if match is None:
            return
        depth, in_string, escaped, end = 0, False, False, -1
        for n in range(match.start(), len(text)):
            sign = text[n]
            if in_string:
                in_string = escaped or sign != '"'
                escaped = sign == "\\" and not escaped
            elif sign == '"':
                in_string = True
            elif sign in "{}":
                depth += 1 if sign == "{" else -1
                if depth == 0:
                    end = n + 1
                    break
        if end < 0:
            return
        yield text[match.start() : end]
        at = end


def match_word(value: str, words: Sequence[str], synonyms: Mapping[str, Sequence[str]] = {}) -> str | None:
    """The one of `words` that a value opens with, or says by a synonym; None if it names none or more than one."""
    plain = " ".join(undress(value).lower().strip(" .,:;!\"'()[]*").split())
    spellings = sorted(
        ((each, word) for word in words for each in (word, word.replace("_", " "), *synonyms.get(word, ()))),
        key=lambda pair: -len(pair[0]),
    )
    for spelling, word in spellings:
        if plain == spelling or re.match(rf"{re.escape(spelling)}(?![\w/|-])", plain):
            return None if names_another(plain[len(spelling) :], word, words, synonyms) else word
    return None


def names_another(text: str, word: str, words: Sequence[str], synonyms: Mapping[str, Sequence[str]]) -> bool:
    """Whether a text in lower case says one of `words` other than `word`; `not solvable` does not say `solvable`."""
    spellings = [(each, other) for other in words for each in (other, *synonyms.get(other, ()))]
    for spelling, other in sorted(spellings, key=lambda pair: -len(pair[0])):
        text, found = re.subn(rf"(?<![\w-]){re.escape(spelling)}(?![\w-])", " ", text)
        if found and other != word:
            return True
    return False


def literal_words(annotation: Any) -> tuple[str, ...]:
    """The words of a `Literal` annotation, also of one that may be None; empty for any other type."""
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(word for each in get_args(annotation) for word in literal_words(each))
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _schema_of(annotation: Any) -> dict[str, Any]:
    if words := literal_words(annotation):
        return {"type": "string", "enum": list(words)}
    if get_origin(annotation) in (tuple, list):
        return {"type": "array", "items": _schema_of(get_args(annotation)[0])}
    kinds = {int: "integer", float: "number", bool: "boolean", str: "string"}
    members = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    return {"type": next(kind for member in members if (kind := kinds.get(member)))}
