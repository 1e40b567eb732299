"""Sets of reals, exact sines, number words, times, letter strings and families are read as what they are."""

from fractions import Fraction

import pytest

from tasks.verification.equivalence import exact_value
from tasks.verification.equivalence.calendar_texts import compare_calendar_texts
from tasks.verification.equivalence.compare import compare
from tasks.verification.equivalence.expression_parser import parse_expression, tokenize
from tasks.verification.equivalence.families import read_family
from tasks.verification.equivalence.letter_strings import compare_letter_strings
from tasks.verification.equivalence.notation import detach_unit, unify_commands, unify_signs, unify_systems
from tasks.verification.equivalence.number_words import read_number_words, read_scaled_number
from tasks.verification.equivalence.other_readings import find_readings
from tasks.verification.equivalence.question_hints import QuestionHints, parse_hints
from tasks.verification.equivalence.real_set_parser import parse_real_set
from tasks.verification.equivalence.real_sets import complement, intersect, sets_equal
from tasks.verification.equivalence.units import find_ratio


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x<3 or x>5", r"(-\infty,3)\cup(5,\infty)"),
        (r"|x| \le 2", "[-2,2]"),
        ("|x-1| > 2", "x < -1 or x > 3"),
        ("2x < 6", "x < 3"),
        ("-x < 3", "x > -3"),
        (r"\{x : 0 < x \le 6\}", "(0,6]"),
        (r"x \ne 0", r"\mathbb{R} \setminus \{0\}"),
        (r"x \ge 0, x \ne 1", r"[0,1) \cup (1,\infty)"),
        (r"x \ge \sqrt{2}", r"[\sqrt{2},\infty)"),
        (r"[0,1] \cup [1,2]", "[0,2]"),
        ("x = 1 or x > 4", r"\{1\} \cup (4,\infty)"),
    ],
)
def test_two_notations_are_the_same_set_of_reals(one: str, other: str) -> None:
    left, right = parse_real_set(one), parse_real_set(other)
    assert left and right
    assert sets_equal(left.real_set, right.real_set) is True
    assert complement(complement(left.real_set)) == left.real_set
    assert intersect(left.real_set, complement(right.real_set)) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [("x<3", r"x \le 3"), ("(0,1)", "[0,1)"), (r"x \ge \sqrt{2}", r"x \ge \sqrt{3}"), (r"x \ne 0", "x > 0")],
)
def test_different_sets_of_reals_differ(one: str, other: str) -> None:
    left, right = parse_real_set(one), parse_real_set(other)
    assert left and right and sets_equal(left.real_set, right.real_set) is False


@pytest.mark.parametrize("text", ["x^2 < 4", "x < y", "x < 1, x > 3", "a > 2 and b < 3", "5", "(x, 2)", "1/0 < x"])
def test_what_is_no_condition_of_degree_one_is_no_set(text: str) -> None:
    assert parse_real_set(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\sin 30^\circ", r"\frac{1}{2}"),
        (r"\cos \frac{2\pi}{3}", r"-\frac{1}{2}"),
        (r"\tan 15^\circ", r"2-\sqrt{3}"),
        (r"\sin \frac{\pi}{12}", r"\frac{\sqrt{6}-\sqrt{2}}{4}"),
        (r"\csc 30^\circ", "2"),
        (r"\sin 390^\circ", r"\frac{1}{2}"),
    ],
)
def test_sines_of_multiples_of_15_degrees_are_exact(text: str, value: str) -> None:
    values = [parse_expression(tokenize(each.replace(r"^\circ", r" \degree "))) for each in (text, value)]
    assert exact_value.values_equal(*values) is True


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("twelve", 12),
        ("twenty-one", 21),
        ("one hundred and five", 105),
        ("two million three hundred thousand", 2_300_000),
        ("twenty eleven", None),
        ("five six", None),
        ("first", None),
        ("one and", None),
    ],
)
def test_numbers_are_read_from_words(words: str, number: int | None) -> None:
    assert read_number_words(words) == number


def test_a_scale_multiplies_a_number() -> None:
    assert read_scaled_number("2.5 million dollars") == Fraction(2_500_000)
    assert read_scaled_number("5 cats") is None


