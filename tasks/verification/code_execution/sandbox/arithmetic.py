"""Calculates an arithmetic expression exactly, for checker programs, which must not evaluate a response as Python."""

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction

MAX_CHARACTERS, MAX_BITS, MAX_EXPONENT = 1000, 4096, 256
"""Largest expression, largest numerator or denominator, and largest exponent."""
_SIGNS = str.maketrans({"\N{MULTIPLICATION SIGN}": "*", "\N{MIDDLE DOT}": "*", "\N{DIVISION SIGN}": "/"})
_SIGNS |= str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-"})
# matches all of "3*(7+5.5)", not of "3*7 # x", "f(3)"
_EXPRESSION = re.compile(r"[0-9.+*/() -]+")
_BINARY: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def calculate(text: str) -> Fraction:
    """The value of an expression of numbers, `+`, `-`, `*`, `/`, `**` and brackets. Raises `ValueError`."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"longer than {MAX_CHARACTERS} characters")
    text = text.translate(_SIGNS).strip()
    if not _EXPRESSION.fullmatch(text):
        raise ValueError("characters that are no arithmetic")
    try:
        return _evaluate(ast.parse(text, mode="eval").body)
    except (ArithmeticError, MemoryError, RecursionError, SyntaxError) as error:
        raise ValueError(f"no arithmetic: {error}") from None


def _evaluate(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value = Fraction(str(node.value)) if isinstance(node.value, float) else Fraction(node.value)  # type: ignore[arg-type]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        value = _evaluate(node.operand) * (-1 if isinstance(node.op, ast.USub) else 1)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        base, exponent = _evaluate(node.left), _evaluate(node.right)
        if exponent.denominator != 1 or abs(exponent) > MAX_EXPONENT:
            raise ValueError("an exponent that is too large or no integer")
        value = base ** int(exponent)
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        value = _BINARY[type(node.op)](_evaluate(node.left), _evaluate(node.right))
    else:
        raise ValueError(f"no arithmetic: {type(node).__name__}")
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise ValueError("a number that is too large")
    return value
