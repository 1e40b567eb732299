"""Parses plain numbers exactly, with sign, currency, percent sign, exponent, fraction, unit and harmless words."""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from tasks.verification.equivalence.number_words import read_number_words, read_scaled_number
from tasks.verification.equivalence.plain_math import plain_to_latex
from tasks.verification.equivalence.text_normalization import MATH_NAMES, NON_UNIT_NAMES, strip_formatting
from tasks.verification.equivalence.units import (
    MODIFIERS_BEFORE,
    NON_UNIT_WORDS,
    find_currency,
    has_letter_product,
    is_known_unit,
    normalize_unit,
)

MAX_ANSWER_CHARACTERS = 2000
"""Longest answer that is parsed, in characters: the longest of the 5,000 MATH answers has 159."""
MAX_EXPONENT = 400
"""Largest exponent, as in `1e400`: larger than that of a float, and far too small to take time."""
_LETTER = r"[A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff]"
_COUNTER = r"(?:(?![万萬亿億百十兆分半倍成折割]|千(?![克米瓦]))[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]){1,4}"
"""A Chinese, Japanese or Korean unit. Some such characters multiply the number instead."""
_UNIT_WORD = (
    rf"(?:m/s[²³]?|{_LETTER}{{2,}}+/[A-Za-z]++[²³]?|degrees\ [CF](?![A-Za-z])|{_LETTER}{{2,}}+[²³]?"
    rf"|[mgsL][²³]?(?![A-Za-z])|a(?=\ [A-Za-z])|{_COUNTER})"
)
# matches all of "$1,234.50", "3 1/2", "5%", "12 km", not of "1,23", "3x", "1/x"
_NUMERAL = re.compile(
    rf"""(?P<sign>[-+]?)\ ?(?P<currency>[$€£¥₹]?)\ ?(?P<late_sign>[-+]?)
        (?:(?P<mixed>[0-9]++)\ (?=[0-9]++\ ?/))?+
        (?P<whole>[0-9]{{1,3}}(?:,[0-9]{{3}})++ | [0-9]{{1,3}}(?:\ [0-9]{{3}})++ | [0-9]*+) (?P<part>\.[0-9]++)?+
        (?:[eE](?P<exponent>[-+]?[0-9]++) | \ ?/\ ?(?P<over>[0-9]++))?+
        \ ?(?P<percent>%|per\ ?cents?\b|pct\b)?+\ ?(?P<late_currency>[$€£¥₹]?)
        (?P<words>(?:km|cm|mm|kg|lbs?|oz|ft|mph|{_COUNTER})[²³]?(?![A-Za-z]) | (?:\ {_UNIT_WORD})++)?+\ ?[.,;]?""",
    re.VERBOSE,
)
"""Applied to text without double blanks, so that no part can match in several ways and matching takes linear time."""
# matches all of r"0.1\overline{6}", r".\bar 3", not of "0.16", r"\overline{6}"
_REPEATING = re.compile(r"(-?)([0-9]{0,20})\.([0-9]{0,20})\\(?:overline|bar|dot) ?\{?([0-9]{1,20}+)\}?")
# matches all of "5t", "$3 k", "8 N", not of "5x", "5km", "8N"
_NUMBER_WITH_LETTER = re.compile(r"[-+]?[$€£¥₹]?[0-9][0-9.,]*+(?: ?[kKMBcdghlmost]| [NJWVACFT])\.?")
"""A number with a letter after it: a factor, a variable, or a unit, which Math-Verify drops even from `5t`."""
# matches "2x + 5t", not "5t + 2", "x = 5t", "5{t}"
_DROPPED_LETTER = re.compile(r"\A[^=,<>]*[0-9})][cdghlmost]\Z")
"""A final variable that Math-Verify drops as if it were a unit, unless the text is in braces."""
# matches all of "cups", "km/h", "m/s²", "cm².", not of "x", "5", "c/d²e"
_LAST_WORD = re.compile(r"(?:[A-Za-z]{2,}|m/s|[A-Za-z]{1,3}/[A-Za-z]{1,3})[²³]?\.?")
_DIGIT = re.compile("[0-9]")
# matches r"\sin x", not r"\sinh x", "sin x"
_TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-z])")
"""Functions of an angle: degrees in their argument are not a unit of the whole."""
# matches "x > 3", r"x \le 3", "3, 4", not r"\left 3", "about, 3"
_RELATION_OR_LIST = re.compile(r"[=<>≤≥]|\\(?:le|ge|lt|gt|ne|in)(?![a-z])|[0-9)\]},] *,")
"""A relation or a list. A word after a number may be its unit, but after these it may negate them."""
# matches all of "n=12", "x = 3.5", not of "x < 3", "x = 2y"
_NAMED_NUMBER = re.compile(r"[A-Za-z] ?= ?-?[0-9][0-9.,]*")
_APPROXIMATE_WORDS = frozenset({"about", "around", "approximately", "approx", "roughly", "nearly", "almost"})
# matches all of "don't", "cats,", not of "cats.", "3"
_WORD = re.compile(r"[A-Za-z]++(?:'[a-z]++)?[,:]?")


class Numeral(NamedTuple):
    """A plain number as it was written. If `value` is None, `unread_reason` says why it was not read."""

    value: Fraction | None
    is_percent: bool = False
    unit: str = ""
    is_approximate: bool = False
    is_rational_form: bool = False
    """Whether it is written as a quotient, a mixed number, or with an exponent or a percent sign."""
    text: str = ""
    """The number as Math-Verify can read it: without unit, currency and inner blanks."""
    unread_reason: str = ""
    scaled: Fraction | None = None
    """The value of `2.5 million`, which is not read as a number with a unit."""

    def __str__(self) -> str:
        return f"{self.value}{'%' if self.is_percent else ''}"


