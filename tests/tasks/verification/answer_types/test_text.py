"""Texts are equal to the gold or to an alias, or they are no match; numbers are not judged as texts."""

import pytest

from tasks.verification.answer_types.checker import AnswerCase
from tasks.verification.answer_types.text import TextChecker
from tasks.verification.answer_types.text_forms import is_words, normalize_text
from tests.support.answer_types import find_faults, load_cases


def test_there_are_enough_cases_in_both_directions() -> None:
    expected = [case["expect"] for case in load_cases("text")]
    assert len(expected) >= 150
    assert expected.count("correct") >= 50 and expected.count("wrong") + expected.count("not-correct") >= 50


def test_every_case_gets_the_verdict_that_it_should() -> None:
    assert find_faults("text") == {"accepted": [], "rejected": [], "left open": []}


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("**The  Café**", "cafe"),
        ("J. R. R. Tolkien", "jrr tolkien"),
        ("The The", "the the"),
        ("がか", "がか"),
        ("C++", "c++"),
    ],
)
def test_texts_have_a_form_without_case_accents_and_articles(text: str, form: str) -> None:
    assert normalize_text(text) == form


@pytest.mark.parametrize("text", ["42", "forty-two", "5 km", r"\frac12", "x^2", "...", "$5"])
def test_numbers_and_formulas_are_no_words(text: str) -> None:
    assert not is_words(text)


def test_case_and_accents_count_if_the_recipe_says_so() -> None:
    case = AnswerCase("", "zurich", "Zürich")
    assert TextChecker().check(case).verdict == "correct"
    assert TextChecker(ignore_accents=False).check(case).verdict == "unparseable"
    assert TextChecker(ignore_case=False).check(case).verdict == "unparseable"
