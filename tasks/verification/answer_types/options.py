"""Reads the options of a choice from a row's details or from the question, and says which option a text is."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Any, NamedTuple

from tasks.verification.answer_types.text_forms import normalize_text, undress
from tasks.verification.equivalence.compare import compare
from tasks.verification.equivalence.question_target import find_options

MAX_OPTIONS = 26
"""Most options of a choice: they have the letters from A to Z."""
# matches all of "A. Nucleus", "(B) 15", "C) x", not of "A cat", "AB. x"
_LABELED_OPTION = re.compile(r"\(?([A-Z]|[0-9]{1,2})[).:]\s+(\S.*)", re.DOTALL)
# matches "1. Earth", "(2) Mars", "①地球", "3、x", not "1.5", "10 cats"
_NUMBERED = re.compile(r"^[ \t]*(?:\(([1-9])\)|([1-9])[.):、](?![0-9])|([①-⑨]))[ \t]*(\S[^\n]{0,200})$", re.MULTILINE)
# matches "A、21", "B、27", not "A. 21", "x、y"
_CHINESE_LABEL = re.compile(r"(?<![A-Za-z])([A-J])、[ \t]*([^\nA-J]{1,100}?)(?=\s*(?:[A-J]、|\n|\Z))")
# matches the start of "(C) 20", "C. 20", not of "C", "Cat. 20", "(1,2)"
_BEGINS_WITH_LABEL = re.compile(r"\s*(?:\([A-Za-z]\)|[A-Z][).:])\s*\S")
_LETTER_OR_DIGIT = re.compile(r"[0-9\\$^=<>+*/]")


class Option(NamedTuple):
    """One option: its label, a capital letter or a number, and its text."""

    label: str
    text: str


Options = tuple[Option, ...]


def read_options(question: str, details: Mapping[str, Any]) -> Options | None:
    """The options of a row, empty if it has none; None if its details cannot be read."""
    given = next((details[name] for name in ("options", "choices") if details.get(name)), None)
    read = read_options_in(question)
    if given is None:
        return read
    options = _read_given(given)
    if options and read and len(read) == len(options) and read[0].label.isdigit() and isinstance(given, list):
        return tuple(Option(one.label, other.text) for one, other in zip(read, options, strict=True))
    return options


def _read_given(given: Any) -> Options | None:
    """The options of a list of texts, a list of objects, an object of labels, or an object of two lists."""
    if isinstance(given, Mapping) and isinstance(given.get("text"), Sequence) and not isinstance(given["text"], str):
        labels = given.get("label") or given.get("labels") or []
        pairs = list(zip(labels, given["text"], strict=False)) if len(labels) == len(given["text"]) else []
    elif isinstance(given, Mapping):
        pairs = list(given.items())
    elif isinstance(given, list | tuple) and all(isinstance(one, Mapping) for one in given):
        pairs = [(one.get("label") or one.get("key"), one.get("text") or one.get("value")) for one in given]
    elif isinstance(given, list | tuple):
        pairs = _label_texts(given)
    else:
        return None
    if not 2 <= len(pairs) <= MAX_OPTIONS:
        return None
    if not all(isinstance(part, str | int | float) and not isinstance(part, bool) for pair in pairs for part in pair):
        return None
    options = tuple(Option(str(label).strip(" ().:").upper(), str(text).strip()) for label, text in pairs)
    is_labeled = all(re.fullmatch("[A-Z]|[0-9]{1,2}", option.label) for option in options)
    return options if is_labeled and len({option.label for option in options}) == len(options) else None


def _label_texts(texts: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Pairs of label and text; the labels are letters in order, unless the texts begin with them."""
    matches = [_LABELED_OPTION.fullmatch(text.strip()) if isinstance(text, str) else None for text in texts]
    letters = [chr(ord("A") + at) for at in range(len(texts))] if len(texts) <= MAX_OPTIONS else []
    found = [(match[1], match[2]) for match in matches if match]
    if len(found) == len(texts) and [label for label, _ in found] in (letters, [str(n + 1) for n in range(len(texts))]):
        return list(found)
    return list(zip(letters, texts, strict=False))


@lru_cache(maxsize=4096)
def read_options_in(question: str) -> Options:
    """The options that a question lists behind letters or numbers; empty if it lists none."""
    text = question[-20_000:]
    if lettered := find_options(text):
        return tuple(Option(label, value) for label, value in lettered)
    if len(options := tuple(Option(match[1], match[2].strip()) for match in _CHINESE_LABEL.finditer(text))) > 1:
        labels = [option.label for option in options]
        return options if labels == [chr(ord("A") + at) for at in range(len(labels))] else ()
    return _read_numbered(text)


def _read_numbered(text: str) -> Options:
    """The last run of lines that begin with 1, 2, 3 ..."""
    marks = [
        (match[1] or match[2] or str("①②③④⑤⑥⑦⑧⑨".index(match[3]) + 1), match[4].strip())
        for match in _NUMBERED.finditer(text)
    ]
    first = max((at for at, mark in enumerate(marks) if mark[0] == "1"), default=len(marks))
    run = [mark for _, mark in takewhile(lambda item: item[1][0] == str(item[0] + 1), enumerate(marks[first:]))]
    return tuple(Option(label, value) for label, value in run) if len(run) > 1 else ()


def find_labels(text: str, options: Options) -> frozenset[str]:
    """The labels of the options whose text is the same as `text`."""
    return frozenset(option.label for option in options if is_same_text(option.text, text))


def is_same_text(one: str, other: str) -> bool:
    """Whether two texts are the same: as words, or as mathematics if they have digits or signs."""
    if undress(one) == undress(other):
        return True
    if _BEGINS_WITH_LABEL.match(one) or _BEGINS_WITH_LABEL.match(other):  # math would drop the label
        return False
    if not _LETTER_OR_DIGIT.search(one) and not _LETTER_OR_DIGIT.search(other):
        return normalize_text(one) == normalize_text(other) != ""
    verdict = compare(one.strip(), other.strip())
    if verdict is not None:
        return verdict.verdict == "correct"
    return normalize_text(one) == normalize_text(other) != ""
