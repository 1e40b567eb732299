"""Exact values of sine, cosine and tangent at multiples of 15 degrees, for angles in degrees and in radians."""

from fractions import Fraction

from tasks.verification.equivalence import exact_value
from tasks.verification.equivalence.exact_value import Value
from tasks.verification.equivalence.polynomials import ONE, PI, Monomial, Rational

DEGREES = "\\degree"
"""The token for a degree sign, and the name of one degree as a value."""
_HALF = Fraction(1, 2)


def _make_root_sum(first: Fraction, prime: str, second: Fraction, other: str) -> Value:
    """`first * sqrt(prime) + second * sqrt(other)`; an empty prime is 1, and `2*3` is 6."""
    terms = dict[Monomial, Rational]()
    for number, name in ((first, prime), (second, other)):
        if number:
            terms[tuple((each, _HALF) for each in name.split("*") if each)] = number
    return Value(terms, ONE)


_SINES = {
    0: exact_value.make_rational(0),
    15: _make_root_sum(Fraction(1, 4), "2*3", Fraction(-1, 4), "2"),
    30: exact_value.make_rational(_HALF),
    45: _make_root_sum(_HALF, "2", Fraction(0), ""),
    60: _make_root_sum(_HALF, "3", Fraction(0), ""),
    75: _make_root_sum(Fraction(1, 4), "2*3", Fraction(1, 4), "2"),
    90: exact_value.make_rational(1),
}


def evaluate_function(name: str, argument: Value) -> Value | None:
    """The exact value of a trigonometric function, such as `\\sin` of 30 degrees; None if this module knows none."""
    angle = _read_degrees(argument)
    if angle is None or angle % 15 or name not in ("\\sin", "\\cos", "\\tan", "\\cot", "\\sec", "\\csc"):
        return None
    sine, cosine = _sine(int(angle)), _sine(int(angle) + 90)
    top, bottom = {
        "\\sin": (sine, None),
        "\\cos": (cosine, None),
        "\\tan": (sine, cosine),
        "\\cot": (cosine, sine),
        "\\sec": (exact_value.make_rational(1), cosine),
        "\\csc": (exact_value.make_rational(1), sine),
    }[name]
    return top if bottom is None else _divide(top, bottom)


def _sine(degrees: int) -> Value:
    degrees %= 360
    if degrees >= 180:
        return exact_value.negate(_sine(degrees - 180))
    return _SINES[min(degrees, 180 - degrees)]


def _divide(top: Value, bottom: Value) -> Value:
    """The quotient, with a rational denominator if the denominator is a sum of two roots."""
    if len(bottom.top) < 2:
        return exact_value.divide(top, bottom)
    first, second = bottom.top.items()
    conjugate = Value(dict([first, (second[0], -second[1])]), ONE)
    return exact_value.divide(exact_value.multiply(top, conjugate), exact_value.multiply(bottom, conjugate))


def _read_degrees(argument: Value) -> Fraction | None:
    """The angle in degrees of `r * pi` or `r` degrees; None for any other argument. A bare number is in radians."""
    if argument.bottom is not ONE or len(argument.top) > 1:
        return None
    if not argument.top:
        return Fraction(0)
    ((mono, number),) = argument.top.items()
    if mono == ((PI, 1),):
        return Fraction(number) * 180
    if mono == ((DEGREES, 1),):
        return Fraction(number)
    return None
