"""Checks numbers: equal within a tolerance, to so many significant figures, and with the unit of the gold."""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from typing import Any, ClassVar

from pydantic import Field, ValidationError

from tasks.verification.answer_types.checker import AnswerCase, AnswerChecker
from tasks.verification.answer_types.stated_answer import (
    StatedAnswer,
    cut_run_on,
    find_stated_answer,
    is_denied,
    is_revised,
)
from tasks.verification.answer_types.text_forms import CONTROL_CHARACTERS
from tasks.verification.equivalence import exact_value
from tasks.verification.equivalence.answer_shapes import Scalar
from tasks.verification.equivalence.compare import ParsedAnswer, compare, parse_answer
from tasks.verification.equivalence.number_parser import MAX_ANSWER_CHARACTERS
from tasks.verification.equivalence.question_hints import QuestionHints, parse_hints
from tasks.verification.equivalence.units import find_ratio, is_known_unit, normalize_unit, units_differ
from tasks.verification.extraction.rules import MARKERS, UNDECIDABLE
from tasks.verification.math_verify.verdict import FORM_CHARACTERS, Verdict

MAX_WHOLE_CHARACTERS = 100
"""Longest response that may be a number as a whole, and characters before a number that are searched for a bound."""
MAX_ROUNDED_DIGITS = 15
"""Largest exponent of a number that is rounded to decimal places."""
UNSURE = "number_unsure"
"""The doubt where a number is a bound, denied or taken back."""
UNDECIDED = "number_undecided"
"""The rule where no exact comparison decides and no tolerance is given."""
# matches "less than ", "at least $", "> ", "not ", "up to ", not "is ", "about "
_BOUND = re.compile(
    r"(?:[<>≤≥±]=?|\\(?:[lg]e(?:q|qslant)?|[lg]t|pm)|\b(?:than|at\s+least|at\s+most|not|under|over|below|above|up\s+to|between"
    r"|from|beyond|within|either|or|and|n't))[\s$~]*\Z",
    re.IGNORECASE,
)
# matches the start of "+", " or more", " to 5", "-10", " less 2", "?", not of ". So", " and so", " m"
_BOUND_BEHIND = re.compile(
    r"\s*(?:\+|\?|[-\N{EN DASH}]\s*[0-9])|\s+(?:or|to|less|plus|minus|times|rounded)\b"
    r"|\s+and\s+[a-z]*\s*(?:more|less|above|below|up)\b"
)
# matches the start of "about 9", r"\approx 9", "~ 9", "≈9", not of "above 9", "9"
_ABOUT = re.compile(
    r"\A\s*(?:about|approximately|approx\.?|around|roughly|circa|~|≈|\\approx|\\simeq|\\sim)(?![a-z])\s*", re.IGNORECASE
)
# matches the start of "x = 9", "v_0=9", not of "2x = 9", "xy = 9", "= 9"
_NAME = re.compile(r"\A\s*[A-Za-z](?:_\{?\w\}?)?\s*=\s*")
# matches the start of "[9]", r"\{9\}", r"\left[9\right]", not of "(9)", "9"
_LIST = re.compile(r"\s*\$?\s*(?:\\left\s*)?(?:\[|\\?\{)")
# matches "9.8 rounded up", "9 or so", not "9.8 m", "9.8"
_ROUNDED = re.compile(r"\b(?:rounded|up|down|so)\b", re.IGNORECASE)
# matches the start of " kg", "cm", r" \text{ m}", " oranges", not of ". So", " 5"
_UNIT_BEHIND = re.compile(r"\$?\s?(?:\\[a-z]+\{\s*)?([A-Za-zµΩ]+(?:/[A-Za-z]+)?(?:\^?[23²³])?)")
# matches "in m/s^2", "in cm²", "in $m^{3}$", not "in m", "in 5^2"
_UNIT_WITH_POWER = re.compile(r"\bin\s+\$?([A-Za-z]+(?:/[A-Za-z]+)?)(?:\^\{?([23])|([²³]))")
_SENTENCE_END = re.compile(r"[.?!]\s|\n")
DETAILS = ("relative_tolerance", "absolute_tolerance", "significant_figures", "unit", "require_unit")
"""Details of a row, which replace the fields of the same names."""


