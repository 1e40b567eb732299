"""Constraints on lengths: words, sentences, paragraphs, characters and lines."""

import re
from typing import ClassVar, Literal

from pydantic import Field, StrictInt

from tasks.verification.answer_types.constraints.base import (
    Constraint,
    ConstraintText,
    Counted,
    Outcome,
    require,
)

# matches "don't", "well-known", "x", not "---"
_JOINED_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")
# matches "天", "か", "한", not "a"
IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\u0e00-\u0e7f]")
_CJK_END = "\u3002\uff01\uff1f"
# matches "end. Then", "so?!) ", "end.", "好。", not "3.5", "a.b"
_SENTENCE_END = re.compile(rf"[.!?\u2026\u0964]+[\"'\u2019\u201d)\]*_]*(?=\s|\Z)|[{_CJK_END}]+[\"'\u201d\u300d]*")
# matches "Dr", "e.g", "J", "U.S", not "dog"
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|etc|inc|ltd|co|no|fig|vol|approx|dept|est|gen|rev|sen|rep|jan|feb|mar|apr"
    r"|jun|jul|aug|sep|sept|oct|nov|dec)|\b(?:[a-z]\.)*[a-z])\Z",
    re.IGNORECASE,
)
ABBREVIATION_CHARACTERS = 10
"""Characters before a full stop that may be an abbreviation."""
# matches "\n\n", "\n \t\n", not "\n"
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
# matches "***", " *** ", not "****", "a***"
_STAR_LINE = re.compile(r"^[^\S\n]*\*\*\*[^\S\n]*$", re.MULTILINE)
# matches "a***b", not "****", "**"
_STARS = re.compile(r"(?<!\*)\*\*\*(?!\*)")
_WORD = re.compile(r"\w")


class Words(Counted):
    """Number of words: between blanks, as runs of letters, with and without hyphens; Chinese characters one by one."""

    kind: ClassVar[str] = "words"

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The lowest and the highest count."""
        counts = list[int]()
        for each in (text.text, text.visible):
            ideographs = len(IDEOGRAPH.findall(each))
            other = IDEOGRAPH.sub(" ", each) if ideographs else each
            counts += [
                sum(1 for part in each.split() if _WORD.search(part)),
                len(re.findall(r"\w+", each)),
                len(_JOINED_WORD.findall(each)),
                *([ideographs + len(re.findall(r"\w+", other))] if ideographs else []),
            ]
        return min(counts), max(counts)


class Sentences(Counted):
    """Number of sentences: with and without stops of abbreviations, and lines without a stop."""

    kind: ClassVar[str] = "sentences"

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The lowest and the highest count."""
        loose = [part for line in text.visible.split("\n") for part in _SENTENCE_END.split(line) if _WORD.search(part)]
        return _count_careful(text.visible), max(1 if text.visible else 0, len(loose))


def _count_careful(text: str) -> int:
    """Sentences that end for certain: no abbreviation stands before the stop and no small letter behind it."""
    count, start = 0, 0
    for match in _SENTENCE_END.finditer(text):
        before = text[max(start, match.start() - ABBREVIATION_CHARACTERS) : match.start()]
        after = text[match.end() : match.end() + 20].lstrip(" \t\n\"'*_([-\u201c\u2018")
        if after[:1].islower() or (match[0][0] == "." and after and _ABBREVIATION.search(before)):
            continue
        if _WORD.search(text, start, match.start()):
            count += 1
            start = match.end()
    return count + (1 if _WORD.search(text, start) and not count else 0)


class Paragraphs(Counted):
    """Number of paragraphs, parted by empty lines or, with `separator` `***`, by lines of three stars."""

    kind: ClassVar[str] = "paragraphs"

    separator: Literal["blank_line", "***"] = "blank_line"
    """What parts them."""

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The lowest and the highest count."""
        if self.separator == "blank_line":
            parts = [part for part in _BLANK_LINE.split(text.text) if part.strip()]
            return sum(1 for part in parts if _WORD.search(part)), len(parts)
        counts = [_count_parts(pattern.split(text.text)) for pattern in (_STAR_LINE, _STARS)]
        return min(low for low, _ in counts), max(high for _, high in counts)


def _count_parts(parts: list[str]) -> tuple[int, int]:
    """Parts that hold something, and the same with empty ones between others."""
    filled = [bool(part.strip()) for part in parts]
    between = len(parts) - (not filled[0]) - (len(parts) > 1 and not filled[-1])
    return sum(filled), max(sum(filled), between)


class Characters(Counted):
    """Number of characters, without blanks around the response; an accent is a part of its letter."""

    kind: ClassVar[str] = "characters"

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The lowest and the highest count."""
        return len(text.visible), len(text.text)


class Lines(Counted):
    """Number of lines that are not empty."""

    kind: ClassVar[str] = "lines"

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The count, twice."""
        count = sum(1 for line in text.text.split("\n") if line.strip())
        return count, count


class ParagraphFirstWord(Constraint):
    """The nth paragraph, parted by empty lines, begins with a word; the number of paragraphs may be given too."""

    kind: ClassVar[str] = "paragraph_first_word"

    nth: StrictInt = Field(ge=1)
    """Which paragraph, counted from 1."""
    word: str = Field(min_length=1)
    """Its first word, in any case."""
    paragraphs: StrictInt | None = Field(default=None, ge=1)
    """How many paragraphs there must be."""

    def model_post_init(self, context: object) -> None:
        """Refuse a paragraph that there cannot be."""
        if self.paragraphs is not None and self.nth > self.paragraphs:
            raise ValueError("nth is greater than paragraphs")

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether the paragraph begins with the word."""
        parts = [part for part in _BLANK_LINE.split(text.text) if part.strip()]
        if self.nth > len(parts) or (self.paragraphs is not None and len(parts) != self.paragraphs):
            return Outcome(False, f"{len(parts)} paragraphs")
        return require(first_word(parts[self.nth - 1]) == self.word.casefold().strip())


class FirstWord(Constraint):
    """The response begins with a word."""

    kind: ClassVar[str] = "first_word"

    word: str = Field(min_length=1)
    """The word, in any case."""

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether it is the first word."""
        return require(first_word(text.text) == self.word.casefold().strip())


class LastWord(Constraint):
    """The response ends with a word; a stop may follow."""

    kind: ClassVar[str] = "last_word"

    word: str = Field(min_length=1)
    """The word, in any case."""

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether it is the last word."""
        words = text.text.split()
        return require(bool(words) and _bare(words[-1]) == self.word.casefold().strip())


def first_word(text: str) -> str:
    """The first word of a text in small letters, without marks around it."""
    words = text.split(None, 1)
    return _bare(words[0]) if words else ""


def _bare(word: str) -> str:
    return re.sub(r"\A[\W_]+|[\W_]+\Z", "", word).casefold()
