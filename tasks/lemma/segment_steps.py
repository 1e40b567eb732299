r"""Splits a solution into steps, which are lines and sentences within them, so that a wrong step can be named.

Steps cover the whole text: each ends, blanks included, where the next one begins. Display math (`\[ \]`, `$$`,
environments), `\( \)` and code are never split. Display math stays with the line that introduces it. Headings, rules,
the head of a table and lines that only announce what follows belong to the step below them.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa

from schemas.outcomes import Reject, Row
from schemas.steps import Stage
from schemas.tables import student_solutions

MAX_FORMULA_CHARACTERS = 4000
"""Longest formula in characters, from its opening to its closing. An opening that is not closed by then is ignored."""

# matches "It is 3. Then", "a\nb", r"\[ x", not "3.5 cats", "etc. and so on"
_BOUNDARY = re.compile(
    r"(?P<open>\\\[|\\\(|\$\$|```|\\begin\{(?P<name>\w+\*?)\})"
    r"|(?P<line>\n\s*)"
    r"|(?P<end>[.?!]++(?:[\"')\]}*\u201d\u2019]|\$(?!\$))*+)(?P<blank>[^\S\n]++)(?=[\"'(\[*\u201c\u2018\\$]*[A-Z0-9])"
)
_CLOSING = {"\\[": "\\]", "\\(": "\\)", "$$": "$$", "```": "```"}
_DOLLAR = re.compile(r"(?<![\\$])\$(?!\$)")
_DISPLAY_MATH = re.compile(r"\\\[|\$\$|\\begin\{")
# matches all of "1", "(b", "Step 2", not of "1234", "the 2"
_LINE_NUMBER = re.compile(r"[\s*#>(-]*(?:(?:step|part|case|equation|figure)\s)?(?:[0-9]{1,3}|[a-z]|[ivx]{2,4})", re.I)
"""The beginning of a numbered line, up to the point: `1`, `(b`, `Step 2`."""
# matches "ask Mrs", "e.g", not "the firs", "e.g. 3"
_ABBREVIATION = re.compile(
    r"\b(?:mr|mrs|ms|dr|prof|st|mt|jr|sr|vs|etc|al|cf|ca|approx|avg|resp|dept|inc|ltd|gov|gen|sgt|capt|lt|rev|hon"
    r"|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec|e\.g|i\.e|a\.m|p\.m|u\.s|u\.k|w\.r\.t)\Z",
    re.I,
)
"""Abbreviations whose point does not end a sentence."""
# matches "3 ft", "see fig", not "a gift", "he came in"
_UNIT_ABBREVIATION = re.compile(
    r"(?:[0-9] ?(?:in|ft|yd|mi|lbs?|oz|gal|qt|pt|hrs?|mins?|secs?)"
    r"|\b(?:nos?|figs?|eqs?|vol|pp?|ch|sec|def|prop|thm|lem|cor|ex|max|min))\Z",
    re.I,
)
"""Abbreviations that are also words or may end a sentence: only before a number, as in `5 ft. 3 in.` or `no. 7`."""
_INITIAL = re.compile(r"(?:^|[\s(.])[A-Z]\Z")
MAX_ABBREVIATION_CHARACTERS = 12
"""Characters before a point that are searched for an abbreviation."""
# matches all of "## Step 2: Find the area", "#### Area", "#### 2. Area", not of "#### 12 cats", "#5", "# of cats = 5"
_MARKDOWN_HEADING = re.compile(r"(?:#{1,3}|#{5,6})[ \t]+[^\n=]+|####[ \t]+(?:[A-Za-z(*_]|[0-9]{1,2}[.):][ \t])[^\n=]*")
# matches all of "**Step 1:**", "1. **Area**:", "\\textbf{Area}", not of "**Area:** 84", "**a = 4**", "**a** **b**"
_BOLD_LINE = re.compile(
    r"(?:[-*+\u2022]\s+|[0-9]{1,2}[.)]\s+)?(?:\*\*(?P<stars>[^*\n=]+)\*\*|__(?P<lines>[^_\n=]+)__"
    r"|\\textbf\{(?P<latex>[^{}\n=]+)\})\s*(?P<colon>:?)"
)
# matches all of "Step 2:", "Step 2", "(b)", "3.", "Case 1.", not of "Step 2: add", "12", "A."
_NUMBER_ALONE = re.compile(
    r"[\s*_#>-]*(?:(?:step|part|case|stage|method)[ \t]+(?:[0-9]{1,3}|[A-Z])[.:)]?"
    r"|\(?(?:[0-9]{1,2}[.)]|[a-z]\)))[\s*_]*",
    re.IGNORECASE,
)
# matches the start of "Step 2: add", "2. Area", "Part B", not of "Stephen", "2 cats"
_NUMBERED_TITLE = re.compile(
    r"(?:step|part|case|stage|method)[ \t]+(?:[0-9]|[A-Z]\b)|[0-9]{1,2}[.):][ \t]", re.IGNORECASE
)
# matches all of "---", "***", "* * *", "=====", "-", not of "--- a", "**", "-5"
_RULE = re.compile(r"(?:[-*_=\u2014\u2500][ \t]*){3,}|[-*+\u2022]")
# matches all of "|---|:--:|", "--- | ---", not of "| a | b |", "---"
_TABLE_RULE = re.compile(r"\|?(?:\s*:?-{2,}:?\s*\|)+(?:\s*:?-{2,}:?\s*)?")
# matches all of "We compute the cost:", "- **Pens**:", not of "We get x = 3:", "The ratio is 3:", "It is 4"
_ANNOUNCEMENT = re.compile(r"[^=\n]*[A-Za-z)*_\]]\s*:[ \t*_]*")
MAX_TITLE_WORDS = 8
"""Words of a line in bold type that may be a title without a number or a colon."""


class StepSpan(NamedTuple):
    """One step: `text[start:end]`, including trailing blanks."""

    start: int
    end: int


def split_steps(text: str) -> list[StepSpan]:
    """Split a text into steps, in order. Joined, they are the text. None is blank, unless the text is."""
    boundaries = [0]
    for boundary in _find_boundaries(text):
        if text[boundaries[-1] : boundary].strip() and boundary < len(text):
            boundaries.append(boundary)
    if len(boundaries) > 1 and not text[boundaries[-1] :].strip():
        boundaries.pop()
    boundaries = _join_headings(text, boundaries)
    return [StepSpan(*ends) for ends in zip(boundaries, [*boundaries[1:], len(text)], strict=True)] if text else []


def find_line_starts(text: str) -> list[int]:
    """The offsets at which lines begin; lines of display math belong to the line that introduces it."""
    starts = [0]
    for at in _find_boundaries(text):
        line_end = text.rfind("\n", starts[-1], at)
        if line_end >= 0 and at < len(text) and text[line_end:at].isspace():
            starts.append(at)
    return starts


def _join_headings(text: str, boundaries: Sequence[int]) -> list[int]:
    """The boundaries without those between a heading and the step below it.

    Rules at the end of a text belong to the step above them. A heading without a step below it stays alone.
    """
    parts = [text[start:end].strip() for start, end in itertools.pairwise([*boundaries, len(text)])]
    last_content = len(parts)
    while last_content > 1 and _RULE.fullmatch(parts[last_content - 1]):
        last_content -= 1
    return [
        boundary
        for at, boundary in enumerate(boundaries)
        if at == 0 or (at < last_content and not _introduces(parts[at - 1], parts[at]))
    ]


def _introduces(part: str, following: str) -> bool:
    """Whether a part of a solution only introduces the one that follows it: a heading, a rule, the head of a table."""
    if "|" in part and (_TABLE_RULE.fullmatch(part) or _TABLE_RULE.fullmatch(following)):
        return True
    patterns = (_MARKDOWN_HEADING, _NUMBER_ALONE, _RULE, _ANNOUNCEMENT)
    return any(pattern.fullmatch(part) for pattern in patterns) or _is_bold_title(part)


def _is_bold_title(part: str) -> bool:
    """Whether a line in bold type is a title: with a number or a colon, or short and neither number nor sentence."""
    match = _BOLD_LINE.fullmatch(part)
    if match is None:
        return False
    title = (match["stars"] or match["lines"] or match["latex"]).strip()
    if match["colon"] or title.endswith(":"):
        return True
    if title.endswith((".", "?", "!")):
        return False
    has_digit = any(sign.isdigit() for sign in title)
    return bool(_NUMBERED_TITLE.match(title)) or (not has_digit and len(title.split()) <= MAX_TITLE_WORDS)


def _find_boundaries(text: str) -> Iterator[int]:
    """The offsets at which a step may end, ascending."""
    at = begin = 0
    open_until: dict[
        str, int
    ] = {}  # closing -> offset before which it does not occur, so that nothing is searched twice
    while (match := _BOUNDARY.search(text, at)) is not None:
        at = match.end()
        if opening := match["open"]:
            closing = f"\\end{{{match['name']}}}" if match["name"] else _CLOSING[opening]
            close = text.find(closing, max(at, open_until.get(closing, 0)), at + MAX_FORMULA_CHARACTERS)
            open_until[closing] = at if close >= 0 else max(at, at + MAX_FORMULA_CHARACTERS - len(closing))
            at = close + len(closing) if close >= 0 else at
        elif match["line"]:
            if _is_inside_formula(
                text[max(begin, match.start() - MAX_FORMULA_CHARACTERS) : match.start()],
                text[at : at + MAX_FORMULA_CHARACTERS],
            ):
                continue
            if _ends_sentence(text[begin : match.start()]) or not _DISPLAY_MATH.match(text, at):
                yield (begin := at)
        elif not _ends_abbreviation(text, begin, match):
            yield (begin := at)


def _is_inside_formula(before: str, after: str) -> bool:
    """Whether a line ends inside a formula between single dollar signs; the one of `$5` does not open a formula."""
    marks = [match.start() for match in _DOLLAR.finditer(before)]
    if len(marks) % 2 == 0 or "$" not in after.partition("\n")[0]:
        return False
    return before[marks[-1] + 1 :][:1].isalpha() or before[marks[-1] + 1 :][:1] in ("\\", "(", "{", "|")


def _ends_sentence(line: str) -> bool:
    """Whether a line ends with the end of a sentence."""
    return line.rstrip().rstrip("\"')]}*$")[-1:] in (".", "?", "!")


def _ends_abbreviation(text: str, begin: int, match: re.Match[str]) -> bool:
    """Whether the point ends an abbreviation or the number of a line, rather than a sentence."""
    if match["end"][0] != ".":
        return False
    point = match.start("end")
    before = text[max(begin, point - MAX_ABBREVIATION_CHARACTERS) : point]
    if point - begin <= MAX_ABBREVIATION_CHARACTERS and _LINE_NUMBER.fullmatch(before):
        return True
    if _UNIT_ABBREVIATION.search(before):
        return match.string[match.end() : match.end() + 2].lstrip("($")[:1].isdigit()
    return bool(_INITIAL.search(before) or _ABBREVIATION.search(before))


class SegmentSteps(Stage):
    """Splits each wrong solution into steps. Right solutions are rejected, because they have no error to find."""

    label: ClassVar[str] = "segment_steps"
    version: ClassVar[int] = 2
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = student_solutions.SOLUTIONS_SEGMENTED

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        """One outcome for each row of `schemas.tables.student_solutions.SOLUTIONS_GRADED`."""
        for row in batch:
            spans = split_steps(row["response"])
            if row["verdict"] == "correct":
                yield Reject(row, "right")
            elif not spans or not row["response"].strip():
                yield Reject(row, "empty")
            else:
                yield row | {"steps": [step._asdict() for step in spans]}
