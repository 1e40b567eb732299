"""Whether two numbers or expressions are equal, under what the question asked for in percent and places."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from tasks.verification.equivalence import exact_value
from tasks.verification.equivalence.answer_shapes import Known, Scalar
from tasks.verification.equivalence.question_hints import Asked

LARGEST = 15
"""Digits before the point of a number that is rounded: with its places it must fit into the 28 of a `Decimal`."""
FORGIVEN = Decimal("0.01")
"""Largest relative difference between a rounded number and the one that is rounded to it."""


def scalars(gold: Scalar, answer: Scalar, asked: Asked) -> Known:
    """Exact equality; percent and rounding only where they were asked for."""
    equal = exact_value.same(gold.value, answer.value)
    if equal is not False:
        return equal
    if gold.percent != answer.percent:
        return asked.percent and same_percent(gold, answer)
    return close(gold, answer, asked)


def same_percent(gold: Scalar, answer: Scalar) -> Known:
    """Whether one is the number of percent of the other: 50 and 50%."""
    hundred = exact_value.rational(100)
    left = exact_value.times(gold.value, hundred) if gold.percent else gold.value
    right = exact_value.times(answer.value, hundred) if answer.percent else answer.value
    return exact_value.same(left, right)


def close(gold: Scalar, answer: Scalar, asked: Asked) -> bool:
    """Whether two numbers that differ agree to the places or the tolerance that were asked for."""
    if (asked.places is None or answer.value.rational is None) and not asked.tolerance:
        return False  # who is to round, and writes a root, has not rounded
    left, right = exact_value.approximate(gold.value), exact_value.approximate(answer.value)
    if left is None or right is None or gold.percent != answer.percent:
        return False
    if gold.percent:
        left, right = left * 100, right * 100
    if asked.tolerance and abs(left - right) <= Decimal(str(asked.tolerance)) * abs(left):
        return True
    return asked.places is not None and answer.value.rational is not None and _rounded_alike(left, right, asked.places)


def _rounded_alike(gold: Decimal, answer: Decimal, places: int) -> bool:
    """Whether `answer` rounds to `gold`, which must be one of the rounded numbers; a half may go either way.

    To leave the rounding out is forgiven behind the point, and up to one part in a hundred: 16 may not stand for 20.
    """
    if places < 0 or max(gold.adjusted(), answer.adjusted()) > LARGEST or abs(gold - answer) > abs(gold) * FORGIVEN:
        return False
    step = Decimal(1).scaleb(-places)
    return gold % step == 0 and any(
        answer.quantize(step, rounding) == gold for rounding in (ROUND_HALF_UP, ROUND_HALF_EVEN)
    )
