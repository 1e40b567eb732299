"""Merges intervals and sets with rational ends, so that unions can be compared as sets of points."""

from collections.abc import Iterable
from fractions import Fraction

from tasks.verification.equivalence import exact_value
from tasks.verification.equivalence.answer_shapes import Collection, Scalar, SetUnion, Shape
from tasks.verification.equivalence.polynomials import INFINITY

Interval = tuple[Fraction | None, bool, Fraction | None, bool]
"""Lower end, whether it is included, upper end, whether it is included. An end of None is infinite."""
_UNKNOWN = object()


def merge_intervals(pieces: Iterable[Shape]) -> list[Interval] | None:
    """Disjoint intervals in ascending order; None if an end is not rational."""
    intervals = list[Interval]()
    for piece in pieces:
        assert isinstance(piece, Collection)
        ends = [_find_end(item) for item in piece.items]
        if any(end is _UNKNOWN for end in ends) or (piece.kind == "tuple" and len(ends) != 2):
            return None
        if piece.kind == "set":
            intervals += [(end, True, end, True) for end in ends]  # type: ignore[misc]
        elif _is_backwards(piece):
            return None
        else:
            intervals.append((ends[0], piece.opening == "[", ends[1], piece.closing == "]"))  # type: ignore[arg-type]
    return _merge(intervals)


def _is_backwards(interval: Collection) -> bool:
    """Whether an interval begins at plus infinity or ends at minus infinity."""
    infinite = exact_value.make_symbol(INFINITY)
    first, last = interval.items
    return first == Scalar(infinite) or last == Scalar(exact_value.negate(infinite))


def _find_end(item: Shape) -> object:
    """A rational number, None for infinity, or `_UNKNOWN`."""
    if not isinstance(item, Scalar):
        return _UNKNOWN
    if item.value.letters == {INFINITY}:
        return None
    number = item.value.rational
    return _UNKNOWN if number is None else Fraction(number)


def _merge(intervals: list[Interval]) -> list[Interval]:
    intervals = [
        (low, closed and low is not None, high, end and high is not None) for low, closed, high, end in intervals
    ]
    intervals.sort(key=lambda span: (span[0] is not None, span[0] or 0, not span[1]))
    merged = list[Interval]()
    for low, closed, high, end in intervals:
        if merged:
            before_low, before_closed, before, before_end = merged[-1]
            if before is None:
                continue
            if low is None or low < before or (low == before and (closed or before_end)):
                if high is not None and (high, end) <= (before, before_end):
                    continue
                merged[-1] = (before_low, before_closed, high, end)
                continue
        if low is None or high is None or low < high or (low == high and closed and end):
            merged.append((low, closed, high, end))
    return merged


def is_surely_interval(shape: Shape) -> bool:
    """Whether it cannot be a point: it is a union, has an infinite end, or has other brackets than a pair."""
    if isinstance(shape, SetUnion):
        return True
    ends = shape.items if isinstance(shape, Collection) and len(shape.items) == 2 and shape.kind == "tuple" else ()
    return any(_find_end(end) is None for end in ends) or (bool(ends) and (shape.opening, shape.closing) != ("(", ")"))  # type: ignore[union-attr]