class NumberChecker(AnswerChecker):
    """Decides whether a response gives a number. Without a tolerance it must be exactly equal, or as the question asks.

    Details: `relative_tolerance`, `absolute_tolerance`, `significant_figures`, `unit` and `require_unit` replace the
    fields of these names. A range, a list or a hedge is no number.
    """

    answer_type: ClassVar[str] = "number"

    relative_tolerance: float = Field(default=0.0, ge=0, le=1)
    """Largest difference from the gold, as a share of the gold, that is still correct."""
    absolute_tolerance: float = Field(default=0.0, ge=0)
    """Largest difference from the gold that is still correct. One of the two tolerances is enough."""
    significant_figures: int | None = Field(default=None, ge=1, le=30)
    """Figures to which the answer and the gold must be equal when both are rounded. None: as the question asks."""
    unit: str = ""
    """Unit of a gold that is written without one, e.g. `m`."""
    require_unit: bool = False
    """Whether an answer without a unit is left open if the gold has one."""

    def check(self, case: AnswerCase) -> Verdict:
        try:
            settings = self._with_details(case.details)
        except ValidationError:
            return Verdict("unparseable", "details_unreadable")
        gold = case.gold.strip()
        if not gold or len(gold) > MAX_ANSWER_CHARACTERS or CONTROL_CHARACTERS.search(gold) or _value(gold) is None:
            return Verdict("unparseable", "gold_unparseable")
        stated = settings._find_number(case.response, gold)
        if stated is None:
            return Verdict("unparseable", "no_answer")
        forms = (gold[:FORM_CHARACTERS], stated.text[:FORM_CHARACTERS])
        unread = _find_unread(stated.text, stated.doubt, stated.is_stated)
        verdict = Verdict("unparseable", unread) if unread else settings._compare(gold, stated.text, case.question)
        if stated.doubt and verdict.verdict == "wrong":
            verdict = Verdict("unparseable", stated.doubt)
        return verdict._replace(gold_parsed=forms[0], answer_parsed=forms[1], found_by=stated.found_by)

    def _with_details(self, details: Mapping[str, Any]) -> "NumberChecker":
        given = {name: details[name] for name in DETAILS if details.get(name) is not None}
        return NumberChecker(**(dict(self) | given)) if given else self

    def _find_number(self, response: str, gold: str) -> StatedAnswer | None:
        """The number of a response: what it states, all of it if it is short, or its last number with the unit."""
        stated = find_stated_answer(response, MARKERS)
        if stated and stated.is_stated:
            return stated._replace(text=_read_text(stated.text))
        whole = _read_text(cut_run_on(response))
        if len(whole) <= MAX_WHOLE_CHARACTERS and "\n" not in whole and _value(whole) is not None:
            return StatedAnswer(whole, "whole", is_stated=False)
        if stated is None or stated.doubt in UNDECIDABLE:
            return stated
        before = response[max(0, stated.start - MAX_WHOLE_CHARACTERS) : stated.start]
        if (
            _BOUND.search(before)
            or _BOUND_BEHIND.match(response, stated.end)
            or is_denied(_SENTENCE_END.split(before)[-1])
            or is_revised(response[stated.end :])
        ):
            return stated._replace(doubt=UNSURE)
        unit = _UNIT_BEHIND.match(response, stated.end)
        gold_unit = parse_answer(gold).text_and_unit[1] or normalize_unit(self.unit)
        if unit is None or not (is_known_unit(unit[1]) or (gold_unit and not is_known_unit(gold_unit))):
            return stated
        return stated._replace(text=f"{stated.text} {unit[1]}")

    def _compare(self, gold: str, answer: str, question: str) -> Verdict:
        hints = _read_hints(question)
        left, right = parse_answer(gold), parse_answer(answer)
        if (verdict := self._compare_units(left, right, hints)) is not None:
            return verdict
        figures = self.significant_figures or hints.significant_figures
        if figures is not None:
            return _compare_figures(left, right, figures)
        exact = compare(gold, answer, hints) or Verdict("unparseable", UNDECIDED)
        if (
            exact.rule == "rounding"
            and hints.decimal_places is not None
            and _round_alike(left, right, hints.decimal_places)
        ):
            return Verdict("correct", "rounding")
        if exact.verdict == "correct" or not (self.relative_tolerance or self.absolute_tolerance):
            return exact
        one, other = left.approximation, right.approximation
        if (
            one is None
            or other is None
            or (exact.verdict == "unparseable" and exact.rule not in ("rounding", UNDECIDED))
        ):
            return exact if exact.verdict == "unparseable" else Verdict("unparseable", UNDECIDED)
        if _is_percent(left) != _is_percent(right) and abs(one - other) > self._largest_difference(one):
            scaled = (other / 100, other * 100)
            is_near = any(abs(one - value) <= self._largest_difference(one) for value in scaled)
            return Verdict("unparseable", "percent_unclear") if is_near else Verdict("wrong", "tolerance")
        return Verdict("correct" if abs(one - other) <= self._largest_difference(one) else "wrong", "tolerance")

    def _largest_difference(self, gold: Decimal) -> Decimal:
        return max(abs(gold) * Decimal(str(self.relative_tolerance)), Decimal(str(self.absolute_tolerance)))

    def _compare_units(self, left: ParsedAnswer, right: ParsedAnswer, hints: QuestionHints) -> Verdict | None:
        """A verdict if the units decide; None if they are the same or one is left out."""
        gold_unit = left.text_and_unit[1] or normalize_unit(self.unit)
        answer_unit = right.text_and_unit[1]
        if self.require_unit and gold_unit and not answer_unit:
            return Verdict("unparseable", "unit_missing")
        if not gold_unit or not units_differ(gold_unit, answer_unit):
            return None
        ratio = find_ratio(answer_unit, gold_unit)
        one, other = left.approximation, right.approximation
        if not ratio or one is None or other is None or (hints.units and answer_unit not in hints.units):
            return Verdict("unparseable", "units_differ")
        converted = other * ratio.numerator / ratio.denominator
        if self.significant_figures is None and abs(one - converted) <= self._largest_difference(one):
            return Verdict("correct", "unit")
        return Verdict("unparseable", "units_differ")


