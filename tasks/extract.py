r"""Finds the final answer in a response, and shows where it stood.

The rules run from the most explicit to the weakest: a `\boxed{}`, a `####`, a marked line, "the answer is", what a
program printed, and the last number or the formula that it is a part of. Every rule is linear in the length of the
text: a degenerate response of 1 MB takes some 10 ms.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from schemas import verdicts
from schemas.work import Reject, Row, Stage

MARKERS = ("A:",)
"""How the recorded GSM8K solutions mark their last line."""
EXPLICIT = frozenset({"boxed", "hash", "marker"})
"""Rules by which a text marks its answer on purpose; the others only guess."""

_BOX = re.compile(r"\\(?:boxed|fbox)\s*+\{")
_SPACED_BOX = re.compile(r"\\((?:boxed|fbox)\s++)\{")
_OPENS_BOX = "\x01"
_BARE_BOX = re.compile(r"\\boxed[ \t]++([0-9][0-9.,]*+|[A-Za-z])(?![A-Za-z0-9])")
_ANSWER_IS = re.compile(
    r"\banswer(?:\s++is\b|(?=:|\*\*:))\s*+(?::?\*\*(?=\s)|\*\*:|:)?+\s*+(?:(?:\$\$|\\\[)[ \t]*+\n\s*+)?+"
)
r"""With the end of bold type, and with a `$$` or `\[` that is alone on its line."""
_PRINTED = re.compile(r"^```output[ \t]*+\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SENTENCE_END = re.compile(r"[.?](?=\s|\Z|\*\*)|\n")
_HEADING = re.compile(r"(?![ \t]*[-+$€£¥₹(\[{\\]*[0-9])[^\n]*[A-Za-z]{3}[^\n]*\n\s*\S")
"""A line of words, and more below it: in Markdown, `####` opens a heading."""
EMPTY_BOXES = 8
"""Boxes with nothing in them that are passed over, from the last one."""
_DIGIT = re.compile(r"[0-9]")
_NUMERAL_REVERSED = re.compile(
    r"(?:[0-9]++[-+]?[eE](?=[0-9]))?+"
    r"(?:[0-9]++/[0-9]++ [0-9]++(?![0-9.,/])|(?:[0-9]{3} )++[0-9]{1,3}(?![0-9.,/])|[0-9.,/]*+)(?:\$\\?|[€£¥₹])?[-−]?"  # noqa: RUF001
)
_IN_FORMULA = re.compile(r"(?:[{^_]-?|qrt|rac)\Z")
r"""Inside of braces, or behind `\sqrt` and `\frac`."""
_PERCENT = re.compile(r" ?\\?%| percent\b")
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
    rules = (_boxed, _hash, lambda text: _marked(text, markers), _answer_is, _printed, _last_number)
    return next((found for rule in rules if (found := rule(text))), None)


class ExtractAnswer(Stage):
    """The final answer of each response, with the rule that found it and where it stood; rejects those without one."""

    table: ClassVar[pa.Schema] = verdicts.FOUND

    markers: tuple[str, ...] = MARKERS
    """What opens the line of the final answer."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        """One answer for each row that has a `response`; offsets count characters."""
        for row in batch:
            if (found := extract(row["response"], self.markers)) is None:
                yield Reject(row, "no_answer")
            else:
                answer, found_by, start, end = found
                yield {"row_id": row["row_id"], "answer": answer, "found_by": found_by, "start": start, "end": end}


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
        return _bare_box(text)
    offset = first.start()
    codes = np.frombuffer(_plain(text[offset:]).encode("ascii", "replace"), dtype=np.uint8)  # one byte a character
    is_box = codes == ord(_OPENS_BOX)
    depth = np.cumsum(((codes == ord("{")) | is_box).astype(np.int32) - (codes == ord("}")), dtype=np.int32)
    lowest_after = np.minimum.accumulate(depth[::-1])[::-1]
    closed = np.flatnonzero(is_box & (lowest_after < depth))
    if not closed.size:
        return None
    for start in map(int, closed[: -EMPTY_BOXES - 1 : -1]):
        length = int(np.argmax(depth[start:] < depth[start]))
        if found := _found(text, "boxed", offset + start + 1, offset + start + length):
            return found
    return None


def _bare_box(text: str) -> Extract | None:
    r"""The last `\boxed 5`: TeX needs no braces around one sign."""
    at = len(text)
    while (at := text.rfind("\\boxed", 0, at)) >= 0:
        if box := _BARE_BOX.match(text, at):
            return _found(text, "boxed", *box.span(1))
    return None


def _plain(text: str) -> str:
    """`text`, as long as before, with the brace of each box marked and escaped braces gone."""
    text = text.replace(_OPENS_BOX, "?")
    text = text.replace("\\boxed{", "?boxed" + _OPENS_BOX).replace("\\fbox{", "?fbox" + _OPENS_BOX)
    text = _SPACED_BOX.sub(r"?\1" + _OPENS_BOX, text)
    return text.replace("\\\\", "  ").replace("\\{", "  ").replace("\\}", "  ")


def _hash(text: str) -> Extract | None:
    """What follows the last `####`, to the end of its line (GSM8K); None where that is a heading."""
    at = text.rfind("####")
    return None if at < 0 or _HEADING.match(text, at + 4) else _found(text, "hash", at + 4, _line_end(text, at))


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
        if opening.lstrip().startswith(marker) and not _listed(text, at, marker):
            return line + len(opening) - len(opening.lstrip()) + len(marker)
        end = line
    return -1


def _listed(text: str, at: int, marker: str) -> bool:
    """Whether `A:` opens the first of several choices: the next line opens with `B:`."""
    if len(marker) != 2 or not "A" <= marker[0] < "Z":
        return False
    following = text[_line_end(text, at) : _line_end(text, at) + 80].lstrip()
    return following.startswith(chr(ord(marker[0]) + 1) + marker[1])


def _answer_is(text: str) -> Extract | None:
    """What follows the last "the answer is", to the end of the sentence; the point in `3.5` ends none."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a few characters grow in lower case, and positions must stay
        lowered = text
    at = len(text)
    while (at := lowered.rfind("answer", 0, at)) >= 0:
        if opening := _ANSWER_IS.match(lowered, at):
            match = _SENTENCE_END.search(text, opening.end())
            end = match.start() if match else len(text)
            bold = text[opening.end() : end].rstrip()
            if bold.endswith("**") and bold.count("**") % 2:
                end = opening.end() + len(bold) - 2
            return _found(text, "answer_is", opening.end(), end)
    return None


