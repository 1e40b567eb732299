"""Plain numbers, read exactly: with sign, currency, percent sign, exponent, fraction and unit, amid harmless words."""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from tasks.verification.equivalence.plain_math import latex
from tasks.verification.equivalence.text_normalization import MATHEMATICS, NAMES, unwrapped
from tasks.verification.equivalence.units import NOT_BEFORE, NOT_UNITS, measure, money, product, unit

LONGEST = 2000
"""Characters of an answer that is still read: the longest of the 5,000 MATH answers has 159."""
LARGEST_EXPONENT = 400
"""Of `1e400`: past a float, far short of a number that takes time to write down."""
_UNIT_WORD = r"(?:m/s|[A-Za-z]{2,}+/[A-Za-z]++|[A-Za-z]{2,}+[²³]?|[mgsL][²³]?(?![A-Za-z])|a(?=\ [A-Za-z]))"
_NUMERAL = re.compile(
    rf"""(?P<sign>[-+]?)\ ?(?P<currency>[$€£¥₹]?)\ ?(?P<late_sign>[-+]?)
        (?:(?P<mixed>[0-9]++)\ (?=[0-9]++\ ?/))?+
        (?P<whole>[0-9]{{1,3}}(?:,[0-9]{{3}})++ | [0-9]{{1,3}}(?:\ [0-9]{{3}})++ | [0-9]*+) (?P<part>\.[0-9]++)?+
        (?:[eE](?P<exponent>[-+]?[0-9]++) | \ ?/\ ?(?P<over>[0-9]++))?+
        \ ?(?P<percent>%|per\ ?cents?\b|pct\b)?+\ ?(?P<late_currency>[$€£¥₹]?)
        (?P<words>(?:km|cm|mm|kg|mg|lbs?|oz|ft|mph)[²³]?(?![A-Za-z]) | (?:\ {_UNIT_WORD})++)?+\ ?[.,;]?""",
    re.VERBOSE,
)
"""Of text without a blank beside a blank: then no part of it can be matched in many ways, and it is linear."""
_REPEATING = re.compile(r"(-?)([0-9]{0,20})\.([0-9]{0,20})\\(?:overline|bar|dot) ?\{?([0-9]{1,20}+)\}?")
_LETTERED = re.compile(r"[-+]?[$€£¥₹]?[0-9][0-9.,]*+ ?[kKMBcdghlmost]\.?")
"""A letter behind a number: a factor, a variable, or one of the units that Math-Verify drops even from `5t`."""
_DROPPED = re.compile(r"\A[^=,<>]*[0-9})][cdghlmost]\Z")
"""A last variable that Math-Verify drops as if it were a unit, unless braces stand around."""
_LAST_WORD = re.compile(r"[A-Za-z]{2,}[²³]?\.?")
_DIGIT = re.compile("[0-9]")
_ANGLED = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-z])")
"""What takes an angle: the degrees under a sine are no unit of the whole."""
_SAID = re.compile(r"[=<>≤≥]|\\(?:le|ge|lt|gt|ne|in)(?![a-z])|[0-9)\]},] *,")
"""A relation or a list: any word behind a number may be its unit, and behind these it may deny them."""
_ABOUT = frozenset({"about", "around", "approximately", "approx", "roughly", "nearly", "almost"})
_WORD = re.compile(r"[A-Za-z]++(?:'[a-z]++)?[,:]?")


class Numeral(NamedTuple):
    """A plain number as it was written. `value` is None if it is not read, and `why` says why not."""

    value: Fraction | None
    percent: bool = False
    unit: str = ""
    about: bool = False
    special: bool = False
    """Written as a quotient, a mixed number, with an exponent or a percent sign."""
    written: str = ""
    """As Math-Verify can read it: without unit, currency and the blanks inside."""
    why: str = ""

    def __str__(self) -> str:
        return f"{self.value}{'%' if self.percent else ''}"


