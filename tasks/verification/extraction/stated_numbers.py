"""Tells whether a response names a number at all, so that it is wrong whichever of its numbers is its answer."""

import re
from fractions import Fraction

from tasks.verification.equivalence.expression_parser import parse_expression, tokenize
from tasks.verification.equivalence.number_words import NUMBER_WORD
from tasks.verification.equivalence.polynomials import NoExactForm, limit_work

# matches all of "18", "1,234", "-2.5", not of "x", "1/2", "1,2"
_PLAIN_NUMBER = re.compile(r"-?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})(?:\.[0-9]{1,15})?")
# matches "12", "1,234.5", ".5", not "x"
_NUMBER = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+")
# matches "12+1", "20*(12/70)", "3 / 4", not "12", "a+b"
_CALCULATION = re.compile(r"(?<![0-9.,()])[(0-9][0-9.,() ]*+(?:[-+*/][( ]*+[0-9.][0-9.,() ]*+)+")
# matches "\\frac", "5²", "5!", "2^3", "5x", "3:2", "5%", "½", not "5 cats", "<<4/2=2>>2"
_OTHER_NOTATION = re.compile(r"[\\^%:]|[0-9)]!|[0-9][A-Za-z](?![a-z])|[^\x00-\x7f]")
MAX_CHARACTERS = 4000
"""Longest response that is searched."""
MAX_CALCULATIONS = 200
"""Calculations of a response that are carried out."""


def excludes(response: str, gold: str) -> bool:
    """Whether the gold is a plain number that the response does not name in any notation, nor has as a result."""
    if not _PLAIN_NUMBER.fullmatch(gold) or len(response) > MAX_CHARACTERS:
        return False
    if _OTHER_NOTATION.search(response) or NUMBER_WORD.search(response):
        return False
    value = abs(Fraction(gold.replace(",", "")))
    named = (number[0].replace(",", "") for number in _NUMBER.finditer(response))
    if any(Fraction(text) == value for text in named):
        return False
    calculations = [match[0] for match in _CALCULATION.finditer(response)]
    return len(calculations) <= MAX_CALCULATIONS and not any(_may_give(each, value) for each in calculations)


def _may_give(calculation: str, value: Fraction) -> bool:
    """Whether a calculation has this value, or none that is known."""
    try:
        with limit_work():
            result = parse_expression(tokenize(calculation.replace(",", ""))).rational
    except (NoExactForm, RecursionError):
        return True
    return result is None or abs(result) == value
