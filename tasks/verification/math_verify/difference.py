"""Proves that two parsed forms of Math-Verify differ, by their values at several points; runs in the child."""

from collections.abc import Iterable, Sequence
from typing import Any

DIGITS, MORE_DIGITS = 50, 75
"""Digits to which values are computed: once, and once more to see how far the first are right."""
POINTS = 3
"""Points at which an expression with letters is evaluated."""
MIN_DIFFERING_POINTS = 2
"""Points at which it must differ: at a single one a branch of a root or an absolute value may do so."""
MIN_DIFFERENCE = 10.0**-25
"""Smallest difference, relative to the larger value, that rounding cannot explain: half of the digits."""


def prove_different(left: Sequence[Any], right: Sequence[Any]) -> bool:
    """Whether the forms of two answers surely differ. False: they may be equal."""
    return len(left) == 1 == len(right) and _differ(left[0], right[0])


def _differ(one: Any, other: Any) -> bool:
    from sympy import Expr, FiniteSet, Interval, MatrixBase, Tuple, Union

    if isinstance(one, Expr) and isinstance(other, Expr):
        return _values_differ(one, other)
    if isinstance(one, Interval) != isinstance(other, Interval):  # an open interval may be meant as a pair
        one, other = (Tuple(form.start, form.end) if _is_open(form) else form for form in (one, other))
    if isinstance(one, MatrixBase) and isinstance(other, MatrixBase):
        return one.shape != other.shape or _any_differ(one, other)
    if isinstance(one, Tuple) and isinstance(other, Tuple):
        return len(one) != len(other) or _any_differ(one, other)
    if isinstance(one, FiniteSet) and isinstance(other, FiniteSet):
        return _has_stranger(one, other) or _has_stranger(other, one)
    if isinstance(one, Interval) and isinstance(other, Interval):
        sides = (one.left_open, one.right_open) != (other.left_open, other.right_open)
        return sides or _any_differ((one.start, one.end), (other.start, other.end))
    for form, rest in ((one, other), (other, one)):
        if isinstance(form, Union) and isinstance(rest, FiniteSet | Tuple):
            return all(isinstance(item, Expr) for item in rest)  # and no condition
    several = (FiniteSet, Interval, MatrixBase, Tuple, Union)
    for number, rest in ((one, other), (other, one)):
        if isinstance(number, Expr) and isinstance(rest, several):
            return not isinstance(rest, FiniteSet) or len(rest) > 1
    return False


def _is_open(form: Any) -> bool:
    from sympy import Interval

    return isinstance(form, Interval) and bool(form.left_open and form.right_open)


def _any_differ(one: Iterable[Any], other: Iterable[Any]) -> bool:
    return any(_differ(left, right) for left, right in zip(one, other, strict=True))


def _has_stranger(one: Iterable[Any], other: Iterable[Any]) -> bool:
    """Whether an item of `one` differs from all of `other`."""
    return any(all(_differ(item, candidate) for candidate in other) for item in one)


def _values_differ(one: Any, other: Any) -> bool:
    """Whether two expressions have different values at several points. The letters are positive, `i` is imaginary."""
    from sympy import E, I, pi
    from sympy.core.function import AppliedUndef

    if one.has(AppliedUndef) or other.has(AppliedUndef):
        return False  # nobody knows the value of C(9, 2)
    constants = {"i": I, "e": E, "pi": pi}  # the library leaves some of them as letters
    symbols = one.free_symbols | other.free_symbols
    meant = {letter: constants[str(letter)] for letter in symbols if str(letter) in constants}
    one, other = one.xreplace(meant), other.xreplace(meant)
    names = [
        {name for name in map(str, form.free_symbols) if len(name) > 1 and name.isalpha()} for form in (one, other)
    ]
    if names[0] != names[1]:
        return False  # a word on one side may be a product of letters on the other
    letters = sorted(one.free_symbols | other.free_symbols, key=str)
    if not letters:
        return _numbers_differ(one, other)
    points = (_choose_point(letters, at, _needs_integers(one, other)) for at in range(POINTS))
    differing = sum(_numbers_differ(one.subs(point), other.subs(point)) for point in points)
    return differing >= MIN_DIFFERING_POINTS


def _needs_integers(*forms: Any) -> bool:
    from sympy import Product, Sum, binomial, ceiling, factorial, floor

    return any(form.has(Sum, Product, factorial, binomial, floor, ceiling) for form in forms)


def _choose_point(letters: Sequence[Any], at: int, is_integer: bool) -> dict[Any, Any]:
    """Values for the letters: different for each of them, and for each point."""
    from sympy import Integer, Rational

    if is_integer:
        return {letter: Integer(5 + 2 * at + 3 * position) for position, letter in enumerate(letters)}
    return {letter: Rational(13 + 17 * at + 29 * position, 19) for position, letter in enumerate(letters)}


def _numbers_differ(one: Any, other: Any) -> bool:
    """Whether two numbers differ by more than the error of their evaluation."""
    from sympy import I

    difference = one - other
    if difference.is_Number and difference.is_finite:
        return bool(difference != 0)
    first, second = difference.evalf(DIGITS), difference.evalf(MORE_DIGITS)
    if not (first.is_number and second.is_number and first.is_finite and second.is_finite):
        return False
    size = abs(other.evalf(DIGITS)) + 1
    if second.as_real_imag()[1] and not (one.has(I) or other.has(I)):
        return False  # a real root of a negative number is meant, but sympy takes a complex one
    is_same = abs(first - second) < MIN_DIFFERENCE * abs(second)
    return bool(is_same and abs(second) > MIN_DIFFERENCE * size)
