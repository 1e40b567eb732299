"""Compares times of day, dates and codes, which are no arithmetic: `9:30` is no quotient, and `2023-03-08` no sum."""

import re
from fractions import Fraction
from typing import NamedTuple

from tasks.verification.equivalence.question_hints import QuestionHints
from tasks.verification.math_verify.verdict import Verdict

# matches all of "9:30", "4:15 PM", "3 p.m.", "07:05:00", not of "9", "9:3", "2:3:5"
_TIME = re.compile(
    r"([0-9]{1,2})(?::([0-9]{2})(?::([0-9]{2}))?)? ?([ap])\.? ?m\.?|([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?",
    re.IGNORECASE,
)
# matches all of "2023-03-08", "2023/3/8", not of "2023-03", "3-8-2023"
_ISO_DATE = re.compile(r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})")
# matches all of "3/8", "3-8-2023", not of "3", "2023-03-08"
_SHORT_DATE = re.compile(r"[0-9]{1,2}([-/.])[0-9]{1,2}(?:\1[0-9]{2,4})?")
# matches all of "0101", "007", "-0.5", "12", not of "1,2", "x"
_DIGITS = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
# matches all of "3-2", "10-15", "555-12-34", "3\u20132", not of "-679", "3 - 2", "3-x", "3--2"
_DIGITS_WITH_HYPHENS = re.compile("[0-9]+(?:[-\u2013][0-9]+)+")
# matches "-", " to ", ":", "/", not "3", "x"
_BETWEEN_DIGITS = re.compile(r"\s*(?:[-\u2013:/,;]|\bto\b|\band\b)\s*")
# matches all of "2/5/2020", "12/31/99", "5.2.2020", not of "2/5", "1/2/3"
_WRITTEN_DATE = re.compile(r"[0-9]{1,2}([/.])[0-9]{1,2}\1(?:[0-9]{4}|[0-9]{2})")
# matches all of "B7", "e4", "AB12", "X-100", not of "7B", "B", "x_7", "x-3"
_LABEL = re.compile("[A-Za-z]{1,3}[0-9]{1,4}|[A-Z]{1,4}-[0-9]{2,}")
# matches all of "555-1234", "12-34-56", not of "3-2", "-679"
_HYPHENATED = re.compile(r"[0-9]{2,}(?:-[0-9]{2,})+")
# matches the start of r"\frac{1}{2}", r"-\sqrt{3}", r"2\sqrt3", r"\pi", not of r"\text{noon}", "5"
_FORMULA = re.compile(r"-?[0-9]*\\(?:[dt]?frac|sqrt|pi)(?![A-Za-z])")
NOON = 12 * 60


class _Time(NamedTuple):
    """A time of day. `has_half`: whether it says which half of the day is meant."""

    seconds: int
    has_half: bool
    is_valid: bool


def _read_time(text: str) -> _Time | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hour, minute, second = (int(part or 0) for part in (match.groups()[:3] if match[4] else match.groups()[4:]))
    is_valid = minute < 60 and second < 60 and (0 < hour <= 12 if match[4] else hour < 24)
    if match[4]:
        hour = hour % 12 + (12 if match[4].casefold() == "p" else 0)
    return _Time(hour * 3600 + minute * 60 + second, bool(match[4]) or hour > 12 or hour == 0, is_valid)


def compare_calendar_texts(gold: str, answer: str, hints: QuestionHints) -> Verdict | None:
    """The verdict on two texts of which one is a time, a date or a code; None if neither is."""
    return (
        _compare_dates(gold, answer, hints)
        or _compare_times(gold, answer, hints)
        or _compare_codes(gold, answer, hints)
        or _compare_hyphenated(gold, answer)
        or _compare_labels(gold, answer)
    )


def _compare_times(gold: str, answer: str, hints: QuestionHints) -> Verdict | None:
    left, right = _read_time(gold), _read_time(answer)
    has_half = any(text[-1:] in "mM." and time for text, time in ((gold, left), (answer, right)))
    if not (hints.asks_time or has_half) or not (left or right):
        return None
    if left is None or right is None:
        time, other = (left, answer) if left else (right, gold)
        is_elsewhere = time is not None and _is_no_time(other, time)
        return Verdict("wrong" if is_elsewhere else "unparseable", "clock", gold, answer)
    is_valid = left.is_valid and right.is_valid
    if is_valid and left.seconds == right.seconds and left.has_half == right.has_half:
        return Verdict("correct", "clock", gold, answer)
    same_in_half = left.seconds % (NOON * 60) == right.seconds % (NOON * 60)
    if same_in_half and left.has_half != right.has_half and is_valid:
        return Verdict("unparseable", "clock", gold, answer)
    return Verdict("wrong", "clock", gold, answer)


