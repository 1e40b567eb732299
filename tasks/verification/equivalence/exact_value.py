"""Exact values: quotients of two polynomials, whose equality is proved and never a matter of digits.

What has no exact form is a symbol of its own, `\x00...`: equal where it is written alike, and otherwise unsure.
"""

from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from typing import NamedTuple

from tasks.verification.equivalence import polynomials
from tasks.verification.equivalence.polynomials import (
    ONE,
    PI,
    PRECISE,
    UNIT,
    ZERO,
    E,
    Rational,
    Terms,
    Unsure,
    is_letter,
    plus,
    product,
    whole,
)

_OPAQUE, _FREE = "\x00", "\x01"


class Value(NamedTuple):
    """`top / bottom`, neither of which is changed once made; `bottom` is never zero."""

    top: Terms
    bottom: Terms

    @property
    def rational(self) -> Rational | None:
        """Its value if it is a rational number."""
        if self.bottom is ONE and len(self.top) < 2 and not any(self.top):
            return self.top.get((), 0)
        return None

    @property
    def letters(self) -> set[str]:
        """Symbols in it that are no numbers."""
        return {base for terms in self for mono in terms for base, _ in mono if is_letter(base)}


def rational(number: Rational) -> Value:
    """The value of a number."""
    return Value({(): whole(number)} if number else ZERO, ONE)


def symbol(name: str) -> Value:
    """A letter, or one of `UNIT`, `PI`, `E`, `INFINITY` of `polynomials`."""
    return Value({((name, 1),): 1}, ONE)


def opaque(name: str, *parts: Value, free: bool = False) -> Value:
    """What is only known by how it is written, e.g. a sine of `parts`; `free`: it equals no quotient of polynomials."""
    name = _FREE + name if free else name
    return symbol(f"{_OPAQUE}{name}:{blake2b(repr([_spelled(part) for part in parts]).encode()).hexdigest()[:32]}")


def _spelled(value: Value) -> list[list[tuple[str, str]]]:
    """In digits of base 16: for those of base 10, Python sets a limit."""
    return [sorted((str(mono), f"{n.numerator:x}/{n.denominator:x}") for mono, n in terms.items()) for terms in value]


def add(left: Value, right: Value) -> Value:
    """Their sum."""
    if left.bottom is ONE and right.bottom is ONE:
        return Value(plus(left.top, right.top), ONE)
    top = plus(product(left.top, right.bottom), product(right.top, left.bottom))
    return Value(top, product(left.bottom, right.bottom))


def negative(value: Value) -> Value:
    """Its negative."""
    return Value({mono: -number for mono, number in value.top.items()}, value.bottom)


def times(left: Value, right: Value) -> Value:
    """Their product."""
    bottom = ONE if left.bottom is ONE and right.bottom is ONE else product(left.bottom, right.bottom)
    return Value(product(left.top, right.top), bottom)


def over(left: Value, right: Value) -> Value:
    """Their quotient; raises `Unsure` where the divisor is zero."""
    if not right.top:
        raise Unsure
    if len(right.top) > 1:
        return Value(product(left.top, right.bottom), product(left.bottom, right.top))
    ((mono, number),) = right.top.items()
    inverse: Terms = {(): whole(1 / Fraction(number))}
    for base, exponent in mono:
        inverse = product(inverse, _inverse(base, exponent))
    top = product(product(left.top, right.bottom), inverse)
    return Value(top, left.bottom)


def _inverse(base: str, exponent: Rational) -> Terms:
    if base.isdigit():
        return {((base, 1 - exponent),): Fraction(1, int(base))}
    return {((UNIT, 1),): -1} if base == UNIT else {((base, -exponent),): 1}


def same(left: Value, right: Value) -> bool | None:
    """Whether both are equal; None where it cannot be said."""
    if left.bottom is ONE and right.bottom is ONE:
        equal = left.top == right.top
    else:
        equal = product(left.top, right.bottom) == product(right.top, left.bottom)
    if equal:
        return True
    letters = left.letters | right.letters
    atoms = {name for name in letters if name[0] == _OPAQUE}
    if atoms and not (len(atoms) == 1 and _once(left, *atoms) and _once(right, *atoms)):
        return None
    if {E, PI} <= letters | _constants(left) | _constants(right):
        return None  # nobody knows whether e and pi are algebraically independent
    return False


def _once(value: Value, atom: str) -> bool:
    """Whether it is `a + b * atom`, and `atom` such that only equal `a` and `b` make two of them equal."""
    powers = [up for mono in value.top for base, up in mono if base == atom]
    return atom[1] == _FREE and value.bottom is ONE and all(up == 1 for up in powers)


def _constants(value: Value) -> set[str]:
    return {base for terms in value for mono in terms for base, _ in mono if base == PI}


def proportional(left: Value, right: Value) -> bool:
    """Whether one is the other but for a rational factor other than zero: then they vanish together."""
    if len(left.top) != len(right.top) or not left.top or left.top.keys() != right.top.keys():
        return False
    mono = next(iter(left.top))
    ratio = Fraction(left.top[mono]) / right.top[mono]
    return all(number == ratio * right.top[mono] for mono, number in left.top.items()) and left.bottom == right.bottom


def linear(value: Value) -> bool:
    """Whether it is a polynomial of first degree in letters, with rational coefficients."""
    return value.bottom is ONE and all(
        not mono or (len(mono) == 1 and mono[0][1] == 1 and is_letter(mono[0][0]) and mono[0][0][0] != _OPAQUE)
        for mono in value.top
    )


def degree(value: Value) -> int:
    """Of a polynomial in letters with rational coefficients; 0 where it is none."""
    if value.bottom is not ONE or not all(is_letter(base) and base[0] != _OPAQUE for m in value.top for base, _ in m):
        return 0
    powers = [[up for _, up in mono] for mono in value.top]
    if not all(isinstance(up, int) and up > 0 for mono in powers for up in mono):
        return 0
    return max((int(sum(mono)) for mono in powers), default=0)


def approximate(value: Value) -> Decimal | None:
    """Some 50 digits of a real constant; None of anything else."""
    if value.letters or any(base == UNIT for terms in value for mono in terms for base, _ in mono):
        return None
    top, bottom = (polynomials.digits(terms) for terms in value)
    return PRECISE.divide(top, bottom) if bottom else None
