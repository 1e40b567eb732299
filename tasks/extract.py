r"""Finds the final answer in a response, and shows where it stood.

The rules run from the most explicit to the weakest: a `\boxed{}`, a `####`, a marked line, "the answer is", and at last
the last number. Every rule is linear in the length of the text: a degenerate response of 1 MB takes some 10 ms.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MARKERS = ("A:",)
"""How the recorded GSM8K solutions mark their last line."""
EXPLICIT = frozenset({"boxed", "hash", "marker"})
"""Rules by which a text marks its answer on purpose; the others only guess."""

_BOX = re.compile(r"\\(?:boxed|fbox)\s*+\{")
_SPACED_BOX = re.compile(r"\\((?:boxed|fbox)\s++)\{")
_OPENS_BOX = "\x01"
_ANSWER_IS = re.compile(r"\banswer\s++is\b\s*+(?::?\*\*(?=\s)|\*\*:|:)?+\s*+(?:(?:\$\$|\\\[)[ \t]*+\n\s*+)?+")
r"""With the end of bold type, and with a `$$` or `\[` that is alone on its line."""
_SENTENCE_END = re.compile(r"[.?](?=\s|\Z)|\n")
_DIGIT = re.compile(r"[0-9]")
_NUMERAL_REVERSED = re.compile(r"(?:[0-9]++[-+]?[eE](?=[0-9]))?+[0-9.,/]*+(?:\$\\?)?[-−]?")  # noqa: RUF001
_POINT = re.compile(r"(?:\A|[^\w.])\.\Z")
"""A decimal point with nothing before it: that of `.5`, but not that of `p.5`."""
_GLUED_BEFORE = re.compile(r"\^[{(]?[-+]?\Z|[0-9]:\Z")
_GLUED_BEHIND = re.compile(r"[})]?\^|!|:[0-9]|[eE](?![A-Za-z])")


class Extract(NamedTuple):
    """A final answer: `text` is `source[start:end]`, `found_by` the rule that found it."""

    text: str
    found_by: str
    start: int
    end: int


def extract(text: str, markers: Sequence[str] = MARKERS) -> Extract | None:
    """The final answer in `text`, or None. `markers` open a line whose rest is the answer, e.g. `A:`."""
    return _boxed(text) or _hash(text) or _marked(text, markers) or _answer_is(text) or _last_number(text)


def _found(text: str, rule: str, start: int, end: int) -> Extract | None:
    """The span without the blanks around it; None if nothing is left."""
    span = text[start:end]
    start += len(span) - len(span.lstrip())
    span = span.strip()
    return Extract(span, rule, start, start + len(span)) if span else None


def _boxed(text: str) -> Extract | None:
    r"""The last `\boxed{...}` or `\fbox{...}` that is closed; braces nest, `\{` and `\}` are characters.

    Depths are computed for the whole text at once: scanning from each box would be quadratic in a text of open boxes.
    """
    first = _BOX.search(text)
    if first is None:
        return None
    offset = first.start()
    codes = np.frombuffer(_plain(text[offset:]).encode("ascii", "replace"), dtype=np.uint8)  # one byte a character
    is_box = codes == ord(_OPENS_BOX)
    depth = np.cumsum(((codes == ord("{")) | is_box).astype(np.int32) - (codes == ord("}")), dtype=np.int32)
    lowest_after = np.minimum.accumulate(depth[::-1])[::-1]
    closed = np.flatnonzero(is_box & (lowest_after < depth))
    if not closed.size:
        return None
    start = int(closed[-1])
    length = int(np.argmax(depth[start:] < depth[start]))
    return _found(text, "boxed", offset + start + 1, offset + start + length)


def _plain(text: str) -> str:
    """`text`, as long as before, with the brace of each box marked and escaped braces gone."""
    text = text.replace(_OPENS_BOX, "?")
    text = text.replace("\\boxed{", "?boxed" + _OPENS_BOX).replace("\\fbox{", "?fbox" + _OPENS_BOX)
    text = _SPACED_BOX.sub(r"?\1" + _OPENS_BOX, text)
    return text.replace("\\\\", "  ").replace("\\{", "  ").replace("\\}", "  ")


def _hash(text: str) -> Extract | None:
    """What follows the last `####`, to the end of its line (GSM8K)."""
    at = text.rfind("####")
    return None if at < 0 else _found(text, "hash", at + 4, _line_end(text, at))


def _marked(text: str, markers: Sequence[str]) -> Extract | None:
    """What follows a marker at the start of the last line that has one; the next line if that line ends there."""
    start = max((_after_marker(text, marker) for marker in markers), default=-1)
    if start < 0:
        return None
    rest = text[start:]
    start += len(rest) - len(rest.lstrip())
    return _found(text, "marker", start, _line_end(text, start))


def _after_marker(text: str, marker: str) -> int:
    """Where the text after `marker` starts in the last line that opens with it, or -1. Looks at each line once."""
    end = len(text)
    while marker and (at := text.rfind(marker, 0, end)) >= 0:
        line = text.rfind("\n", 0, at) + 1
        opening = text[line : at + len(marker)]
        if opening.lstrip().startswith(marker):
            return line + len(opening) - len(opening.lstrip()) + len(marker)
        end = line
    return -1


def _answer_is(text: str) -> Extract | None:
    """What follows the last "the answer is", to the end of the sentence; the point in `3.5` ends none."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a few characters grow in lower case, and positions must stay
        lowered = text
    at = len(text)
    while (at := lowered.rfind("answer", 0, at)) >= 0:
        if opening := _ANSWER_IS.match(lowered, at):
            end = _SENTENCE_END.search(text, opening.end())
            return _found(text, "answer_is", opening.end(), end.start() if end else len(text))
    return None


def _last_number(text: str) -> Extract | None:
    """The last numeral with its sign, currency and percent sign, looked for from the end.

    None where that is only a part of what stands there: `10^6`, `5!`, `1:30`.
    """
    backwards = text[::-1]
    digit = _DIGIT.search(backwards)
    if digit is None:
        return None
    numeral = _NUMERAL_REVERSED.match(backwards, digit.start())
    assert numeral is not None
    start, end = len(text) - numeral.end(), len(text) - digit.start()
    token = text[start:end]
    start += len(token) - len(token.lstrip(".,/"))
    if _POINT.search(text[max(0, start - 2) : start]):
        start -= 1
    if text[start] in "-\N{MINUS SIGN}" and start and text[start - 1].isalnum():
        start += 1  # the dash of `7-5` or `COVID-19`
    if _GLUED_BEFORE.search(text[max(0, start - 3) : start]) or _GLUED_BEHIND.match(text, end):
        return None
    return _found(text, "last_number", start, end + 1 if text[end : end + 1] == "%" else end)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