def _is_no_time(text: str, time: _Time) -> bool:
    """Whether a text is a number that does not say the time, neither in hours nor in digits as `1630`."""
    if not _DIGITS.fullmatch(text):
        return _FORMULA.match(text) is not None
    hours = Fraction(time.seconds, 3600)
    whole, minutes = divmod(time.seconds // 60, 60)
    written = [hours, Fraction(whole), Fraction(100 * whole + minutes)]
    written += [
        whole + Fraction(minutes, 100),
        whole % 12 + Fraction(minutes, 100),
        hours % 12,
        Fraction(whole % 12),
        Fraction(100 * (whole % 12) + minutes),
    ]
    return Fraction(text) not in (*written, hours % 12 + 12, Fraction(minutes))


def _compare_dates(gold: str, answer: str, hints: QuestionHints) -> Verdict | None:
    left, right = _ISO_DATE.fullmatch(gold), _ISO_DATE.fullmatch(answer)
    if left and right:
        same = [int(part) for part in left.group(1, 3, 4)] == [int(part) for part in right.group(1, 3, 4)]
        return Verdict("correct" if same else "wrong", "date", gold, answer)
    if left or right:
        other = answer if left else gold
        return Verdict("wrong" if _DIGITS.fullmatch(other) else "unparseable", "date", gold, answer)
    if gold != answer and (_WRITTEN_DATE.fullmatch(gold) or _WRITTEN_DATE.fullmatch(answer)):
        return Verdict("unparseable", "date", gold, answer)  # day and month may be in either order
    if hints.asks_date and (_SHORT_DATE.fullmatch(gold) or _SHORT_DATE.fullmatch(answer)) and gold != answer:
        return Verdict("unparseable", "date", gold, answer)
    return None


def _compare_codes(gold: str, answer: str, hints: QuestionHints) -> Verdict | None:
    """Leading zeros and hyphens belong to a code."""
    if not hints.asks_code:
        return None
    if _DIGITS.fullmatch(gold) and _DIGITS.fullmatch(answer) and gold != answer and Fraction(gold) == Fraction(answer):
        return Verdict("wrong", "code", gold, answer)
    if _HYPHENATED.fullmatch(gold) or _HYPHENATED.fullmatch(answer):
        same = re.sub("[- ]", "", gold) == re.sub("[- ]", "", answer)
        return Verdict("correct" if same else "wrong", "code", gold, answer)
    return None


def _compare_hyphenated(gold: str, answer: str) -> Verdict | None:
    """`3-2` may be a score, a range or a difference: it is no number, and `4-3` is another one."""
    written = [_DIGITS_WITH_HYPHENS.fullmatch(text) is not None for text in (gold, answer)]
    if not any(written):
        return None
    parts = [_BETWEEN_DIGITS.split(text) for text in (gold, answer)]
    if parts[0] == parts[1]:
        return Verdict("correct" if all(written) else "unparseable", "hyphen", gold, answer)
    if "".join(parts[0]) == "".join(parts[1]):
        return Verdict("unparseable", "hyphen", gold, answer)
    values = [
        _subtract(text) if is_written else _read_number(text)
        for text, is_written in zip((gold, answer), written, strict=True)
    ]
    is_different = None not in values and values[0] != values[1]
    return Verdict("wrong" if is_different else "unparseable", "hyphen", gold, answer)


def _subtract(text: str) -> Fraction:
    first, *others = (Fraction(part) for part in re.split("[-\u2013]", text))
    return first - sum(others)


def _read_number(text: str) -> Fraction | None:
    return Fraction(text) if _DIGITS.fullmatch(text) else None


def _drop_hyphen(label: str) -> str:
    return label.casefold().replace("-", "")


def _compare_labels(gold: str, answer: str) -> Verdict | None:
    """`B7` names a seat, a square or a quantity. It is no product, so that `7B` is not surely the same."""
    labels = [_LABEL.fullmatch(text) for text in (gold, answer)]
    if all(labels):
        if gold == answer:
            return Verdict("correct", "label", gold, answer)
        return Verdict("unparseable" if _drop_hyphen(gold) == _drop_hyphen(answer) else "wrong", "label", gold, answer)
    if any(labels):
        label, other = (gold, answer) if labels[0] else (answer, gold)
        if sorted(label.casefold()) == sorted(other.casefold()):
            return Verdict("unparseable", "label", gold, answer)
    return None
