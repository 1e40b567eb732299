"""Exact arithmetic: numbers, how texts write them, and the equations `a op b = c` that make up every solution."""

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Literal, NamedTuple

Number = int | Fraction
Value = int | Fraction | str
Operator = Literal["+", "-", "*", "/"]
Style = Literal["count", "money", "decimal", "fraction"]

COUNT_PATTERN = r"(?:0|[1-9]\d{0,8})"
"""Pattern of a whole number as a question writes it: no sign, no leading zeros, at most 9 digits."""
NUMBER_PATTERN = COUNT_PATTERN + r"(?:\.\d{1,4}|/[1-9]\d{0,8})?"
"""Pattern of a number as a question writes it: 12, 4.50 or 3/8."""

# Solutions may grow longer numbers than questions, but Python refuses to read ints of more than 4300 digits.
_RESULT_PATTERN = r"-?(?:0|[1-9]\d{0,99})(?:\.\d{1,4}|/[1-9]\d{0,99})?"
# matches "2 + 3 = 5", not "2+3=5", "2 + x = 5"
_EQUATION = re.compile(rf"(?<![\d./])({_RESULT_PATTERN}) ([-+*/]) ({_RESULT_PATTERN}) = ({_RESULT_PATTERN})(?![\d/])")
# matches "#### $5", not "#### 5 cats"
_FINAL_LINE = re.compile(rf"^\s*####\s*\$?({_RESULT_PATTERN})\s*$", re.MULTILINE)

_OPERATIONS: dict[str, Callable[[Number, Number], Number]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: Fraction(a) / b,
}
_RELATIONS: dict[str, Callable[[Number, Number], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "!=": lambda a, b: a != b,
    "coprime": lambda a, b: math.gcd(int(a), int(b)) == 1,
}


class Equation(NamedTuple):
    """An equation as a text states it: `left op right = result`, true or false."""

    left: Number
    op: str
    right: Number
    result: Number

    @property
    def is_true(self) -> bool:
        """Whether the equation holds; a division by zero does not."""
        return (self.op != "/" or self.right != 0) and calculate(self.left, self.op, self.right) == self.result


def simplify(value: Number) -> Number:
    """The same number, as an int if it is whole."""
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def calculate(left: Number, op: str, right: Number) -> Number:
    """The exact value of `left op right`. Raises ZeroDivisionError."""
    if op == "/" and isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right  # four times as fast as with a Fraction
    return simplify(_OPERATIONS[op](left, right))


def operand_value(name: str, values: Mapping[str, Value]) -> Number:
    """The value of a name or a literal such as `60`. Raises KeyError for an unknown name, TypeError for a word."""
    value = values[name] if name in values or not name.isdigit() else int(name)
    if isinstance(value, str):
        raise TypeError(f"{name!r} is the word {value!r}, not a number; calculate with numbers only")
    return value


def condition_holds(condition: str, values: Mapping[str, Value]) -> bool:
    """Whether a condition such as `k < n` holds. Sides are names or literals, relations < <= != and coprime."""
    left, relation, right = condition.split()
    return _RELATIONS[relation](operand_value(left, values), operand_value(right, values))


def decimal_places(value: Number) -> int | None:
    """Decimal places needed to write the number exactly; None if it takes more than 4 or its decimals never end."""
    return next((n for n in range(5) if 10**n % Fraction(value).denominator == 0), None)


def format_number(value: Number, style: Style) -> str:
    """The number as texts show it: 12, 4.50 (money), 2.5 (decimal), or 3/8 (fraction, or more than 4 decimals)."""
    decimals = decimal_places(value)
    if isinstance(value, int) or decimals == 0 or decimals is None or style == "fraction":
        return str(value)
    if style == "money":
        decimals = max(decimals, 2)
    sign, digits = "-" if value < 0 else "", str(abs(value.numerator) * 10**decimals // value.denominator)
    digits = digits.rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def parse_number(text: str) -> Number:
    """The number that a text consists of. Raises ValueError for any other text."""
    return int(text) if text.isdigit() else simplify(Fraction(text))


def find_equations(text: str) -> list[tuple[int, Equation]]:
    """Every equation `a op b = c` of a text, each after its 0-based line number."""
    numbered = []
    for at, line in enumerate(text.splitlines()):
        for left, op, right, result in _EQUATION.findall(line):
            numbered.append((at, Equation(parse_number(left), op, parse_number(right), parse_number(result))))
    return numbered


def find_final_answer(text: str) -> tuple[int, Number] | None:
    """The last line of the form `#### 36`, as its 0-based line number and its value; None if there is none."""
    last = list(_FINAL_LINE.finditer(text))[-1:]
    return (text.count("\n", 0, last[0].start(1)), parse_number(last[0][1])) if last else None
