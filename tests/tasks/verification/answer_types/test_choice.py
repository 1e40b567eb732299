"""Choices are compared by letter, by number and by the text of their options; what is unclear is left open."""

import pytest

from tasks.verification.answer_types.checker import AnswerCase
from tasks.verification.answer_types.choice import ChoiceChecker, read_choice
from tasks.verification.answer_types.options import Option, read_options
from tests.support.answer_types import find_faults, load_cases

QUESTION = "Which city?\n(A) Sydney\n(B) Canberra"


def test_there_are_enough_cases_in_both_directions() -> None:
    expected = [case["expect"] for case in load_cases("choice")]
    assert len(expected) >= 150
    assert expected.count("correct") >= 50 and expected.count("wrong") + expected.count("not-correct") >= 50


def test_every_case_gets_the_verdict_that_it_should() -> None:
    assert find_faults("choice") == {"accepted": [], "rejected": [], "left open": []}


@pytest.mark.parametrize(
    ("question", "details", "labels"),
    [
        (QUESTION, {}, "AB"),
        ("Which?\nA、地球\nB、火星", {}, "AB"),
        ("Which?\n① Earth\n② Mars\n③ Venus", {}, "123"),
        ("", {"options": ["x", "y", "z"]}, "ABC"),
        ("", {"options": [{"label": "A", "text": "x"}, {"label": "B", "text": "y"}]}, "AB"),
        ("", {"choices": {"a": "x", "b": "y"}}, "AB"),
        ("Add 1.5 and 2.5.", {}, ""),
    ],
)
def test_options_are_read_from_details_and_questions(question: str, details: dict[str, object], labels: str) -> None:
    options = read_options(question, details)
    assert options is not None
    assert "".join(option.label for option in options) == labels


def test_a_letter_with_the_text_of_another_option_is_left_open() -> None:
    options = (Option("A", "Sydney"), Option("B", "Canberra"))
    assert read_choice("(B) Canberra", options).labels == {"B"}
    assert read_choice("(A) Canberra", options).rule == "choice_contradiction"


def test_the_base_of_index_golds_is_a_field() -> None:
    case = AnswerCase(QUESTION, "The answer is B.", "1")
    assert ChoiceChecker().check(case).rule == "gold_index_unclear"
    assert ChoiceChecker(index_base=0).check(case).verdict == "correct"
    assert ChoiceChecker(index_base=1).check(case).verdict == "wrong"
