"""Compares two numbers or expressions, allowing for the percent and the decimal places that the question asks for."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from tasks.verification.equivalence import exact_value
from tasks.verification.equivalence.answer_shapes import MaybeEqual, Scalar
from tasks.verification.equivalence.question_hints import QuestionHints

MAX_DIGITS = 15
"""Largest exponent of a number that is rounded: with its decimal places it must fit the 28 digits of a `Decimal`."""
MAX_ROUNDING_ERROR = Decimal("0.01")
"""Largest relative difference between a number and its rounded value."""


def scalars_equal(gold: Scalar, answer: Scalar, hints: QuestionHints) -> MaybeEqual:
    """Whether two scalars are exactly equal, or equal as percent or rounded if the question asks for that."""
    equal = exact_value.values_equal(gold.value, answer.value)
    if equal is not False:
        return equal
    if gold.is_percent != answer.is_percent:
        return hints.asks_percent and equal_as_percent(gold, answer)
    return nearly_equal(gold, answer, hints)


def equal_as_percent(gold: Scalar, answer: Scalar) -> MaybeEqual:
    """Whether they are equal as numbers of percent: 50 and 50%."""
    hundred = exact_value.make_rational(100)
    left = exact_value.multiply(gold.value, hundred) if gold.is_percent else gold.value
    right = exact_value.multiply(answer.value, hundred) if answer.is_percent else answer.value
    return exact_value.values_equal(left, right)


def nearly_equal(gold: Scalar, answer: Scalar, hints: QuestionHints) -> bool:
    """Whether two different numbers agree to the decimal places or the tolerance asked for."""
    if (hints.decimal_places is None or answer.value.rational is None) and not hints.tolerance:
        return False  # an answer with a root has not been rounded as asked
    left, right = exact_value.approximate(gold.value), exact_value.approximate(answer.value)
    if left is None or right is None or gold.is_percent != answer.is_percent:
        return False
    if gold.is_percent:
        left, right = left * 100, right * 100
    if hints.tolerance and abs(left - right) <= Decimal(str(hints.tolerance)) * abs(left):
        return True
    return (
        hints.decimal_places is not None
        and answer.value.rational is not None
        and _rounds_to(left, right, hints.decimal_places)
    )


def _rounds_to(gold: Decimal, answer: Decimal, places: int) -> bool:
    """Whether `answer` rounds to `gold`, which must be a rounded number itself; halves may round either way.

    Missing rounding is accepted only after the decimal point, and up to 1%: 16 may not stand for 20.
    """
    if (
        places < 0
        or max(gold.adjusted(), answer.adjusted()) > MAX_DIGITS
        or abs(gold - answer) > abs(gold) * MAX_ROUNDING_ERROR
    ):
        return False
    step = Decimal(1).scaleb(-places)
    return gold % step == 0 and any(
        answer.quantize(step, rounding) == gold for rounding in (ROUND_HALF_UP, ROUND_HALF_EVEN)
    )
