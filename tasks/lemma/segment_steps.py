r"""Cuts a solution into steps, so that a wrong one can be named: lines, and sentences within them; nothing is lost.

Steps tile the text: each ends, blanks included, where the next one begins. Display math (`\[ \]`, `$$`,
environments), `\( \)` and code are never cut, and display math stays with the line that leads up to it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa

from schemas.outcomes import Reject, Row
from schemas.steps import Stage
from schemas.tables import student_solutions

FARTHEST = 4000
"""Characters from where a formula opens to where it closes; what opens and does not close so soon is no formula."""

_SEAM = re.compile(
    r"(?P<open>\\\[|\\\(|\$\$|```|\\begin\{(?P<name>\w+\*?)\})"
    r"|(?P<line>\n\s*)"
    r"|(?P<end>[.?!]++(?:[\"')\]}*\u201d\u2019]|\$(?!\$))*+)(?P<blank>[^\S\n]++)(?=[\"'(\[*\u201c\u2018\\$]*[A-Z0-9])"
)
_CLOSED_BY = {"\\[": "\\]", "\\(": "\\)", "$$": "$$", "```": "```"}
_DOLLAR = re.compile(r"(?<![\\$])\$(?!\$)")
_DISPLAY = re.compile(r"\\\[|\$\$|\\begin\{")
_NUMBERED = re.compile(r"[\s*#>(-]*(?:(?:step|part|case|equation|figure)\s)?(?:[0-9]{1,3}|[a-z]|[ivx]{2,4})", re.I)
"""What opens a numbered line, up to its point: `1`, `(b`, `Step 2`."""
_SHORT = re.compile(
    r"\b(?:mr|mrs|ms|dr|prof|st|mt|jr|sr|vs|etc|al|cf|ca|approx|avg|resp|dept|inc|ltd|gov|gen|sgt|capt|lt|rev|hon"
    r"|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec|e\.g|i\.e|a\.m|p\.m|u\.s|u\.k|w\.r\.t)\Z",
    re.I,
)
"""Abbreviations: their point ends no sentence."""
_BEFORE_NUMBER = re.compile(
    r"(?:[0-9] ?(?:in|ft|yd|mi|lbs?|oz|gal|qt|pt|hrs?|mins?|secs?)"
    r"|\b(?:nos?|figs?|eqs?|vol|pp?|ch|sec|def|prop|thm|lem|cor|ex|max|min))\Z",
    re.I,
)
"""Those that are whole words too, or end a sentence as well: only before a number, as in `5 ft. 3 in.` or `no. 7`."""
_INITIAL = re.compile(r"(?:^|[\s(.])[A-Z]\Z")
LONGEST_SHORT = 12
"""Characters before a point that are looked at for an abbreviation."""


class Step(NamedTuple):
    """One step: `text[start:end]`, its blanks included."""

    start: int
    end: int


def steps(text: str) -> list[Step]:
    """The steps of a text in order; joined, they are the text. None is blank, unless the whole text is."""
    seams = [0]
    for seam in _seams(text):
        if text[seams[-1] : seam].strip() and seam < len(text):
            seams.append(seam)
    if len(seams) > 1 and not text[seams[-1] :].strip():
        seams.pop()
    return [Step(*ends) for ends in zip(seams, [*seams[1:], len(text)], strict=True)] if text else []


def _seams(text: str) -> Iterator[int]:
    """Where a step may end, ascending."""
    at = begin = 0
    open_until: dict[str, int] = {}  # by closing: up to where there is none, so that nothing is searched twice
    while (found := _SEAM.search(text, at)) is not None:
        at = found.end()
        if opening := found["open"]:
            closing = f"\\end{{{found['name']}}}" if found["name"] else _CLOSED_BY[opening]
            close = text.find(closing, max(at, open_until.get(closing, 0)), at + FARTHEST)
            open_until[closing] = at if close >= 0 else max(at, at + FARTHEST - len(closing))
            at = close + len(closing) if close >= 0 else at
        elif found["line"]:
            if _within(text[max(begin, found.start() - FARTHEST) : found.start()], text[at : at + FARTHEST]):
                continue
            if _ended(text[begin : found.start()]) or not _DISPLAY.match(text, at):
                yield (begin := at)
        elif not _shortened(text, begin, found):
            yield (begin := at)


def _within(before: str, behind: str) -> bool:
    """Whether a line ends inside of a formula between single dollars; the dollar of `$5` opens none."""
    marks = [found.start() for found in _DOLLAR.finditer(before)]
    if len(marks) % 2 == 0 or "$" not in behind.partition("\n")[0]:
        return False
    return before[marks[-1] + 1 :][:1].isalpha() or before[marks[-1] + 1 :][:1] in ("\\", "(", "{", "|")


def _ended(line: str) -> bool:
    """Whether a line ends in the end of a sentence."""
    return line.rstrip().rstrip("\"')]}*$")[-1:] in (".", "?", "!")


def _shortened(text: str, begin: int, found: re.Match[str]) -> bool:
    """Whether the point ends an abbreviation or the number of a line, and no sentence."""
    if found["end"][0] != ".":
        return False
    point = found.start("end")
    before = text[max(begin, point - LONGEST_SHORT) : point]
    if point - begin <= LONGEST_SHORT and _NUMBERED.fullmatch(before):
        return True
    if _BEFORE_NUMBER.search(before):
        return found.string[found.end() : found.end() + 2].lstrip("($")[:1].isdigit()
    return bool(_INITIAL.search(before) or _SHORT.search(before))


class Segment(Stage):
    """The steps of each wrong solution; a right one is turned down, for there is no error to find."""

    label: ClassVar[str] = "segment"
    table: ClassVar[pa.Schema] = student_solutions.SEGMENTED

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        """A row for each of `schemas.tables.student_solutions.GRADED`."""
        for row in batch:
            found = steps(row["response"])
            if row["verdict"] == "correct":
                yield Reject(row, "right")
            elif not found or not row["response"].strip():
                yield Reject(row, "empty")
            else:
                yield row | {"steps": [step._asdict() for step in found]}