def number(text: str, plain: str | None = None) -> Numeral | None:
    """`text` (at most `LONGEST` characters) as a plain number with sign, currency, `%`, unit, amid words; or None.

    `1 1/2` is 1.5, and the value of `20%` is 20. `plain` is `unwrapped(text)`, where that is at hand.
    """
    text = unwrapped(text) if plain is None else plain
    before: list[str] = []
    if (repeating := _REPEATING.fullmatch(text)) is not None:
        return _repeating(repeating)
    match = _NUMERAL.fullmatch(text)
    if not _has_digits(match):
        before, rest = _sentence(text)
        match = _NUMERAL.fullmatch(rest) if before else None
    if match is None or not _has_digits(match) or (match["sign"] and match["late_sign"]):
        return Numeral(None, why="number_letter") if _LETTERED.fullmatch(text) else None
    words = match["words"] or ""
    if not NAMES.isdisjoint(words.casefold().split()):
        return None
    if NOT_UNITS.search(" ".join([*before, words])) or (before and NOT_BEFORE.fullmatch(before[-1])):
        return Numeral(None, why="number_words")
    if product(words):
        return Numeral(None, why="number_letter") if len(words.split()) == 1 else None
    return _read(match, before, unit(words, match["currency"] or match["late_currency"] or money(before)))


def _repeating(match: re.Match[str]) -> Numeral:
    sign, whole, part, again = match.groups()
    value = Fraction(f"{whole or '0'}.{part or '0'}") + Fraction(int(again), (10 ** len(again) - 1) * 10 ** len(part))
    return Numeral(-value if sign else value, special=True, written=f"{sign}{value}")


def _has_digits(match: re.Match[str] | None) -> bool:
    return match is not None and bool(match["whole"] or match["part"])


def _sentence(text: str) -> tuple[list[str], str]:
    """The words before the first numeral, and the rest; no words where one of them may be a variable or a function."""
    tokens = text.split()
    at = next((at for at, token in enumerate(tokens) if any("0" <= sign <= "9" for sign in token)), 0)
    before = [token.rstrip(",:").casefold() for token in tokens[:at] if _WORD.fullmatch(token)]
    plain = any(len(word) > 2 for word in before) and all(len(word) > 1 or word == "a" for word in before)
    if len(before) < at or not plain or not (MATHEMATICS | NAMES).isdisjoint(before):
        return [], text
    return before, " ".join(tokens[at:])


def _read(match: re.Match[str], before: Sequence[str], unit: str) -> Numeral | None:
    """The value of a numeral; None for a division by zero."""
    exponent, over, mixed = match["exponent"] or "0", match["over"] or "1", match["mixed"]
    if len(exponent) > 5 or abs(int(exponent)) > LARGEST_EXPONENT:
        return Numeral(None, why="too_large")
    if not int(over):
        return None
    whole, part = match["whole"].replace(",", "").replace(" ", ""), match["part"] or ""
    if mixed and (part or not 0 < int(whole) < int(over) or whole.startswith("0")):
        return Numeral(None, why="digits_apart")
    value = Fraction(f"{whole or '0'}{part}e{exponent}") / int(over) + int(mixed or 0)
    minus = "-" if "-" in (match["sign"], match["late_sign"]) else ""
    digits = str(value) if mixed else whole + part + (f"e{exponent}" if match["exponent"] else "")
    written = minus + digits + (f"/{over}" if match["over"] and not mixed else "") + (r"\%" if match["percent"] else "")
    about = not _ABOUT.isdisjoint(before)
    special = match["over"] is not None or bool(match["exponent"] or match["percent"])
    return Numeral(-value if minus else value, bool(match["percent"]), unit, about, special, written)


def bare(text: str) -> tuple[str, str]:
    r"""`text` without the unit at its end, and that unit: `\frac{1}{2}` and `cup` of `\frac{1}{2}\text{ cups}`."""
    if len(text) > LONGEST:
        return text, ""
    plain = unwrapped(text)
    numeral = number(text, plain)
    front, unit = head(text, plain, numeral)
    return front if numeral else latex(front), unit


def head(text: str, plain: str, numeral: Numeral | None) -> tuple[str, str]:
    """As `bare`, of a text that is unwrapped and read already."""
    if numeral and numeral.value is not None:
        return numeral.written, numeral.unit
    tokens = plain.split()
    end = len(tokens)
    while end and (_LAST_WORD.fullmatch(tokens[end - 1]) or (tokens[end - 1] == "a" and end < len(tokens))):
        end -= 1
    front, words = " ".join(tokens[:end]), " ".join(tokens[end:]).rstrip(".")
    if (
        not words
        or not _DIGIT.search(front)
        or NOT_UNITS.search(words)
        or product(words)
        or not (MATHEMATICS | NAMES).isdisjoint(words.split())
        or (_SAID.search(front) and not measure(words))
        or _ANGLED.search(front)
    ):
        return ("{" + plain + "}" if _DROPPED.search(plain) else text), ""
    return front, unit(words)
