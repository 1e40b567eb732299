r"""Finds the boxes of a response, `\boxed{...}` and `\fbox{...}`, and what several of them say together."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tasks.verification.extraction.patterns import BARE_BOX, BOX, BRACE, PERCENT_OF_BOX, SPACED_BOX

_BOX_SIGN = "\x01"
"""Replaces the opening brace of a box while braces are counted."""
MAX_SCANNED = 5000
"""Characters behind the first box up to which its braces are matched one by one."""
MAX_BOXES = 9
"""Boxes that are looked at, counted from the last one."""
# matches "x = ", "so $a=", "x_1 = $", not "2x = ", "xy = ", "x "
_NAME = re.compile(r"(?<![A-Za-z0-9\\^+*/-])([A-Za-z](?:_\{?[0-9]\}?)?)\s*=\s*\$?\s*\Z")
# matches "5 (not ", "instead of $", "rather than ", not "not even ", "it is "
NEGATED = re.compile(r"\b(?:not|instead\s+of|rather\s+than)\s+[$(\\]*\Z")
MAX_NAME = 20
"""Characters before a box that are searched for the name of its value."""
MAX_BETWEEN = 300
"""Characters between two boxes of one statement."""
_SEPARATOR = (
    r"(?:,|;|&|\\\\|\\q?quad|\\[,;:! ]|\\lor|\\(?:text|mathrm|mbox)\{[^{}]*\}"
    r"|\b(?:and|or|und|oder|et|ou)\b|[和或、])"
)
# matches all of "$ and $", ", ", r"\quad\text{or}\quad x=", not of " which is ", "; so "
_LIST = re.compile(rf"(?:[\s$~]|\\[()\[\]]|{_SEPARATOR}|\b[A-Za-z](?:_[0-9])? ?=)*")
"""What stands between the members of a list; `x =` may stand before each of them."""
# matches all of " cats or ", " cm, ", not of " are blue and ", " so "
_LIST_WITH_UNITS = re.compile(r"[\s$]*[A-Za-z]{2,12}\.?[\s$]*(?:,[\s$]*(?:and\b|or\b)?|and\b|or\b)[\s$]*")
# matches "$, which is $", " = ", r" \approx ", " i.e. ", not " and ", " at x=", "x = "
_SAME = re.compile(
    r"\A[\s$,(]*(?:=|\\(?:approx|equiv)|≈|which (?:is|equals)|that is|i\.e\.|(?:or )?equivalently|as in)"
)
"""Words between two ways to write the same."""
# matches " no, ", ", so the area is ", "; then ", not " and ", " is sold at "
_NEXT_STEP = re.compile(
    r"\b(?:no|wait|not|but|actually|instead|rather|so|hence|thus|therefore|then|giving|gives|implies|becomes)\b"
    r"|\\(?:implies|Rightarrow|to|therefore)(?![A-Za-z])",
    re.IGNORECASE,
)
"""Words between a result and another one that replaces it."""
# matches "end. Then", "so:\n\nIt", not "3.5", "e.g. this"
_STATEMENT_END = re.compile(
    r"(?<!e\.g)(?<!i\.e)(?<!^[0-9])[.?!](?:\s|\$|\\|\*|\Z)|[。？！]|\n\s*\n|\n(?=\s*(?:[-*(]|[0-9]+[.)]))",  # noqa: RUF001
    re.MULTILINE,
)
# matches all of "$\n- $", ".\n\n2. ", "\\]\n\n\\[", " ", "| ", not of "\nSo ", ", "
_LAYOUT_ONLY = re.compile(r"[\s$.|;]*(?:\\\][\s.]*)?(?:\n\s*(?:[-*•]|[0-9]+[.)])?)?[\s$|]*(?:\\\[\s*)?")
"""What stands between the items of a list that has one box in each."""
# matches "The answer is ", "final result: ", "Altogether ", not "The width is "
_CONCLUSION = re.compile(
    r"\b(?:answers?|final|finally|results?|conclu\w+|altogether|overall|in\s+total|total|correct\w*|check|verif\w+)\b",
    re.IGNORECASE,
)
"""Words before a box that sums up what earlier boxes say."""
# matches "width", "first", "m", "2", not "=", " "
_LEAD_WORD = re.compile(r"[A-Za-z0-9]+")
# matches "(a) ", "Part (b): $", "(ii) the slope is ", "Area: $", "2. $", not "So the answer is ", "Answer: "
# matches "**b)** ", "a. $", not "f(a) = ", "a = "
_LABEL = re.compile(
    r"(?:(?<!\S)\(\s*(?:[a-h]|[ivx]{1,4}|[1-9])\s*\)|\b(?:[Pp]art|[Cc]ase)\s+\(?[A-Za-z0-9]\)?"
    r"|\A\s*[-*]?\s*\**(?!(?:Final|Answer|Result|Solution|Step|Check|Note|Hence|Thus|So|Then)\b)"
    r"[A-Z][a-z]+(?: [a-z]+)?\**\s*:)"
    r"[^.?!\n]{0,80}\Z"
    r"|\A\s*[0-9]+[.)][\s$]*\Z"
    r"|\A[\s*]*(?:[a-h]|[ivx]{1,4})[.)][\s*:$]*\Z"
)
"""The name of a part of a question in front of its box."""


class Box(NamedTuple):
    """A box: its content is the text's `[start:end]`; `opening` and `closing` are where it begins and ends."""

    opening: int
    start: int
    end: int
    closing: int


