"""Polynomials with exact coefficients, whose monomials know that two square roots of 2 make 2, and that i twice is -1.

Their monomials hold powers of letters and of pi, `i` at most once, and primes to fractions below 1. Real roots of that
kind are linearly independent over the rationals (Besicovitch 1940), so one number has one form, and different forms
are different numbers.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Context, Decimal
from fractions import Fraction
from math import inf

Rational = int | Fraction
Monomial = tuple[tuple[str, Rational], ...]
"""Base and exponent, by base; a base of digits is a prime."""
Terms = Mapping[Monomial, Rational]
ONE: Terms = {(): 1}
ZERO: Terms = {}

TERMS = 200
"""Of a polynomial: `(x+1)^{100}` is left to others."""
MOST = 100_000
"""Products of two monomials in reading or comparing one answer: some tenths of a second."""
BITS = 20_000
"""Of a numerator or denominator; `2^{2005}` is an answer of MATH."""
UNIT, PI, E, INFINITY = "i", "\\pi", "e", "\\infty"
PRECISE = Context(prec=60)
_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")


class Unsure(Exception):
    """What was written has no exact form here: the next rung may look at it."""


class _Work(threading.local):
    left: float = inf


_work = _Work()


@contextmanager
def bounded() -> Iterator[None]:
    """Inside, `MOST` products of monomials are made, and the next one raises `Unsure`."""
    before, _work.left = _work.left, MOST
    try:
        yield
    finally:
        _work.left = before


def plus(left: Terms, right: Terms) -> Terms:
    """Their sum."""
    if not left or not right:
        return left or right
    total = dict(left)
    for mono, number in right.items():
        if found := total.get(mono, 0) + number:
            total[mono] = whole(found)
        else:
            del total[mono]
    return _bounded(total)


def product(left: Terms, right: Terms) -> Terms:
    """Their product; raises `Unsure` where it is too large."""
    if left is ONE or right is ONE:
        return right if left is ONE else left
    total = dict[Monomial, Rational]()
    count = len(left) * len(right)
    _work.left -= count
    if count > TERMS * 4 or _work.left < 0:
        raise Unsure
    for one, first in left.items():
        for other, second in right.items():
            factor, mono = _joined(one, other)
            if found := total.get(mono, 0) + first * second * factor:
                total[mono] = whole(found)
            else:
                total.pop(mono, None)
    return _bounded(total)


def _joined(one: Monomial, other: Monomial) -> tuple[Rational, Monomial]:
    """The product of two monomials, and the number that falls out of it: 2 of two square roots of 2."""
    if not one or not other:
        return 1, one or other
    powers, factor = dict(one), 1
    for base, exponent in other:
        up = powers.pop(base, 0) + exponent
        if base.isdigit() and up >= 1:
            up, factor = up - 1, factor * int(base)
        elif base == UNIT and up == 2:
            up, factor = 0, -factor
        if up:
            powers[base] = up
    return factor, tuple(sorted(powers.items()))


def _bounded(terms: dict[Monomial, Rational]) -> Terms:
    if len(terms) > TERMS or any(_bits(number) > BITS for number in terms.values()):
        raise Unsure
    return terms


def _bits(number: Rational) -> int:
    return max(number.numerator.bit_length(), number.denominator.bit_length())


def whole(number: Rational) -> Rational:
    """An `int` where it is one: those are ten times as fast."""
    return number.numerator if number.denominator == 1 else number


def is_letter(base: str) -> bool:
    """Whether it stands for anything, not for a prime, `i` or pi."""
    return not base.isdigit() and base not in (UNIT, PI)


def digits(terms: Terms) -> Decimal:
    """Some 50 digits of a real constant."""
    total = Decimal(0)
    for mono, number in terms.items():
        part = PRECISE.divide(Decimal(number.numerator), Decimal(number.denominator))
        for base, exponent in mono:
            up = PRECISE.divide(Decimal(exponent.numerator), Decimal(exponent.denominator))
            part = PRECISE.multiply(part, PRECISE.power(_PI if base == PI else Decimal(base), up))
        total = PRECISE.add(total, part)
    return total
