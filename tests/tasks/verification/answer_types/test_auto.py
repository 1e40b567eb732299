"""The type of an answer is chosen by its details and its gold, and the rule says why."""

from typing import Any

import pytest

from tasks.verification.answer_types.auto import choose_type
from tasks.verification.answer_types.checkers import ANSWER_TYPES
from tests.support.answer_types import check_cases, find_faults, load_cases


def test_there_are_enough_cases_in_both_directions() -> None:
    expected = [case["expect"] for case in load_cases("auto")]
    assert len(expected) >= 150
    assert expected.count("correct") >= 50 and expected.count("wrong") + expected.count("not-correct") >= 50


def test_every_case_gets_the_verdict_that_it_should() -> None:
    assert find_faults("auto") == {"accepted": [], "rejected": [], "left open": []}


@pytest.mark.parametrize(
    ("question", "gold", "details", "chosen"),
    [
        ("", "C", {"options": ["x", "y", "z"]}, ("choice", "choice_options")),
        ("Which?\n(A) x\n(B) y", "B", {}, ("choice", "choice_question")),
        ("", "9.81", {"relative_tolerance": 0.01}, ("number", "number_relative_tolerance")),
        ("", "Obama", {"aliases": ["Barack Obama"]}, ("text", "text_aliases")),
        ("", "Paris", {}, ("text", "text_gold")),
        ("", "no solution", {}, ("math", "math")),
        ("", r"\sin x", {}, ("math", "math")),
        ("", "[1, 2]", {}, ("math", "math")),
        ("(A) Find x. (B) Find y.", "5", {}, ("math", "math")),
    ],
)
def test_details_and_gold_tell_the_type(
    question: str, gold: str, details: dict[str, Any], chosen: tuple[str, str]
) -> None:
    assert choose_type(question, gold, details, ANSWER_TYPES) == chosen


def test_the_rule_says_what_was_chosen_and_why() -> None:
    case = {"question": "", "response": "Paris", "gold": "Paris", "details": {}}
    [row] = check_cases("auto", [case])
    assert (row["verifier"], row["rule"]) == ("questmill.text", "auto:text_gold:text")