class Boxed(NamedTuple):
    """What the boxes of a response say: the contents of some of them. `is_sure`: whether they are one statement."""

    boxes: tuple[Box, ...]
    is_sure: bool = True


def find_boxes(text: str) -> list[Box]:
    r"""The last boxes of a text that are closed, in order. Braces nest; `\{` and `\}` are ordinary characters.

    A percent sign after the box belongs to it: `{5}\%` of `\boxed{5}\%`.

    Braces of a long text are counted all at once: scanning from each box would be quadratic in a text of open boxes.
    """
    first = BOX.search(text) if "\\boxed" in text or "\\fbox" in text else None
    if first is None:
        return _find_bare_boxes(text)
    is_long = len(text) - first.start() > MAX_SCANNED
    spans = (_match_many_braces if is_long else _match_braces)(text, first.start())
    return [_make_box(text, start, end) for start, end in spans]


def _make_box(text: str, start: int, end: int) -> Box:
    """The box whose content is the text's `[start:end]`, with the percent sign behind it."""
    opening = text.rfind("\\", 0, start)
    if percent := PERCENT_OF_BOX.match(text, end + 1):
        return Box(opening, start - 1, percent.end(), percent.end())
    return Box(opening, start, end, end + 1)


def _match_braces(text: str, first: int) -> list[tuple[int, int]]:
    """The contents of the last boxes of the text's `[first:]` that are closed, as spans in ascending order."""
    openings, spans = list[int](), list[tuple[int, int]]()
    for brace in BRACE.finditer(text, first):
        sign = brace[0]
        if sign == "}":
            if openings and (start := openings.pop()):
                spans.append((start, brace.start()))
        elif sign[-1] == "{" and sign != "\\{":
            openings.append(brace.end() if sign != "{" else 0)
    return sorted(spans)[-MAX_BOXES:]


def _match_many_braces(text: str, first: int) -> list[tuple[int, int]]:
    """What `_match_braces` finds; ten times as fast for a long text."""
    codes = np.frombuffer(
        _mask_escapes(text[first:]).encode("ascii", "replace"), dtype=np.uint8
    )  # one byte a character
    is_box = codes == ord(_BOX_SIGN)
    depth = np.cumsum(((codes == ord("{")) | is_box).astype(np.int32) - (codes == ord("}")), dtype=np.int32)
    lowest_after = np.minimum.accumulate(depth[::-1])[::-1]
    starts = np.flatnonzero(is_box & (lowest_after < depth))[-MAX_BOXES:]
    return [(first + at + 1, first + at + int(np.argmax(depth[at:] < depth[at]))) for at in map(int, starts)]


