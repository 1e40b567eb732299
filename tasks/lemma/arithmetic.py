"""Calculations in the text of a step, as they are compared: without currency, units, brackets and LaTeX."""

import re
from fractions import Fraction

NUMBER = r"[0-9]+(?:\.[0-9]+)?"
SIGN = r" *[-+*/x] *"
_MULTIPLIED, _DIVIDED = re.compile(r"\\times|\\cdot|\u00d7"), re.compile(r"\\div|\u00f7")
_CLUTTER = re.compile(r"<<[^<>\n]*>>|[$€£()]|(?<=[0-9]),(?=[0-9]{3})|\\(?:text|mathrm|mbox)\{[^{}]*\}|\\[()\[\]]")
_UNIT = re.compile(r"(?<=[0-9]) +[A-Za-z]{2,}(?= *[-+*/=])")
_EQUATION = re.compile(rf"(?<![\w^.-])({NUMBER})((?:{SIGN}{NUMBER})+) *= *(-?{NUMBER})(?![0-9/]|\.[0-9]|{SIGN}[0-9(])")
_SINGLE = re.compile(rf"({SIGN})({NUMBER})")
_RUN_ON = re.compile(rf"= *-?{NUMBER}{SIGN}[0-9(]")
"""`10 - 2 = 8 * 3 = 24`: whether the first half is right, the second does not say."""


def plain(text: str) -> str:
    """The text with calculations as numbers and signs: `12 eggs \u00d7 3 = $36` is `12 * 3 = 36`."""
    return _UNIT.sub("", _DIVIDED.sub("/", _MULTIPLIED.sub("*", _CLUTTER.sub("", text))))


def adds_up(step: str) -> bool:
    """Whether a step has calculations like `12 * 3 = 36` and all of them are right, or rounded; not so where unsure."""
    text = plain(step)
    found = _EQUATION.findall(text)
    return bool(found) and not _RUN_ON.search(text) and all(_right(*equation) for equation in found)


def _right(left: str, rest: str, result: str) -> bool:
    single = _SINGLE.fullmatch(rest)
    if single is None:
        return False  # `2 + 3 * 4`, of which the order is not worked out here
    a, op, b, c = Fraction(left), single[1].strip(), Fraction(single[2]), Fraction(result)
    if op == "/":
        unit = Fraction(1, 10 ** len(result.partition(".")[2]))
        return b != 0 and (a / b == c or ((a / b / unit).denominator > 1 and abs(a / b - c) < unit))
    return (a + b if op == "+" else a - b if op == "-" else a * b) == c
