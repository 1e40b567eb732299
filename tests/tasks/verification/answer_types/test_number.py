"""Numbers are compared exactly, within a tolerance, or to significant figures, and always with their units."""

import pytest
from pydantic import ValidationError

from tasks.verification.answer_types.checker import AnswerCase
from tasks.verification.answer_types.number import NumberChecker
from tests.support.answer_types import find_faults, load_cases


def test_there_are_enough_cases_in_both_directions() -> None:
    expected = [case["expect"] for case in load_cases("number")]
    assert len(expected) >= 150
    assert expected.count("correct") >= 50 and expected.count("wrong") + expected.count("not-correct") >= 50


def test_every_case_gets_the_verdict_that_it_should() -> None:
    assert find_faults("number") == {"accepted": [], "rejected": [], "left open": []}


def test_a_row_may_have_another_tolerance_than_the_recipe() -> None:
    checker = NumberChecker(relative_tolerance=0.1)
    assert checker.check(AnswerCase("", "105", "100")).verdict == "correct"
    assert checker.check(AnswerCase("", "105", "100", {"relative_tolerance": 0.01})).verdict == "wrong"


@pytest.mark.parametrize(
    "field",
    [{"relative_tolerance": -1}, {"relative_tolerance": 2}, {"absolute_tolerance": -1}, {"significant_figures": 0}],
)
def test_a_tolerance_that_makes_no_sense_is_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        NumberChecker(**field)
