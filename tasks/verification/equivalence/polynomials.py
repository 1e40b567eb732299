"""Polynomials with exact coefficients, whose products simplify roots of primes (`sqrt(2)` twice is 2) and `i`.

Monomials hold powers of letters and of pi, `i` at most once, and primes to fractional powers below 1. Real roots of
that kind are linearly independent over the rationals (Besicovitch 1940), so each number has exactly one form.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Context, Decimal
from fractions import Fraction
from math import inf

Rational = int | Fraction
Monomial = tuple[tuple[str, Rational], ...]
"""Pairs of base and exponent, sorted by base. A base of digits is a prime."""
Terms = Mapping[Monomial, Rational]
ONE: Terms = {(): 1}
ZERO: Terms = {}

MAX_TERMS = 200
"""Largest number of terms of a polynomial: `(x+1)^{100}` is left to other rules."""
MAX_STEPS = 100_000
"""Most steps to parse or compare one answer, some tenths of a second: a step is a product of two monomials, a
comparison of two items, or `BITS_OF_STEP` bits of coefficients. Steps are the same on every machine."""
BITS_OF_STEP = 1000
MAX_BITS = 20_000
"""Largest numerator or denominator, in bits; `2^{2005}` is an answer of MATH."""
IMAGINARY_UNIT, PI, E, INFINITY = "i", "\\pi", "e", "\\infty"
DECIMAL_CONTEXT = Context(prec=60)
_PI_DIGITS = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")


class NoExactForm(Exception):
    """The expression has no exact form here, so the next rule decides."""


class _WorkLimit(threading.local):
    steps_left: float = inf


_work_limit = _WorkLimit()


@contextmanager
def limit_work() -> Iterator[None]:
    """Allow `MAX_STEPS` steps in the block; the next one raises `NoExactForm`."""
    before, _work_limit.steps_left = _work_limit.steps_left, MAX_STEPS
    try:
        yield
    finally:
        _work_limit.steps_left = before


def count_steps(steps: int) -> None:
    """Count steps of work. Raises `NoExactForm` if the block of `limit_work` allows no more."""
    _work_limit.steps_left -= steps
    if _work_limit.steps_left < 0:
        raise NoExactForm


def add_terms(left: Terms, right: Terms) -> Terms:
    """Return the sum of two polynomials. Raises `NoExactForm` if it is too large."""
    if not left or not right:
        return left or right
    total = dict(left)
    for mono, number in right.items():
        if coefficient := total.get(mono, 0) + number:
            total[mono] = simplify_number(coefficient)
        else:
            del total[mono]
    return _check_size(total)


def multiply_terms(left: Terms, right: Terms) -> Terms:
    """Return the product of two polynomials. Raises `NoExactForm` if it is too large."""
    if left is ONE or right is ONE:
        return right if left is ONE else left
    total = dict[Monomial, Rational]()
    count = len(left) * len(right)
    count_steps(count)
    if count > MAX_TERMS * 4:
        raise NoExactForm
    for one, first in left.items():
        for other, second in right.items():
            factor, mono = _multiply_monomials(one, other)
            if coefficient := total.get(mono, 0) + first * second * factor:
                total[mono] = simplify_number(coefficient)
            else:
                total.pop(mono, None)
    return _check_size(total)


def _multiply_monomials(one: Monomial, other: Monomial) -> tuple[Rational, Monomial]:
    """The numeric factor and the monomial of a product: two square roots of 2 give the factor 2."""
    if not one or not other:
        return 1, one or other
    powers, factor = dict(one), 1
    for base, exponent in other:
        up = powers.pop(base, 0) + exponent
        if base.isdigit() and up >= 1:
            up, factor = up - 1, factor * int(base)
        elif base == IMAGINARY_UNIT and up == 2:
            up, factor = 0, -factor
        if up:
            powers[base] = up
    return factor, tuple(sorted(powers.items()))


def _check_size(terms: dict[Monomial, Rational]) -> Terms:
    bits = [_count_bits(number) for number in terms.values()]
    if len(bits) > MAX_TERMS or max(bits, default=0) > MAX_BITS:
        raise NoExactForm
    count_steps(sum(bits) // BITS_OF_STEP)
    return terms


def _count_bits(number: Rational) -> int:
    return max(number.numerator.bit_length(), number.denominator.bit_length())


def simplify_number(number: Rational) -> Rational:
    """The number as an `int` if it is one, because those are ten times as fast."""
    return number.numerator if number.denominator == 1 else number


def is_letter(base: str) -> bool:
    """Whether a base is a letter that may have any value, rather than a prime, `i` or pi."""
    return not base.isdigit() and base not in (IMAGINARY_UNIT, PI)


def evaluate(terms: Terms) -> Decimal:
    """The value of a real constant to some 50 digits."""
    total = Decimal(0)
    for mono, number in terms.items():
        part = DECIMAL_CONTEXT.divide(Decimal(number.numerator), Decimal(number.denominator))
        for base, exponent in mono:
            up = DECIMAL_CONTEXT.divide(Decimal(exponent.numerator), Decimal(exponent.denominator))
            part = DECIMAL_CONTEXT.multiply(
                part, DECIMAL_CONTEXT.power(_PI_DIGITS if base == PI else Decimal(base), up)
            )
        total = DECIMAL_CONTEXT.add(total, part)
    return total