def parse_number(text: str, plain: str | None = None) -> Numeral | None:
    """Parse `text`, of at most `MAX_ANSWER_CHARACTERS` characters, as a plain number; None if it is none.

    `1 1/2` is 1.5, and the value of `20%` is 20. `plain` is `strip_formatting(text)`, if the caller has it already.
    """
    text = strip_formatting(text) if plain is None else plain
    before: list[str] = []
    if (repeating := _REPEATING.fullmatch(text)) is not None:
        return _parse_repeating(repeating)
    match = _NUMERAL.fullmatch(text)
    if not _has_digits(match):
        before, number_text = _split_sentence(text)
        match = _NUMERAL.fullmatch(number_text) if before else None
    if match is None or not _has_digits(match) or (match["sign"] and match["late_sign"]):
        if (number := read_number_words(text)) is not None:
            return Numeral(number, text=str(number))
        return Numeral(None, unread_reason="number_letter") if _NUMBER_WITH_LETTER.fullmatch(text) else None
    words = match["words"] or ""
    if not NON_UNIT_NAMES.isdisjoint(words.casefold().split()):
        return None
    if NON_UNIT_WORDS.search(" ".join([*before, words])) or (before and MODIFIERS_BEFORE.fullmatch(before[-1])):
        return Numeral(None, unread_reason="number_words", scaled=read_scaled_number(text))
    if has_letter_product(words):
        return Numeral(None, unread_reason="number_letter") if len(words.split()) == 1 else None
    return _parse_numeral(
        match, before, normalize_unit(words, match["currency"] or match["late_currency"] or find_currency(before))
    )


def _parse_repeating(match: re.Match[str]) -> Numeral:
    sign, whole, part, repeated = match.groups()
    value = Fraction(f"{whole or '0'}.{part or '0'}") + Fraction(
        int(repeated), (10 ** len(repeated) - 1) * 10 ** len(part)
    )
    return Numeral(-value if sign else value, is_rational_form=True, text=f"{sign}{value}")


def _has_digits(match: re.Match[str] | None) -> bool:
    return match is not None and bool(match["whole"] or match["part"])


def _split_sentence(text: str) -> tuple[list[str], str]:
    """The words before the first number, and the rest. No words if one of them may be a variable or a function."""
    tokens = text.split()
    position = next((at for at, token in enumerate(tokens) if any("0" <= sign <= "9" for sign in token)), 0)
    before = [token.rstrip(",:").casefold() for token in tokens[:position] if _WORD.fullmatch(token)]
    has_words = any(len(word) > 2 for word in before) and all(len(word) > 1 or word == "a" for word in before)
    if len(before) < position or not has_words or not (MATH_NAMES | NON_UNIT_NAMES).isdisjoint(before):
        return [], text
    return before, " ".join(tokens[position:])


def _parse_numeral(match: re.Match[str], before: Sequence[str], unit: str) -> Numeral | None:
    """The numeral of a match; None for a division by zero."""
    exponent, over, mixed = match["exponent"] or "0", match["over"] or "1", match["mixed"]
    if len(exponent) > 5 or abs(int(exponent)) > MAX_EXPONENT:
        return Numeral(None, unread_reason="too_large")
    if not int(over):
        return None
    whole, part = match["whole"].replace(",", "").replace(" ", ""), match["part"] or ""
    if mixed and (part or not 0 < int(whole) < int(over) or whole.startswith("0")):
        return Numeral(None, unread_reason="digits_apart")
    value = Fraction(f"{whole or '0'}{part}e{exponent}") / int(over) + int(mixed or 0)
    minus = "-" if "-" in (match["sign"], match["late_sign"]) else ""
    digits = str(value) if mixed else whole + part + (f"e{exponent}" if match["exponent"] else "")
    text = minus + digits + (f"/{over}" if match["over"] and not mixed else "") + (r"\%" if match["percent"] else "")
    is_approximate = not _APPROXIMATE_WORDS.isdisjoint(before)
    is_rational_form = match["over"] is not None or bool(match["exponent"] or match["percent"])
    return Numeral(-value if minus else value, bool(match["percent"]), unit, is_approximate, is_rational_form, text)


def split_unit(text: str) -> tuple[str, str]:
    r"""`text` without the unit at its end, and that unit: `\frac{1}{2}` and `cup` for `\frac{1}{2}\text{ cups}`."""
    if len(text) > MAX_ANSWER_CHARACTERS:
        return text, ""
    plain = strip_formatting(text)
    numeral = parse_number(text, plain)
    front, unit = split_parsed_unit(text, plain, numeral)
    return front if numeral else plain_to_latex(front), unit


def split_parsed_unit(text: str, plain: str, numeral: Numeral | None) -> tuple[str, str]:
    """Like `split_unit`, for a text whose formatting is already stripped and whose number is already parsed."""
    if numeral and numeral.value is not None:
        return numeral.text, numeral.unit
    tokens = plain.split()
    end = len(tokens)
    while end and (_LAST_WORD.fullmatch(tokens[end - 1]) or (tokens[end - 1] == "a" and end < len(tokens))):
        end -= 1
    front, words = " ".join(tokens[:end]), " ".join(tokens[end:]).rstrip(".")
    if (
        not words
        or not _DIGIT.search(front)
        or NON_UNIT_WORDS.search(words)
        or has_letter_product(words)
        or not (MATH_NAMES | NON_UNIT_NAMES).isdisjoint(words.split())
        or (_RELATION_OR_LIST.search(front) and not is_known_unit(words) and not _NAMED_NUMBER.fullmatch(front))
        or _TRIGONOMETRIC.search(front)
    ):
        return ("{" + plain + "}" if _DROPPED_LETTER.search(plain) else text), ""
    return front, normalize_unit(words)
