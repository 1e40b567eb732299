"""Sets of real numbers in one normal form: disjoint intervals in ascending order. A point is a closed interval."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from tasks.verification.equivalence import exact_value
from tasks.verification.equivalence.answer_shapes import Collection, MaybeEqual, Scalar, SetUnion, Shape
from tasks.verification.equivalence.exact_value import Value
from tasks.verification.equivalence.polynomials import DECIMAL_CONTEXT, INFINITY

_DIGITS = Decimal(10) ** -45
"""Irrational ends are put in order by so many digits; that two of them are equal is proved."""
MAX_ROUNDED = 10**9
"""Numbers below this are rounded to these digits, which are right for them."""


@dataclass(frozen=True, order=True)
class End:
    """An end of an interval: its place on the line, and its exact value."""

    place: Fraction
    value: Value = field(compare=False)


class Interval(NamedTuple):
    """An interval. An end of None is infinite."""

    low: End | None
    is_low_closed: bool
    high: End | None
    is_high_closed: bool


RealSet = tuple[Interval, ...]
"""A set of real numbers: disjoint intervals in ascending order that do not touch."""
ALL_REALS: RealSet = (Interval(None, False, None, False),)


def make_end(value: Value) -> End | None:
    """The end at a real constant; None if the value is none."""
    if value.rational is not None:
        return End(Fraction(value.rational), value)
    digits = exact_value.approximate(value)
    if digits is None:
        return None
    if abs(digits) < MAX_ROUNDED:
        digits = DECIMAL_CONTEXT.quantize(digits, _DIGITS)
    return End(Fraction(digits), value)


def unite(pieces: Iterable[Interval]) -> RealSet:
    """The union of intervals."""
    spans = [piece for piece in pieces if not _is_empty(piece)]
    spans.sort(key=lambda span: (span.low is not None, span.low.place if span.low else 0, not span.is_low_closed))
    merged = list[Interval]()
    for span in spans:
        if merged and _touch(merged[-1], span):
            before = merged[-1]
            high, is_closed = max(
                (before.high, before.is_high_closed), (span.high, span.is_high_closed), key=_rank_high
            )
            merged[-1] = Interval(before.low, before.is_low_closed, high, is_closed)
        else:
            merged.append(span)
    return tuple(merged)


def _is_empty(span: Interval) -> bool:
    if span.low is None or span.high is None:
        return False
    return span.low > span.high or (span.low == span.high and not (span.is_low_closed and span.is_high_closed))


def _touch(before: Interval, after: Interval) -> bool:
    """Whether an interval that does not begin earlier continues another one."""
    if before.high is None or after.low is None:
        return True
    return after.low < before.high or (after.low == before.high and (before.is_high_closed or after.is_low_closed))


def _rank_high(end: tuple[End | None, bool]) -> tuple[bool, Fraction, bool]:
    return end[0] is None, end[0].place if end[0] else Fraction(0), end[1]


def complement(real_set: RealSet) -> RealSet:
    """All real numbers that are not in the set."""
    gaps, low, is_closed = list[Interval](), None, False
    for at, span in enumerate(real_set):
        if at or span.low is not None:
            gaps.append(Interval(low, is_closed, span.low, not span.is_low_closed))
        low, is_closed = span.high, not span.is_high_closed
        if low is None:
            return tuple(gaps)
    return (*gaps, Interval(low, is_closed, None, False)) if real_set else ALL_REALS


def intersect(one: RealSet, other: RealSet) -> RealSet:
    """The numbers that are in both sets."""
    return complement(unite((*complement(one), *complement(other))))


def sets_equal(one: RealSet, other: RealSet) -> MaybeEqual:
    """Whether two sets are equal; None if two irrational ends have the same digits, but are not proved equal."""
    if one != other:
        return False
    for left, right in zip(one, other, strict=True):
        for end, twin in ((left.low, right.low), (left.high, right.high)):
            if end and twin and exact_value.values_equal(end.value, twin.value) is not True:
                return None
    return True


def read_set(pieces: Iterable[Shape]) -> RealSet | None:
    """The union of intervals and sets of points; None if one of them is neither, or an end is no real constant."""
    spans = list[Interval]()
    for piece in pieces:
        if not isinstance(piece, Collection) or piece.kind == "list":
            return None
        read = _read_points(piece) if piece.kind == "set" else _read_interval(piece)
        if read is None:
            return None
        spans += read
    return unite(spans)


def _read_points(points: Collection) -> list[Interval] | None:
    ends = [make_end(item.value) if isinstance(item, Scalar) else None for item in points.items]
    return None if None in ends else [Interval(end, True, end, True) for end in ends]


def _read_interval(interval: Collection) -> list[Interval] | None:
    if len(interval.items) != 2 or not all(isinstance(item, Scalar) for item in interval.items):
        return None
    first, last = (item.value for item in interval.items if isinstance(item, Scalar))
    infinity = exact_value.make_symbol(INFINITY)
    low = None if first == exact_value.negate(infinity) else make_end(first)
    high = None if last == infinity else make_end(last)
    if (low is None and first != exact_value.negate(infinity)) or (high is None and last != infinity):
        return None  # an end with letters, or one that begins at plus infinity
    return [
        Interval(low, low is not None and interval.opening == "[", high, high is not None and interval.closing == "]")
    ]


def is_surely_interval(shape: Shape) -> bool:
    """Whether it cannot be a point: it is a union, has an infinite end, or has other brackets than a pair."""
    if isinstance(shape, SetUnion):
        return True
    if not isinstance(shape, Collection) or len(shape.items) != 2 or shape.kind != "tuple":
        return False
    is_infinite = any(isinstance(end, Scalar) and end.value.letters == {INFINITY} for end in shape.items)
    return is_infinite or (shape.opening, shape.closing) != ("(", ")")
