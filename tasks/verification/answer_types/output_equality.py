"""Compares what a program printed or returned with what was expected of it."""

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

from tasks.verification.answer_types.unit_tests import lines_of

Outcome = Literal["passed", "near", "layout", "differs"]
"""`near`: equal but for rounding or notation, beyond the tolerance. `layout`: the same words on other lines."""

NEAR = 1e-6
"""Relative difference of two floats up to which they may differ by rounding alone."""
# matches all of "-12", "0.5", "1e-9", not of "1_000", "nan", "0x10"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_ORDER: tuple[Outcome, ...] = ("passed", "near", "layout", "differs")


def compare_texts(expected: str, printed: str, tolerance: float) -> Outcome:
    """Compare by lines. Blanks at the ends of lines and blank lines at the end are ignored."""
    expected_lines, printed_lines = lines_of(expected), lines_of(printed)
    if expected_lines == printed_lines:
        return "passed"
    if expected.split() == printed.split():
        return "layout"
    if len(expected_lines) != len(printed_lines):
        return "differs"
    outcome: Outcome = "passed"
    for expected_line, printed_line in zip(expected_lines, printed_lines, strict=True):
        words, printed_words = expected_line.split(), printed_line.split()
        if len(words) != len(printed_words):
            return "differs"
        outcome = _worst(
            outcome, *(_compare_words(*pair, tolerance) for pair in zip(words, printed_words, strict=True))
        )
    return outcome


def _compare_words(expected: str, printed: str, tolerance: float) -> Outcome:
    if expected == printed:
        return "passed"
    if not _NUMBER.fullmatch(expected) or not _NUMBER.fullmatch(printed):
        return "differs"
    if _is_whole(expected):  # an integer off by one is wrong, however large it is
        whole = printed.partition(".")
        is_other_notation = _is_whole(whole[0]) and not whole[2].strip("0") and whole[0].lstrip("+") == expected
        return "near" if is_other_notation else "differs"
    return _compare_floats(float(expected), float(printed), tolerance)


def _is_whole(word: str) -> bool:
    return word.lstrip("+-").isdecimal()


def _compare_floats(expected: float, value: float, tolerance: float) -> Outcome:
    if expected == value:
        return "passed"
    if not math.isfinite(expected) or not math.isfinite(value):
        return "differs"
    difference = abs(expected - value) / max(1.0, abs(expected))
    return "passed" if difference <= tolerance else "near" if difference <= NEAR else "differs"


def compare_values(expected: Any, value: Any, tolerance: float) -> Outcome:
    """Compare a value with plain JSON data as Python's `==` does, but a tuple may stand for a list."""
    if isinstance(expected, list | tuple):
        if not isinstance(value, list | tuple) or len(expected) != len(value):
            return "differs"
        return _worst(*(compare_values(a, b, tolerance) for a, b in zip(expected, value, strict=True)))
    if isinstance(expected, Mapping):
        if not isinstance(value, Mapping):
            return "differs"
        if {str(key) for key in value} == set(expected) and set(value) != set(expected):
            return "near"  # JSON has no keys but texts
        if set(value) != set(expected):
            return "differs"
        return _worst(*(compare_values(part, value[key], tolerance) for key, part in expected.items()))
    if isinstance(expected, float) and isinstance(value, float | int):
        return _compare_floats(expected, float(value), tolerance) if abs(value) < 1e300 else "differs"
    if isinstance(expected, int) and isinstance(value, float | int):
        return "passed" if expected == value else "differs"
    return "passed" if type(expected) is type(value) and expected == value else "differs"


def _worst(*outcomes: Outcome) -> Outcome:
    return max(outcomes, key=_ORDER.index, default="passed")