def _printed(text: str) -> Extract | None:
    """The last line that a program printed, in the last block of output."""
    if "```output" not in text or not (blocks := list(_PRINTED.finditer(text))):
        return None
    start, end = blocks[-1].span(1)
    end = start + len(text[start:end].rstrip())
    return _found(text, "printed", max(start, text.rfind("\n", start, end) + 1), end)


def _last_number(text: str) -> Extract | None:
    """The last numeral with its sign, currency and percent sign, looked for from the end; or the formula it is in.

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
    before = text[max(0, start - 3) : start]
    if _IN_FORMULA.search(before) or text[end : end + 1] == "}":
        return _last_formula(text, start, end)
    if _GLUED_BEFORE.search(before) or _GLUED_BEHIND.match(text, end):
        return None
    percent = _PERCENT.match(text, end)
    return _found(text, "last_number", start, percent.end() if percent else end)


def _last_formula(text: str, start: int, end: int) -> Extract | None:
    """What follows the last `=` in the formula, between dollars on one line, that `text[start:end]` is a part of."""
    left, right = text.rfind("$", 0, start), text.find("$", end)
    if left < 0 or right < 0 or "\n" in text[left:right]:
        return None
    return _found(text, "last_formula", max(left, text.rfind("=", left, right)) + 1, right)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