def _read_hints(question: str) -> QuestionHints:
    """The hints of a question; a unit with a power, such as `in m/s^2`, is read as a whole."""
    hints = parse_hints(question)
    powers = {"2": "²", "3": "³"}
    units = {
        normalize_unit(match[1] + (powers.get(match[2]) or match[3])) for match in _UNIT_WITH_POWER.finditer(question)
    }
    return hints._replace(units=frozenset(units)) if units else hints


def _value(text: str) -> exact_value.Value | None:
    """The real number that a text is; None if it is none."""
    if len(text) > MAX_ANSWER_CHARACTERS:
        return None
    answer = parse_answer(text)
    if answer.is_too_deep or answer.is_malformed or not isinstance(answer.shape, Scalar):
        return None
    return answer.shape.value if answer.approximation is not None else None


def _read_text(text: str) -> str:
    """The text of a number without the words and signs that say it is rounded, if that makes it a number."""
    for plain in (_ABOUT.sub("", text), text, _ABOUT.sub("", _NAME.sub("", text.replace("$", "")))):
        if _value(plain) is not None:
            return plain
    return text


def _find_unread(text: str, doubt: str, is_stated: bool) -> str:
    """Why an answer cannot be compared; empty if it can."""
    if doubt in UNDECIDABLE or doubt == UNSURE or (doubt and is_stated):
        return doubt
    if len(text) > MAX_ANSWER_CHARACTERS:
        return "too_long"
    if CONTROL_CHARACTERS.search(text):
        return "answer_unparseable"
    if _LIST.match(text) or _ROUNDED.search(text):
        return "answer_unparseable"
    return "" if _value(text) is not None else "answer_unparseable"


def _round_alike(left: ParsedAnswer, right: ParsedAnswer, places: int) -> bool:
    """Whether both are the same rounded to so many decimal places."""
    one, other = left.approximation, right.approximation
    if one is None or other is None or max(one.adjusted(), other.adjusted()) > MAX_ROUNDED_DIGITS:
        return False
    step = Decimal(1).scaleb(-places)
    return any(one.quantize(step, way) == other.quantize(step, way) for way in _ROUNDINGS)


def _is_percent(answer: ParsedAnswer) -> bool:
    return isinstance(answer.shape, Scalar) and answer.shape.is_percent


def _compare_figures(left: ParsedAnswer, right: ParsedAnswer, figures: int) -> Verdict:
    """Whether both are the same rounded to so many figures; a half may be rounded either way."""
    one, other = left.approximation, right.approximation
    if one is None or other is None or _is_percent(left) != _is_percent(right):
        return Verdict("unparseable", "answer_unparseable")
    rounded = [{Context(prec=figures, rounding=way).plus(side) for way in _ROUNDINGS} for side in (one, other)]
    return Verdict("correct" if rounded[0] & rounded[1] else "wrong", "significant_figures")


_ROUNDINGS = (ROUND_HALF_UP, ROUND_HALF_EVEN)