@pytest.mark.parametrize(
    ("gold", "answer", "hints", "verdict"),
    [
        ("9:30", "18:60", QuestionHints(asks_time=True), "wrong"),
        ("9:30", "8:90", QuestionHints(asks_time=True), "wrong"),
        ("4:15 PM", "16:15", QuestionHints(), "correct"),
        ("3 PM", "3:00", QuestionHints(asks_time=True), "unparseable"),
        ("12:00 AM", "0:00", QuestionHints(), "correct"),
        ("2023-03-08", "2012", QuestionHints(), "wrong"),
        ("2023-03-08", "2023-3-8", QuestionHints(), "correct"),
        ("0101", "101", QuestionHints(asks_code=True), "wrong"),
        ("555-1234", "5551234", QuestionHints(asks_code=True), "correct"),
        ("2:3", "4:6", QuestionHints(), None),
    ],
)
def test_times_dates_and_codes_are_no_arithmetic(
    gold: str, answer: str, hints: QuestionHints, verdict: str | None
) -> None:
    found = compare_calendar_texts(gold, answer, hints)
    assert (found.verdict if found else None) == verdict


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        ("TH", "HT", "wrong"),
        ("A B C", "A B C", "correct"),
        ("ACD", "A, C, D", "correct"),
        ("AC", "C, A", "unparseable"),
        ("AC", "A and D", "wrong"),
        ("A, B", "B, A", None),
        ("A", "B", None),
    ],
)
def test_the_order_of_capital_letters_counts(gold: str, answer: str, verdict: str | None) -> None:
    found = compare_letter_strings(gold, answer, QuestionHints())
    assert (found.verdict if found else None) == verdict
    product = compare_letter_strings("MA", "AM", QuestionHints(letters=frozenset("MA")))
    assert product is not None and product.verdict == "unparseable"


def test_the_parameter_of_a_family_may_have_any_name() -> None:
    assert read_family(r"2n\pi, n\in\mathbb{Z}") == r"2k\pi"
    assert read_family(r"k\pi (k \in Z)") == r"k\pi"
    assert read_family(r"kn\pi, n\in\mathbb{Z}") is None
    assert read_family("x > 0") is None


@pytest.mark.parametrize(
    ("text", "unified"),
    [
        ("1½", "1 1/2"),
        ("θ", r"\theta "),
        ("\\mathbf{27}", "27"),
        (r"\textcolor{red}{27}", "27"),
        (r"2\mathbf{i}", r"2\mathbf{i}"),
        (r"8\ \frac{m}{s}", "8 m/s"),
        (r"9.8\,\mathrm{m\,s^{-2}}", "9.8 m/s²"),
        ("30cm^2", "30 cm²"),
        ("3mg", "3mg"),
        (r"\begin{cases}x=1\\y=2\end{cases}", "x=1, y=2"),
    ],
)
def test_notations_of_the_same_are_unified(text: str, unified: str) -> None:
    assert detach_unit(unify_commands(unify_systems(unify_signs(text)))) == unified


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("7,5", "7.5"),
        ("1.000,50", "1000.50"),
        ("(0,5; 1)", "(0.5, 1)"),
        ("C(9,2)", r"\binom{9}{2}"),
        ("3+4j", "3+4i"),
        ("0x1F", "31"),
        (r"\ln 2\, m", r"\ln(2) \cdot m"),
    ],
)
def test_an_answer_has_other_readings(text: str, reading: str) -> None:
    assert reading in [other for _, other in find_readings(text)]


@pytest.mark.parametrize("text", ["1,234", "(4,5)", "1, 2", "x+1"])
def test_most_answers_have_no_other_reading(text: str) -> None:
    assert list(find_readings(text)) == []


def test_units_of_the_same_dimension_have_a_ratio() -> None:
    assert find_ratio("meter", "centimeter") == 100
    assert find_ratio("foot²", "inch²") == 144
    assert find_ratio("meter", "hour") == 0
    assert find_ratio("degree", "meter²") == 0
    assert find_ratio("apple", "pear") is None


@pytest.mark.parametrize(
    ("question", "gold", "answer", "verdict"),
    [
        ("How many meters long is it?", "7", "7 cm", "unparseable"),
        ("How many meters long is it?", "7", "700 cm", "unparseable"),
        ("How many meters long is it?", "7", "8 cm", "wrong"),
        ("What is 3*7? (A) 19 (B) 20 (C) 21", "C", "21", "correct"),
        ("What is 3*7? (A) 19 (B) 20 (C) 21", "21", "(B)", "wrong"),
        ("Find $a+b$.", "5", "a+b=5", "correct"),
        ("Find $a+b$.", "5", "a=5", "unparseable"),
        ("Find $x$.", "5", "y=6", "wrong"),
        ("Find the values of $p$ and $q$.", "5,2", "2,5", "unparseable"),
        ("List them, tallest first.", "D,E,F", "F,E,D", "wrong"),
        ("Give it to 3 significant figures.", "66.7", r"\frac{200}{3}", "unparseable"),
        ("Solve the inequality.", "(3,8)", "3<x<8", "correct"),
    ],
)
def test_the_question_decides_what_an_answer_must_be(question: str, gold: str, answer: str, verdict: str) -> None:
    found = compare(gold, answer, parse_hints(question))
    assert found is not None and found.verdict == verdict


@pytest.mark.parametrize("answer", ["2x=14", "|x|=14", "x^2=14", r"\sqrt{x}=14", "3=14", r"\log_5 x=14"])
def test_an_equation_is_no_value(answer: str) -> None:
    for gold, other in (("14", answer), (answer, "14")):
        found = compare(gold, other)
        assert found is not None and found.verdict != "correct"
