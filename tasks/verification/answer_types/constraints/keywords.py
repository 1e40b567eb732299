"""Constraints on words and letters: some that must stand in a response, and some that must not."""

import re
import unicodedata
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from tasks.verification.answer_types.constraints.base import (
    FAILS,
    HOLDS,
    UNCLEAR,
    Constraint,
    ConstraintText,
    Counted,
    Outcome,
)
from tasks.verification.answer_types.constraints.lengths import IDEOGRAPH

# matches "f\u043ex", not "fox"
_MIXED_SCRIPT = re.compile(r"[A-Za-z][\u0370-\u03ff\u0400-\u04ff]|[\u0370-\u03ff\u0400-\u04ff][A-Za-z]")
_MARKS = "*_~`"


def _check_keyword(keyword: str) -> str:
    if not keyword.strip():
        raise ValueError("a keyword is empty")
    return unicodedata.normalize("NFC", keyword.strip())


Keyword = Annotated[str, AfterValidator(_check_keyword)]
"""A word or a phrase, in any case; a blank of it stands for any blanks."""


class Occurrences:
    """How often a keyword occurs in a response: as a word, at the beginning of words, and anywhere."""

    def __init__(self, keyword: str, text: ConstraintText) -> None:
        inner = r"\s+".join(map(re.escape, keyword.casefold().split()))
        is_ideographic = IDEOGRAPH.search(keyword) is not None
        before = r"(?<![^\W_])" if keyword[0].isalnum() and not is_ideographic else ""
        after = r"(?![^\W_])" if keyword[-1].isalnum() and not is_ideographic else ""
        texts = [each.casefold() for each in (text.text, text.visible)]
        texts.append("".join(sign for sign in texts[1] if sign not in _MARKS))
        count = [
            [len(re.findall(pattern, each)) for each in texts]
            for pattern in (before + inner + after, before + inner, inner)
        ]
        self.lowest = min(count[0][:2])
        self.as_word = max(count[0])
        self.as_beginning = max(count[1])
        self.anywhere = max(count[2])


class Includes(Constraint):
    """All of some words or phrases stand in the response."""

    kind: ClassVar[str] = "includes"

    keywords: tuple[Keyword, ...] = Field(min_length=1, max_length=1000)
    """The words or phrases, in any case."""

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether all stand there as words; one that stands only within another word leaves it open."""
        found = [(keyword, Occurrences(keyword, text)) for keyword in self.keywords]
        if missing := [keyword for keyword, each in found if not each.anywhere]:
            return Outcome(False, f"no {missing[0]}")
        return HOLDS if all(each.lowest for _, each in found) else UNCLEAR


class Excludes(Constraint):
    """None of some words or phrases stands in the response."""

    kind: ClassVar[str] = "excludes"

    keywords: tuple[Keyword, ...] = Field(min_length=1, max_length=1000)
    """The words or phrases, in any case."""

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether none stands there; a word that begins with one of them, or mixes scripts, leaves it open."""
        found = [(keyword, Occurrences(keyword, text)) for keyword in self.keywords]
        if present := [keyword for keyword, each in found if each.lowest]:
            return Outcome(False, present[0])
        if any(each.as_word or each.as_beginning for _, each in found) or _MIXED_SCRIPT.search(text.visible):
            return UNCLEAR
        return HOLDS


class KeywordCount(Counted):
    """How often a word or phrase stands in the response."""

    kind: ClassVar[str] = "keyword_count"

    keyword: Keyword
    """The word or phrase, in any case."""

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The count as a word, and the count anywhere."""
        found = Occurrences(self.keyword, text)
        return found.lowest, found.anywhere


def _check_letter(letter: str) -> str:
    letter = unicodedata.normalize("NFC", letter)
    if len(letter) != 1 or letter.isspace():
        raise ValueError(f"{letter!r} is no single letter")
    return letter


class LetterCount(Counted):
    """How often a letter or another character stands in the response."""

    kind: ClassVar[str] = "letter_count"

    letter: Annotated[str, AfterValidator(_check_letter)]
    """The letter, in any case."""

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The count, without and with the letter under accents."""
        folded, letter = text.text.casefold(), self.letter.casefold()
        plain = unicodedata.normalize("NFD", folded)
        return folded.count(letter), max(folded.count(letter), plain.count(letter))


class CapitalWords(Counted):
    """How many words are written in capitals; a single letter and parts of a hyphenated word count or not."""

    kind: ClassVar[str] = "capital_words"

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The lowest and the highest count."""
        joined = re.findall(r"[^\W_]+(?:['\u2019-][^\W_]+)*", text.visible)
        low = sum(1 for word in joined if word.isupper() and word.isalpha() and len(word) > 1)
        high = sum(1 for word in re.findall(r"\w+", text.visible) if word.isupper())
        hyphenated = sum(
            1 for word in joined if word.isupper() and not word.isalpha() and not any(map(str.isdigit, word))
        )
        return low + hyphenated, max(high, low + hyphenated)


class UpperCase(Constraint):
    """All letters are capitals."""

    kind: ClassVar[str] = "upper_case"

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether no letter is small; without letters that have a case it is open."""
        small = next((sign for sign in text.text if sign.islower() or (sign.istitle() and not sign.isupper())), None)
        if small:
            return Outcome(False, small)
        return HOLDS if any(sign.isupper() for sign in text.text) else UNCLEAR


class LowerCase(Constraint):
    """All letters are small."""

    kind: ClassVar[str] = "lower_case"

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether no letter is a capital; without letters that have a case it is open."""
        capital = next((sign for sign in text.text if sign.isupper() or sign.istitle()), None)
        if capital:
            return Outcome(False, capital)
        return HOLDS if any(sign.islower() for sign in text.text) else UNCLEAR


class NoComma(Constraint):
    """There is no comma. A comma of another script leaves it open."""

    kind: ClassVar[str] = "no_comma"

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether there is none."""
        if "," in text.text:
            return FAILS
        others = {sign for sign in set(text.text) if "COMMA" in unicodedata.name(sign, "")}
        return UNCLEAR if others else HOLDS


class Without(Constraint):
    """None of some characters stands in the response. A look-alike, such as a wide one, leaves it open."""

    kind: ClassVar[str] = "without"

    characters: str = Field(min_length=1)
    """The characters."""

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether none stands there."""
        if any(sign in text.text for sign in self.characters):
            return FAILS
        folded = unicodedata.normalize("NFKC", text.text)
        return UNCLEAR if any(sign in folded for sign in self.characters) else HOLDS