def _find_bare_boxes(text: str) -> list[Box]:
    r"""The last `\boxed 5`: TeX needs no braces around a single character."""
    at = len(text)
    while (at := text.rfind("\\boxed", 0, at)) >= 0:
        if box := BARE_BOX.match(text, at):
            return [Box(at, *box.span(1), box.end(1))]
    return []


def _mask_escapes(text: str) -> str:
    """`text` with the opening brace of each box marked and escaped braces blanked out; its length is unchanged."""
    text = text.replace(_BOX_SIGN, "?")
    text = text.replace("\\boxed{", "?boxed" + _BOX_SIGN).replace("\\fbox{", "?fbox" + _BOX_SIGN)
    text = SPACED_BOX.sub(r"?\1" + _BOX_SIGN, text)
    return text.replace("\\\\", "  ").replace("\\{", "  ").replace("\\}", "  ")


def select_boxes(text: str, boxes: Sequence[Box]) -> Boxed:
    """The boxes that are the answer: the last one, with those that form a list with it.

    Several boxes of one sentence that form no list, and boxes that name parts of the question, are not sure.
    """
    last = boxes[-1]
    boxes = [box for box in boxes if box is last or box.closing < last.closing]  # none that contains the last one
    chosen, is_sure = [last], True
    for before, after in list(pairwise(boxes))[::-1]:
        between = text[before.closing : after.opening]
        if len(between) > MAX_BETWEEN or before.closing > after.opening:
            break
        if _is_labeled(text, before) and _is_labeled(text, after):
            chosen, is_sure = [before, *chosen], False
        elif _LIST.fullmatch(between) and "\n\n" not in between:
            chosen = [before, *chosen]
        elif _LAYOUT_ONLY.fullmatch(between) or _LIST.fullmatch(between):
            chosen, is_sure = [before, *chosen], is_sure and "\n\n" not in between
        elif any(sign.search(between) for sign in (_STATEMENT_END, _SAME, _NEXT_STEP)):
            if _NEXT_STEP.search(between) or not _are_parallel(text, before, after):
                break
            chosen, is_sure = [before, *chosen], False
        elif _LIST_WITH_UNITS.fullmatch(between):
            chosen = [before, *chosen]
        else:
            chosen, is_sure = [before, *chosen], False
    contents = dict.fromkeys("".join(text[box.start : box.end].split()) for box in chosen)
    return Boxed((last,)) if len(contents) == 1 else Boxed(tuple(chosen), is_sure)


def read_boxes(text: str, boxes: Sequence[Box]) -> tuple[str, ...]:
    """The contents of several boxes, with the names in front of them if these differ: `a = 1` of `a = \\boxed{1}`."""
    contents = [text[box.start : box.end].strip() for box in boxes]
    names = [_NAME.search(text, max(0, box.opening - MAX_NAME), box.opening) for box in boxes]
    found = [name[1] for name in names if name]
    if len(set(found)) < len(boxes) or any("=" in content for content in contents):
        return tuple(contents)
    return tuple(f"{name} = {content}" for name, content in zip(found, contents, strict=True))


def _is_labeled(text: str, box: Box) -> bool:
    """Whether the name of a part stands before a box, in its sentence."""
    return _LABEL.search(_find_lead(text, box)) is not None


def _find_lead(text: str, box: Box) -> str:
    """The sentence of a box up to it."""
    before = text[max(0, box.opening - MAX_BETWEEN) : box.opening]
    ends = [match.end() for match in _STATEMENT_END.finditer(before)]
    return before[ends[-1] if ends else 0 :]


def _are_parallel(text: str, before: Box, after: Box) -> bool:
    """Whether two sentences say the same of two things: `The width is`, `The length is`, or `m =`, `n =`.

    One that says it of the same thing replaces the other.
    """
    leads = [_find_lead(text, box) for box in (before, after)]
    if _CONCLUSION.search(leads[1]):
        return False
    names = [_NAME.search(lead) for lead in leads]
    if names[0] and names[1]:
        return names[0][1] != names[1][1]
    one, other = (_LEAD_WORD.findall(lead) for lead in leads)
    differing = sum(left != right for left, right in zip(one, other, strict=False))
    return len(one) == len(other) > 1 and 0 < differing <= len(one) // 2
