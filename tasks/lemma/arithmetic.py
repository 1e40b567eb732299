"""Finds and checks calculations in the text of a step, without currency, units, brackets and LaTeX."""

import re
from fractions import Fraction

NUMBER_PATTERN = r"[0-9]+(?:\.[0-9]+)?"
SIGN_PATTERN = r" *[-+*/x] *"
_TIMES_SIGN, _DIVISION_SIGN = re.compile(r"\\times|\\cdot|\u00d7"), re.compile(r"\\div|\u00f7")
# matches "<<2*3=6>>", "1,234", r"\text{ cats}", not "3 < 4", "1,23"
_CLUTTER = re.compile(r"<<[^<>\n]*>>|[$€£()]|(?<=[0-9]),(?=[0-9]{3})|\\(?:text|mathrm|mbox)\{[^{}]*\}|\\[()\[\]]")
# matches "3 cats * 4", not "3 cats are", "3 x = 4"
_UNIT = re.compile(r"(?<=[0-9]) +[A-Za-z]{2,}(?= *[-+*/=])")
# matches "2 + 3 = 5", not "2 + x = 5", "2 + 3 = 5/2"
_EQUATION = re.compile(
    rf"(?<![\w^.-])({NUMBER_PATTERN})((?:{SIGN_PATTERN}{NUMBER_PATTERN})+) *= *(-?{NUMBER_PATTERN})"
    rf"(?![0-9/]|\.[0-9]|{SIGN_PATTERN}[0-9(])"
)
# matches all of " + 3", not of "+", "3"
_ONE_OPERATION = re.compile(rf"({SIGN_PATTERN})({NUMBER_PATTERN})")
# matches "10 - 2 = 8 * 3 = 24", not "10 - 2 = 8, so 8 * 3 = 24"
_CHAINED_EQUATION = re.compile(rf"= *-?{NUMBER_PATTERN}{SIGN_PATTERN}[0-9(]")
"""Two equations in one, as in `10 - 2 = 8 * 3 = 24`, where `8` is a result and an operand: these are not checked."""


def normalize_calculations(text: str) -> str:
    """Reduce calculations in a text to numbers and signs: `12 eggs \u00d7 3 = $36` becomes `12 * 3 = 36`."""
    return _UNIT.sub("", _DIVISION_SIGN.sub("/", _TIMES_SIGN.sub("*", _CLUTTER.sub("", text))))


def equations_hold(step: str) -> bool:
    """Whether a step has calculations like `12 * 3 = 36`, and all are right or rounded. False in cases of doubt."""
    text = normalize_calculations(step)
    equations = _EQUATION.findall(text)
    return (
        bool(equations)
        and not _CHAINED_EQUATION.search(text)
        and all(_equation_holds(*equation) for equation in equations)
    )


def _equation_holds(left: str, operations: str, result: str) -> bool:
    operation = _ONE_OPERATION.fullmatch(operations)
    if operation is None:
        return False  # several operations, as in `2 + 3 * 4`: precedence is not implemented here
    a, op, b, c = Fraction(left), operation[1].strip(), Fraction(operation[2]), Fraction(result)
    if op == "/":
        unit = Fraction(1, 10 ** len(result.partition(".")[2]))
        return b != 0 and (a / b == c or ((a / b / unit).denominator > 1 and abs(a / b - c) < unit))
    return (a + b if op == "+" else a - b if op == "-" else a * b) == c
