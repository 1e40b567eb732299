"""Constraints on the form of a response: JSON, lists, titles, sections, highlights, placeholders, code and tables."""

import re
from typing import ClassVar

from pydantic import Field

from tasks.verification.answer_types.constraints.base import (
    FAILS,
    HOLDS,
    UNCLEAR,
    Constraint,
    ConstraintText,
    Counted,
    Outcome,
    require,
)
from tasks.verification.answer_types.strict_json import read_json

# matches "```json\n{}\n```", not "```\n{}\n```\nDone."
_WHOLE_FENCE = re.compile(r"\A(?P<fence>`{3,}|~{3,})[ \t]*\w*[ \t]*\n?(?P<body>.*?)\n?(?P=fence)\Z", re.DOTALL)
# matches "```python\nx\n```", not "`x`", "```x"
_CODE_BLOCK = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[^\n`]*)\n.*?^[ \t]*(?P=fence)[ \t]*$", re.M | re.S
)
# matches "* a", "- a", "  + a", "• a", not "**a**", "---", "-5", "* * *"
_BULLET = re.compile(r"^(?P<indent>[ \t]*)[*+\-\u2022\u25e6\u2023\u2013][ \t]+(?![*\-_ \t]*$)\S", re.MULTILINE)
# matches "-a", "*a", "• ", not "a - b"
_LOOSE_BULLET = re.compile(r"^[ \t]*(?:\*(?!\*)|[+\-\u2022\u25e6\u2023\u2013](?!-))[^\n]*$", re.MULTILINE)
# matches "1. a", " 2) b", not "2.5 m", "1990"
_NUMBERED = re.compile(r"^(?P<indent>[ \t]*)(?:\*\*)?[0-9]{1,3}[.)][ \t]+\S", re.MULTILINE)
# matches "<<My Day>>", "# <<a>>", not "<< >>", "<a>"
_TITLE = re.compile(r"^[ \t*#>_]*<<[^\n<>]*\w[^\n<>]*>>", re.MULTILINE)
# matches "x << 2 and y >> 3", not "<<>>"
_INLINE_TITLE = re.compile(r"<<[^\n<>]*\w[^\n<>]*>>")
# matches "*a*", "**a b**", "***x***", not "2 * 3 * 4", "****"
_HIGHLIGHT = re.compile(r"(?<![*\w\\])(\*{1,3})(?=[^\s*])([^\n*]*[^\s*])\1(?![*\w])")
# matches "*a*", "* 3 *", not "*a", "a"
_LOOSE_HIGHLIGHT = re.compile(r"\*([^\n*]*)\*")
# matches "**a**", not "*a*"
_LOOSE_BOLD = re.compile(r"\*\*([^\n*]*)\*\*")
# matches "[name]", "[your city]", not "[1]", "[x]", "[link](url)", "[]"
_PLACEHOLDER = re.compile(r"\[(?![ xX]\])(?=[^\[\]\n]*[^\W\d_])[^\[\]\n]+\](?!\()")
# matches "[1]", "[]", not "[a"
_LOOSE_PLACEHOLDER = re.compile(r"\[[^\[\]]*\]")
# matches "# Head", "### A", not "#hash", "####### a"
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+\S", re.MULTILINE)
# matches "|---|---|", "--- | :--:", not "---", "a | b"
_TABLE_RULE = re.compile(
    r"^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)+\|?[ \t]*$|^[ \t]*\|[ \t]*:?-+:?[ \t]*\|[ \t]*$", re.M
)
# matches "P.S.", "PS", "p. s", not "Psst"
_ANY_POSTSCRIPT = re.compile(r"\bp\.?\s?(?:p\.?\s?)?s\b", re.IGNORECASE)


def without_code(text: str) -> str:
    """A text without its blocks of code."""
    return _CODE_BLOCK.sub("", text)


class Json(Constraint):
    """The whole response is JSON; it may stand in a fence."""

    kind: ClassVar[str] = "json"

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether it is; a key twice and too many levels leave it open."""
        fence = _WHOLE_FENCE.match(text.text)
        fault = read_json(fence["body"] if fence else text.text).fault
        return require(not fault, unclear=fault not in ("no_json", "not_a_number"))


class Bullets(Counted):
    """Number of bullets of a Markdown list; those under others and in blocks of code count or not."""

    kind: ClassVar[str] = "bullets"

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The lowest and the highest count."""
        return _count_items(_BULLET, text.text, len(_LOOSE_BULLET.findall(text.text)))


class NumberedItems(Counted):
    """Number of items of a numbered list; those under others and in blocks of code count or not."""

    kind: ClassVar[str] = "numbered_items"

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The lowest and the highest count."""
        return _count_items(_NUMBERED, text.text, 0)


def _count_items(pattern: re.Pattern[str], text: str, loose: int) -> tuple[int, int]:
    items = list(pattern.finditer(text))
    outside = [match["indent"].expandtabs(4) for match in pattern.finditer(without_code(text))]
    least = min(map(len, outside), default=0)
    return sum(1 for indent in outside if len(indent) <= least + 1), max(len(items), loose)


class Title(Constraint):
    """A line begins with a title in double angle brackets, `<<title>>`."""

    kind: ClassVar[str] = "title"

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether there is one; one within a line leaves it open."""
        return require(_TITLE.search(text.text), unclear=_INLINE_TITLE.search(text.text))


class Sections(Counted):
    """Number of sections that open with a marker and their number, such as `SECTION 1`."""

    kind: ClassVar[str] = "sections"

    marker: str = Field(min_length=1)
    """The word before the number."""

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The different numbers at the beginning of lines, and the marker with any word behind it anywhere."""
        marker = r"\s+".join(map(re.escape, self.marker.split()))
        opened = re.findall(rf"^[ \t#*_>]*{marker}[ \t]*([0-9]+)", text.text, re.MULTILINE)
        return len(set(opened)), len(re.findall(rf"{marker}\s*\w", text.text, re.IGNORECASE))


class Highlights(Counted):
    """Number of parts that are highlighted in Markdown, `*so*` or `**so**`."""

    kind: ClassVar[str] = "highlights"

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The count by the rules of Markdown, and that of all pairs of stars on a line."""
        low = len(_HIGHLIGHT.findall(text.text))
        loose = sum(
            1 for pattern in (_LOOSE_HIGHLIGHT, _LOOSE_BOLD) for part in pattern.findall(text.text) if part.strip()
        )
        return low, max(low, loose)


class Placeholders(Counted):
    """Number of placeholders in square brackets, such as `[name]`; citations, links and boxes to tick count or not."""

    kind: ClassVar[str] = "placeholders"

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The lowest and the highest count."""
        return len(_PLACEHOLDER.findall(text.text)), len(_LOOSE_PLACEHOLDER.findall(text.text))


class Postscript(Constraint):
    """A postscript with a marker such as `P.S.` opens a line."""

    kind: ClassVar[str] = "postscript"

    marker: str = Field(min_length=1)
    """What it opens with."""

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether there is one with words behind the marker; another spelling leaves it open."""
        marker = re.escape(self.marker.strip())
        exact = re.search(rf"^[ \t*_>#]*{marker}(?![^\W_])(?=[\W_]*\w)", text.text, re.MULTILINE)
        loose = _ANY_POSTSCRIPT.search(text.text) or self.marker.strip().casefold() in text.text.casefold()
        return require(exact, unclear=loose)


class CodeBlock(Constraint):
    """There is a block of code in a fence, of a language if one is given."""

    kind: ClassVar[str] = "code_block"

    language: str | None = None
    """The language behind the fence."""

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether there is one; a fence that never ends leaves it open."""
        languages = [match["language"].strip().split(" ")[0].casefold() for match in _CODE_BLOCK.finditer(text.text)]
        if languages:
            return require(self.language is None or self.language.casefold() in languages)
        return UNCLEAR if re.search(r"^[ \t]*(?:```|~~~)", text.text, re.MULTILINE) else FAILS


class Table(Constraint):
    """There is a table in Markdown."""

    kind: ClassVar[str] = "table"

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether a line of dashes stands under a line with bars."""
        for rule in _TABLE_RULE.finditer(text.text):
            head = text.text[: rule.start()].rstrip("\n").rpartition("\n")[2]
            if "|" in head and head.strip():
                return HOLDS
        return UNCLEAR if "<table" in text.text else FAILS


class Headings(Counted):
    """Number of headings in Markdown; lines in blocks of code count or not."""

    kind: ClassVar[str] = "headings"

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The lowest and the highest count."""
        return len(_HEADING.findall(without_code(text.text))), len(_HEADING.findall(text.text))
