"""Exact values: quotients of two polynomials, whose equality is proved and never decided by digits.

An expression without an exact form is a symbol of its own, `\x00...`: equal if written alike, otherwise undecided.
"""

import re
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from typing import NamedTuple

from tasks.verification.equivalence import polynomials
from tasks.verification.equivalence.polynomials import (
    DECIMAL_CONTEXT,
    IMAGINARY_UNIT,
    ONE,
    PI,
    ZERO,
    E,
    NoExactForm,
    Rational,
    Terms,
    add_terms,
    is_letter,
    multiply_terms,
    simplify_number,
)

_UNINTERPRETED_PREFIX, _IRRATIONAL_PREFIX = "\x00", "\x01"


class Value(NamedTuple):
    """The quotient `top / bottom`. Both are immutable, and `bottom` is never zero."""

    top: Terms
    bottom: Terms

    @property
    def rational(self) -> Rational | None:
        """The value as a rational number; None if it is none."""
        if self.bottom is ONE and len(self.top) < 2 and not any(self.top):
            return self.top.get((), 0)
        return None

    @property
    def letters(self) -> set[str]:
        """The symbols in it that are not numbers."""
        return {base for terms in self for mono in terms for base, _ in mono if is_letter(base)}


def make_rational(number: Rational) -> Value:
    """The value of a number."""
    return Value({(): simplify_number(number)} if number else ZERO, ONE)


def make_symbol(name: str) -> Value:
    """A letter, or one of `IMAGINARY_UNIT`, `PI`, `E`, `INFINITY` of `polynomials`."""
    return Value({((name, 1),): 1}, ONE)


def make_uninterpreted(name: str, *parts: Value, is_irrational: bool = False) -> Value:
    """A symbol for an expression known only by how it is written, e.g. a sine of `parts`. `is_irrational`: it equals
    no quotient of polynomials."""
    name = _IRRATIONAL_PREFIX + name if is_irrational else name
    return make_symbol(
        f"{_UNINTERPRETED_PREFIX}{name}:{blake2b(repr([_to_hex(part) for part in parts]).encode()).hexdigest()[:32]}"
    )


def is_function_value(name: str) -> bool:
    """Whether a symbol is the value of a function without a definition, such as `f(x)`."""
    return re.match(f"{_UNINTERPRETED_PREFIX}{_IRRATIONAL_PREFIX}?[A-Za-z]:", name) is not None


def _to_hex(value: Value) -> list[list[tuple[str, str]]]:
    """A value in hexadecimal digits, because Python limits the conversion to decimal digits."""
    return [sorted((str(mono), f"{n.numerator:x}/{n.denominator:x}") for mono, n in terms.items()) for terms in value]


def add(left: Value, right: Value) -> Value:
    """Return the sum of two values."""
    if left.bottom is ONE and right.bottom is ONE:
        return Value(add_terms(left.top, right.top), ONE)
    top = add_terms(multiply_terms(left.top, right.bottom), multiply_terms(right.top, left.bottom))
    return Value(top, multiply_terms(left.bottom, right.bottom))


def negate(value: Value) -> Value:
    """Return the negative of a value."""
    return Value({mono: -number for mono, number in value.top.items()}, value.bottom)


def multiply(left: Value, right: Value) -> Value:
    """Return the product of two values."""
    bottom = ONE if left.bottom is ONE and right.bottom is ONE else multiply_terms(left.bottom, right.bottom)
    return Value(multiply_terms(left.top, right.top), bottom)


def divide(left: Value, right: Value) -> Value:
    """Return the quotient of two values. Raises `NoExactForm` if the divisor is zero."""
    if not right.top:
        raise NoExactForm
    if len(right.top) > 1:
        return Value(multiply_terms(left.top, right.bottom), multiply_terms(left.bottom, right.top))
    ((mono, number),) = right.top.items()
    inverse: Terms = {(): simplify_number(1 / Fraction(number))}
    for base, exponent in mono:
        inverse = multiply_terms(inverse, _invert(base, exponent))
    top = multiply_terms(multiply_terms(left.top, right.bottom), inverse)
    return Value(top, left.bottom)


def _invert(base: str, exponent: Rational) -> Terms:
    if base.isdigit():
        return {((base, 1 - exponent),): Fraction(1, int(base))}
    return {((IMAGINARY_UNIT, 1),): -1} if base == IMAGINARY_UNIT else {((base, -exponent),): 1}


def values_equal(left: Value, right: Value) -> bool | None:
    """Whether two values are equal; None if that is undecided."""
    if left.bottom is ONE and right.bottom is ONE:
        equal = left.top == right.top
    else:
        equal = multiply_terms(left.top, right.bottom) == multiply_terms(right.top, left.bottom)
    if equal:
        return True
    letters = left.letters | right.letters
    atoms = {name for name in letters if name[0] == _UNINTERPRETED_PREFIX}
    if atoms and not (len(atoms) == 1 and _is_linear_in(left, *atoms) and _is_linear_in(right, *atoms)):
        return None
    if {E, PI} <= letters | _find_constants(left) | _find_constants(right):
        return None  # whether e and pi are algebraically independent is an open question
    return False


def _is_linear_in(value: Value, atom: str) -> bool:
    """Whether it is `a + b * atom` with an irrational `atom`, so that two such are equal only if `a` and `b` are."""
    powers = [up for mono in value.top for base, up in mono if base == atom]
    return atom[1] == _IRRATIONAL_PREFIX and value.bottom is ONE and all(up == 1 for up in powers)


def _find_constants(value: Value) -> set[str]:
    return {base for terms in value for mono in terms for base, _ in mono if base == PI}


def are_proportional(left: Value, right: Value) -> bool:
    """Whether one is the other times a nonzero rational number, so that both are zero for the same letters."""
    if len(left.top) != len(right.top) or not left.top or left.top.keys() != right.top.keys():
        return False
    mono = next(iter(left.top))
    ratio = Fraction(left.top[mono]) / right.top[mono]
    return all(number == ratio * right.top[mono] for mono, number in left.top.items()) and left.bottom == right.bottom


def is_linear(value: Value) -> bool:
    """Whether the value is a polynomial of degree at most 1 in letters, with rational coefficients."""
    return value.bottom is ONE and all(
        not mono
        or (len(mono) == 1 and mono[0][1] == 1 and is_letter(mono[0][0]) and mono[0][0][0] != _UNINTERPRETED_PREFIX)
        for mono in value.top
    )


def degree(value: Value) -> int:
    """The degree of a polynomial in letters with rational coefficients; 0 if the value is none."""
    if value.bottom is not ONE or not all(
        is_letter(base) and base[0] != _UNINTERPRETED_PREFIX for m in value.top for base, _ in m
    ):
        return 0
    powers = [[up for _, up in mono] for mono in value.top]
    if not all(isinstance(up, int) and up > 0 for mono in powers for up in mono):
        return 0
    return max((int(sum(mono)) for mono in powers), default=0)


def approximate(value: Value) -> Decimal | None:
    """A real constant to some 50 digits; None for anything else."""
    if value.letters or any(base == IMAGINARY_UNIT for terms in value for mono in terms for base, _ in mono):
        return None
    top, bottom = (polynomials.evaluate(terms) for terms in value)
    return DECIMAL_CONTEXT.divide(top, bottom) if bottom else None
