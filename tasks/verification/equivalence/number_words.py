"""Reads numbers written as English words: `twelve`, `twenty-one`, `one hundred and five`, `2.5 million`."""

import re
from fractions import Fraction

_UNITS = {
    **{"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9},
    **{"ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16},
    **{"seventeen": 17, "eighteen": 18, "nineteen": 19},
}
_TENS = {
    **{"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_HUNDRED = "hundred"
SCALES = (1, 100, *_SCALES.values())
"""By how much a word such as `million` may multiply a number."""
# matches "five", "twenty-one", "hundred", not "often", "fiver"
NUMBER_WORD = re.compile(
    rf"\b(?:{'|'.join([*_UNITS, *_TENS, *_SCALES, _HUNDRED])}"
    r"|half|third|quarter|dozen|twice|double|triple|none|both)s?\b",
    re.IGNORECASE,
)
MAX_WORDS = 20
"""Longest number in words."""
# matches all of "2.5 million", "5 thousand dollars", "3 hundred", not of "million", "5 millions of"
_SCALED = re.compile(
    r"(-?[0-9]{1,3}(?:,[0-9]{3})*(?:\.[0-9]+)?) (hundred|thousand|million|billion|trillion)(?: [a-z]{3,12})?\.?",
    re.IGNORECASE,
)


def read_number_words(text: str) -> Fraction | None:
    """The whole number that a text of words is; None if it is none."""
    words = text.casefold().replace("-", " ").rstrip(".").split()
    if not words or len(words) > MAX_WORDS or (words[0] not in _UNITS and words[0] not in _TENS):
        return None
    total, part, last = 0, 0, 10**15
    for at, word in enumerate(words):
        if word in _UNITS and (at == 0 or words[at - 1] not in _UNITS) and not part % 10:
            if part % 100 and _UNITS[word] > 9:
                return None
            part += _UNITS[word]
        elif word in _TENS and not part % 100:
            part += _TENS[word]
        elif word == _HUNDRED and 0 < part < 10:
            part *= 100
        elif word in _SCALES and part and _SCALES[word] < last:
            last = _SCALES[word]
            total, part = total + part * last, 0
        elif word != "and" or not (at and words[at - 1] in (_HUNDRED, *_SCALES)) or at == len(words) - 1:
            return None
    return Fraction(total + part)


def read_scaled_number(text: str) -> Fraction | None:
    """The value of `2.5 million`; None if the text is no number with such a word."""
    match = _SCALED.fullmatch(text)
    if match is None:
        return None
    scale = 100 if match[2].casefold() == _HUNDRED else _SCALES[match[2].casefold()]
    return Fraction(match[1].replace(",", "")) * scale
