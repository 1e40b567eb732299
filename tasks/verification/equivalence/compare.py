"""Compares two answers by a sequence of exact rules. The verdict names the rule that decided.

The rules, from the cheapest: the same text (`identical`), two plain numbers (`number`, `rational`, `unit`, `percent`),
words and choices (`text`, `choice`), shapes (`list`, `tuple`, `set`, `interval`, `matrix`, `relation`, `base`) and
exact algebra (`expression`). Pairs that no rule decides go to Math-Verify as their `text_and_unit` texts. Nothing is
compared as floats.
"""

import re
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, lru_cache

from schemas.errors import VerifierBroken
from tasks.verification.equivalence import exact_value, other_readings, text_normalization
from tasks.verification.equivalence.answer_parser import nests_deeply, normalize_digits, parse_shape
from tasks.verification.equivalence.answer_shapes import BaseNumber, Collection, Scalar, Shape
from tasks.verification.equivalence.calendar_texts import compare_calendar_texts
from tasks.verification.equivalence.families import read_family
from tasks.verification.equivalence.latex_commands import is_equation, is_malformed
from tasks.verification.equivalence.letter_strings import compare_case, compare_letter_strings
from tasks.verification.equivalence.notation import unify_commands, unify_signs
from tasks.verification.equivalence.number_equality import equal_as_percent, nearly_equal
from tasks.verification.equivalence.number_parser import MAX_ANSWER_CHARACTERS, Numeral, parse_number, split_parsed_unit
from tasks.verification.equivalence.number_words import SCALES
from tasks.verification.equivalence.plain_math import has_plain_names, plain_to_latex
from tasks.verification.equivalence.polynomials import PI, NoExactForm, limit_work
from tasks.verification.equivalence.question_hints import QuestionHints, names_significant_figures, parse_hints
from tasks.verification.equivalence.real_set_parser import SET_SIGN, ParsedSet, parse_real_set
from tasks.verification.equivalence.real_sets import sets_equal
from tasks.verification.equivalence.shape_equality import Undecidable, shapes_equal
from tasks.verification.equivalence.units import (
    GENERIC_UNITS,
    NON_UNIT_WORDS,
    find_ratio,
    is_known_unit,
    normalize_unit,
    units_differ,
)
from tasks.verification.math_verify.verdict import FORM_CHARACTERS, LATEX_THOUSANDS, Verdict

NO_HINTS = QuestionHints()
CANARIES = (
    ("18", "18.0", "correct"),
    ("18", "19", "wrong"),
    ("0.5", "50%", "correct"),
    ("5", "5%", "wrong"),
    ("1.5", "1 1/2", "correct"),
    (r"\frac12", r"\frac{2}{4}", "correct"),
    ("(1,2)", "(2,1)", "wrong"),
    (r"\{1,2\}", r"\{2,1\}", "correct"),
    ("(1,2]", "[1,2]", "wrong"),
    (r"2\sqrt{2}", r"\sqrt{8}", "correct"),
    ("x^2+2x+1", "(x-1)^2", "wrong"),
    ("5 km", "5 m", "unparseable"),
)
"""Known pairs that are compared before every batch."""
CACHED_ANSWERS = 8192
"""Parsed answers that are cached, so that a gold is parsed once for all samples of a question. Some 5 kB each."""
_INTEGER = re.compile(r"-?[1-9][0-9]{0,17}|0")
_SPACED_DIGITS = re.compile(r"(?<!_)[0-9] [0-9]")
# matches "1, 2, ..", r"1, \ldots, 9", not "0.5", r"\dotsx"
_ELLIPSIS = re.compile(r"\\[lcv]?dots[bcimo]?(?![A-Za-z])|\.\.|…")
"""An ellipsis: how the text continues is left to the reader."""
# matches r"x \neq 3", "f'", "<3", not "x < 3", r"\top"
_DROPPED_SIGNS = re.compile(
    r"\\(?:not|neq?|to|rightarrow|mapsto|approx|sim|equiv|propto|mid)(?![A-Za-z])|[≠≈~&']|\A(?:[<>≤≥]|\\[gl](?:eq?|t)(?![A-Za-z]))"
)
# matches r"\sin 30^\circ", not r"\sin 30", r"30^\circ"
_DEGREES_IN_FUNCTION = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc).*(?:\\circ|°|degrees)")
"""Degrees in the argument of a function, which Math-Verify reads as radians."""
# matches "1,234", not "1,2345", "0.1,234", "1, 234"
_GROUPED_DIGITS = re.compile(r"(?<![0-9.])[0-9]{1,3},[0-9]{3}(?![0-9])")
_SPACED_COMMA = re.compile(r"[0-9], +[-+$]?[0-9]")
CLOCK_TIME = re.compile(r"[0-9]{1,2}:[0-5][0-9]")
"""A time of day or a ratio: which one is unknown."""
_SET_BUILDER = re.compile(r"\\\{[^{}]*(?:[:|]|\\mid)")
"""A set defined by a condition, `\\{x : x > 2\\}`, which Math-Verify misreads."""
# matches "option C", "Choice (B)", not "options", "an option"
_CHOICE_NOUN = re.compile(r"\A(?:option|choice|letter)\s+(?=\(?[A-J]\b)", re.IGNORECASE)
# matches r"8\frac{m}{s}", r"8 \frac{g}{L}", not r"\frac{m}{s}", r"8\frac{\text{m}}{\text{s}}", r"8\frac{km}{h}"
_LETTER_FRACTION = re.compile(r"(?<=[0-9}])(?:\s|\\[,;: ])*\\[dt]?frac\s*\{\s*[A-Za-z]\s*\}\s*\{\s*[A-Za-z]\s*\}\s*\Z")
# matches the start of "P(A) = 0.3", r"\Pr(X>2)=1", "E[X] = 4", r"\operatorname{Var}(X) = 2", not of "f(x) = 2", "P = 3"
_STATISTIC = re.compile(
    r"(?:\\(?:mathbb|mathrm|operatorname)\{)?(?:\\Pr|P|Pr|E|Var|Cov)\}?\s*(?:\\left)?[(\[][^()\[\]=]{1,40}(?:=[^()\[\]=]{1,10})?"
    r"(?:\\right)?[)\]]\s*=\s*(?=[^=]+\Z)"
)
"""The probability, mean or variance whose value stands behind it."""
# matches the start of "AB = 12", "XY=5", not of "ABC = 12", "x = 5", "AB + CD = 5"
_SEGMENT_LENGTH = re.compile(r"[A-Z]{2}\s*=\s*(?=[^=]+\Z)")
# matches r"3\vec{i}", r"\mathbf{j}", r"\hat k", not r"\vec{v}", "3i"
_UNIT_VECTOR = re.compile(r"\\(?:vec|hat|mathbf|overrightarrow)\s*\{?\s*\\?[ijk](?:math)?\s*(?:\}|\Z|(?![A-Za-z]))")
# matches all of "evelyn", "monday", not of "yes", "no solution", "first", "fifth", "infinite", "zero"
_ORDINARY_WORD = re.compile(
    r"(?!(?:zero|first|second|infinit|unknown|empty|single|once|both|all|null)|[a-z]*th\b)[a-z]{4,20}"
)
MIN_STEM = 6
"""Letters in which two words must agree to be forms of the same word. `northeast` and `northwest` agree in five."""
_BARE_NUMBER = re.compile(r"-?[0-9.,/]+")
_BRACKETED_LETTER = re.compile(r"\(([A-J])\)")
_ALIKE = (text_normalization.NEGATIVE_WORDS, text_normalization.AFFIRMATIVE_WORDS)
# matches r"\frac{d}{dx}x^2", r"\frac{dy}{dx}", r"\frac{d^2 y}{dx^2}", not r"\frac{d}{x}", r"\frac{a}{dx}"
_DERIVATIVE = re.compile(
    r"\\[dt]?frac ?\{ ?(?:d|\\partial)(?: ?\^ ?[0-9])? ?[A-Za-z]? ?\} ?\{ ?(?:d|\\partial) ?[A-Za-z]"
)
_EMPTY_SETS = frozenset({r"\emptyset", r"\varnothing", "∅", r"\{\}", r"\{ \}"})
# matches all of "no solution", "There are no real solutions", "no solutions exist", not of "no", "not a solution"
_NO_SOLUTION = re.compile(
    r"(?:there (?:is|are) )?no (?:(?:real|integer|such) )?(?:solutions?|roots?|numbers?|values?)(?: exists?)?\.?",
    re.IGNORECASE,
)
_LOST_BY_MATH_VERIFY = (("base", re.compile(r"[0-9] ?_ ?[{0-9]")), ("too_large", re.compile(r"[0-9]{4,}[ })]*!")))
"""Rules and patterns of what Math-Verify loses: bases, and all digits of very large or small numbers."""
# matches all of "(B) 15", "B. 15", "C)", not of "B", "K. 15"
_LABELED_CHOICE = re.compile(r"\(?([A-J])(?:\)[.:]?|[.:])(?: (.+))?")
"""A choice with its value: `(B) 15`, `B. 15`."""
# matches "3\x00", "\u202e3", not "3\n"
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, direction marks and surrogates, which may hide or reverse parts of a text."""


class ParsedAnswer:
    """One answer, whose readings are computed on first use."""

    def __init__(self, text: str) -> None:
        self.original = text
        self.text = unify_commands(unify_signs(text)) if "\\" in text or not text.isascii() else text
        self.plain = text_normalization.strip_formatting(text)
        self.numeral = parse_number(text, self.plain)

    @cached_property
    def text_and_unit(self) -> tuple[str, str]:
        """The text without the unit at its end, with plain mathematics as LaTeX; and that unit."""
        text, unit = split_parsed_unit(self.text, self.plain, self.numeral)
        return text if self.numeral else plain_to_latex(text), unit

    @cached_property
    def normalized(self) -> str:
        """The text in the form that is compared as text."""
        return text_normalization.normalize(self.text_and_unit[0])

    @cached_property
    def has_words(self) -> bool:
        """Whether it contains a word, or a name that is not parsed."""
        return text_normalization.has_words(self.text_and_unit[0]) or has_plain_names(self.text_and_unit[0])

    @cached_property
    def has_ellipsis(self) -> bool:
        """Whether it contains an ellipsis."""
        return _ELLIPSIS.search(self.text) is not None

    @cached_property
    def is_too_deep(self) -> bool:
        """Whether its brackets are nested so deeply that a parser is slow or runs out of stack."""
        return nests_deeply(self.text)

    @cached_property
    def is_malformed(self) -> bool:
        """Whether it has unbalanced brackets, or commands and signs that no parser here knows."""
        return is_malformed(self.text_and_unit[0])

    @cached_property
    def choice(self) -> str:
        """The capital letter that names a choice; empty if there is none."""
        plain = _CHOICE_NOUN.sub("", self.plain)
        plain = plain.upper() if plain != self.plain and len(plain) < 4 else plain
        match = text_normalization.CHOICE_LETTER.fullmatch(plain.rstrip(". ")) or _LABELED_CHOICE.fullmatch(plain)
        return match[1] if match and match[1].isupper() else ""

    @cached_property
    def choice_value(self) -> str:
        """The value of a choice, such as `15` of `(B) 15`; empty if there is none."""
        match = None if self.numeral else _LABELED_CHOICE.fullmatch(self.plain)
        value = (match[2] or "") if match else ""
        return "" if _LABELED_CHOICE.fullmatch(value) else value

    @cached_property
    def approximation(self) -> Decimal | None:
        """The real number to some 50 digits; None if it is none."""
        return exact_value.approximate(self.shape.value) if isinstance(self.shape, Scalar) else None

    @cached_property
    def real_set(self) -> ParsedSet | None:
        """The set of real numbers; None if it is none for certain."""
        return parse_real_set(self.plain)

    @cached_property
    def shape(self) -> Shape | None:
        """The shape; None if it is not certain."""
        if self.numeral and self.numeral.value is not None:
            return _to_scalar(self.numeral)
        return parse_shape(self.text_and_unit[0])


@lru_cache(maxsize=CACHED_ANSWERS)
def parse_answer(text: str) -> ParsedAnswer:
    """The parsed answer of `text`, which has at most `MAX_ANSWER_CHARACTERS` characters. Cached."""
    return ParsedAnswer(text)


def compare(gold: str, answer: str, hints: QuestionHints = NO_HINTS) -> Verdict | None:
    """The verdict of the first rule that decides; None: ask Math-Verify about the `text_and_unit` texts.

    Math-Verify drops units and reads a word as a product of its letters, so it is not asked about units or words.
    """
    is_exact = not hints.tolerance and hints.significant_figures is None
    return _compare_as_texts(gold, answer, is_exact) or _compare_parsed(gold, answer, hints)


def compare_for_question(gold: str, answer: str, question: str, tolerance: float = 0.0) -> Verdict | None:
    """What `compare` says with the hints in `question`, which are read only if the verdict may depend on them."""
    is_exact = not tolerance and not names_significant_figures(question)
    return _compare_as_texts(gold, answer, is_exact) or _compare_parsed(gold, answer, parse_hints(question, tolerance))


def _compare_as_texts(gold: str, answer: str, is_exact: bool) -> Verdict | None:
    """The verdict on two texts of which one is not read, or that are the same, or two whole numbers if `is_exact`."""
    if not gold:
        return Verdict("unparseable", "gold_unparseable")
    if len(gold) > MAX_ANSWER_CHARACTERS:
        return Verdict("unparseable", "gold_too_long")
    if len(answer) > MAX_ANSWER_CHARACTERS:
        return Verdict("unparseable", "too_long")
    if _CONTROL_CHARACTERS.search(gold):
        return Verdict("unparseable", "gold_unparseable")
    if _CONTROL_CHARACTERS.search(answer):
        return Verdict("unparseable", "answer_unparseable")
    if gold == answer:
        return Verdict("correct", "identical", gold[:FORM_CHARACTERS], answer[:FORM_CHARACTERS])
    if is_exact and _INTEGER.fullmatch(gold) and _INTEGER.fullmatch(answer):
        return Verdict("wrong", "number", gold, answer)
    return None


def _compare_parsed(gold: str, answer: str, hints: QuestionHints) -> Verdict | None:
    """The verdict of the first rule that decides on two answers as they are parsed."""
    left, right = parse_answer(gold), parse_answer(answer)
    if is_equation(left.plain) != is_equation(right.plain):
        left, right = (parse_answer(_STATISTIC.sub("", side.plain, count=1)) for side in (left, right))
        if not hints.target:
            left, right = (parse_answer(_SEGMENT_LENGTH.sub("", side.plain, count=1)) for side in (left, right))
    if left.choice_value or right.choice_value:
        left, right = _without_choice_label(left, right), _without_choice_label(right, left)
    if left.has_ellipsis or right.has_ellipsis:
        are_same = left.has_ellipsis and right.has_ellipsis and left.normalized == right.normalized
        return (
            Verdict("correct", "text", gold[:FORM_CHARACTERS], answer[:FORM_CHARACTERS])
            if are_same
            else Verdict("unparseable", "dots")
        )
    try:
        verdict = _decide(left, right, hints)
    except Undecidable as reason:
        return Verdict("unparseable", str(reason))
    except NoExactForm:  # both sides can be parsed, but what they evaluate to is too large
        return Verdict("unparseable", "too_large")
    if verdict is None or verdict.verdict == "wrong":
        return _find_other_reading(left, right, hints) or verdict
    return verdict


def _decide(left: ParsedAnswer, right: ParsedAnswer, hints: QuestionHints) -> Verdict | None:
    """The verdict of the first rule that decides, on the usual reading of both answers."""
    if verdict := (
        _compare_by_question(left, right, hints)
        or _compare_numbers(left, right, hints)
        or _compare_texts(left, right)
        or _compare_real_sets(left, right, hints)
        or _refuse_unreadable(left, right, hints)
    ):
        return verdict
    with limit_work():
        return _compare_shapes(left, right, hints) or _refuse_unsafe(left, right)


def _compare_by_question(left: ParsedAnswer, right: ParsedAnswer, hints: QuestionHints) -> Verdict | None:
    """What depends on the question: options, units, times and codes; and texts that are no mathematics."""
    gold, answer = left.plain.rstrip(". "), right.plain.rstrip(". ")
    return (
        _compare_with_option(left, right, hints)
        or _compare_units(left, right, hints)
        or compare_calendar_texts(gold, answer, hints)
        or compare_letter_strings(_drop_brackets(gold), _drop_brackets(answer), hints)
        or compare_case(gold, answer, hints)
        or _compare_word_lists(gold, answer, hints)
        or _compare_with_nothing(left, right)
        or _compare_word_with_number(left, right)
        or _compare_families(gold, answer)
    )


def _compare_with_option(left: ParsedAnswer, right: ParsedAnswer, hints: QuestionHints) -> Verdict | None:
    """Compare a letter with a value by the text that the question gives for the letter."""
    letters = [_find_option_letter(side) for side in (left, right)] if hints.options else []
    if not any(letters) or all(letters):
        return None
    text = dict(hints.options).get(letters[0] or letters[1])
    if not text:
        return None
    pair = (text, right.text) if letters[0] else (left.text, text)
    verdict = compare(*pair, hints._replace(options=())) or Verdict("unparseable", "choice")
    other = right if letters[0] else left
    if verdict.verdict == "unparseable" and text_normalization.is_only_words(text) and not other.has_words:
        return Verdict("wrong", "choice", left.plain[:FORM_CHARACTERS], right.plain[:FORM_CHARACTERS])
    return verdict._replace(rule="choice")


def _drop_brackets(text: str) -> str:
    """`A, C` of `(A), (C)`."""
    return _BRACKETED_LETTER.sub(r"\1", text) if "(" in text else text


def _find_option_letter(side: ParsedAnswer) -> str:
    """The capital letter of the option that an answer names; empty if it names none."""
    match = text_normalization.CHOICE_LETTER.fullmatch(side.plain.rstrip(". "))
    return side.choice or (match[1].upper() if match else "")


def _compare_units(left: ParsedAnswer, right: ParsedAnswer, hints: QuestionHints) -> Verdict | None:
    """Whether an answer has another unit than the question asks for. A gold without a unit has that of the question."""
    gold_unit, answer_unit = left.text_and_unit[1], right.text_and_unit[1]
    if hints.units and not gold_unit and answer_unit and is_known_unit(answer_unit):
        is_another = all(units_differ(unit, answer_unit) for unit in hints.units)
        if is_another and any(_may_be_converted(left, right, answer_unit, unit) for unit in hints.units):
            return Verdict("unparseable", "units_differ")
    if _LETTER_FRACTION.search(left.original) and not answer_unit:
        return Verdict("unparseable", "units_differ")  # m/s may also be a quotient of two quantities
    in_degrees = ["degree" in side.text_and_unit[1] or "degrees" in side.plain for side in (left, right)]
    in_radians = ["\\pi" in side.plain or "π" in side.plain for side in (left, right)]
    for degrees, radians in ((0, 1), (1, 0)):
        is_degrees = in_degrees[degrees] or (hints.angle_unit == "degree" and not in_radians[degrees])
        if is_degrees and in_radians[radians] and _is_angle_of((left, right)[degrees], (left, right)[radians]):
            return Verdict("unparseable", "units_differ")
    return None


def _may_be_converted(left: ParsedAnswer, right: ParsedAnswer, unit: str, asked: str) -> bool:
    """Whether the gold may be the answer, as it is or after it is converted from its unit to the one asked for."""
    is_generic = not GENERIC_UNITS.isdisjoint((unit, asked))
    ratio = Fraction(0) if is_generic else find_ratio(unit, asked)
    if ratio is None or not isinstance(left.shape, Scalar) or not isinstance(right.shape, Scalar):
        return True
    gold, answer = left.shape.value, right.shape.value
    converted = exact_value.multiply(answer, exact_value.make_rational(ratio))
    return any(exact_value.values_equal(gold, value) is not False for value in (answer, converted))


def _is_angle_of(in_degrees: ParsedAnswer, in_radians: ParsedAnswer) -> bool:
    """Whether an angle in degrees may be one in radians."""
    if not isinstance(in_degrees.shape, Scalar) or not isinstance(in_radians.shape, Scalar):
        return False
    half_turn = exact_value.multiply(exact_value.make_symbol(PI), exact_value.make_rational(Fraction(1, 180)))
    angle = exact_value.multiply(in_degrees.shape.value, half_turn)
    return exact_value.values_equal(angle, in_radians.shape.value) is not False


def _compare_word_lists(gold: str, answer: str, hints: QuestionHints) -> Verdict | None:
    """Whether two lists of words, of which the question asks for the order, have the same words in another one."""
    if not hints.asks_order or "," not in gold or "," not in answer:
        return None
    lists = [[" ".join(item.split()).casefold() for item in text.split(",")] for text in (gold, answer)]
    is_other_order = lists[0] != lists[1] and sorted(lists[0]) == sorted(lists[1])
    if is_other_order and all(item.isalpha() and len(item) > 1 for item in lists[0]):
        return Verdict("wrong", "list", gold, answer)
    return None


def _compare_with_nothing(left: ParsedAnswer, right: ParsedAnswer) -> Verdict | None:
    """Whether both say that there is no solution, in words or as the empty set."""
    for one, other in ((left, right), (right, left)):
        if (one.plain in _EMPTY_SETS or one.normalized == "none") and _NO_SOLUTION.fullmatch(other.plain):
            return Verdict("correct", "set", left.plain, right.plain)
    return None


def _compare_word_with_number(left: ParsedAnswer, right: ParsedAnswer) -> Verdict | None:
    """A number is wrong where the gold is one ordinary word, such as a name; `none`, `first` and `half` are none."""
    word = left.plain.casefold()
    is_ordinary = _ORDINARY_WORD.fullmatch(word) and not NON_UNIT_WORDS.search(word)
    if not is_ordinary or any(word in alike for alike in _ALIKE) or left.numeral:
        return None
    if right.numeral is None or right.numeral.value is None or not _BARE_NUMBER.fullmatch(right.plain):
        return None
    return Verdict("wrong", "text", left.plain, right.plain)


def _compare_families(gold: str, answer: str) -> Verdict | None:
    r"""Compare `2k\pi, k\in\mathbb{Z}` with another family. Different members may still be the same family."""
    members = [read_family(text) for text in (gold, answer)]
    if not any(members):
        return None
    if members[0] and members[1] and not any(read_family(member) for member in members if member):
        verdict = compare(members[0], members[1])
        if verdict and verdict.verdict == "correct":
            return Verdict("correct", "family", gold[:FORM_CHARACTERS], answer[:FORM_CHARACTERS])
    return Verdict("unparseable", "family")


def _compare_real_sets(left: ParsedAnswer, right: ParsedAnswer, hints: QuestionHints) -> Verdict | None:
    """Compare two sets of real numbers of which at least one is written with a condition or as a union."""
    if not SET_SIGN.search(left.plain) and not SET_SIGN.search(right.plain):
        return None
    gold, answer = left.real_set, right.real_set
    if gold is None or answer is None or (gold.letter and answer.letter and gold.letter != answer.letter):
        return None
    equal = sets_equal(gold.real_set, answer.real_set)
    if equal is None:
        return None
    if equal and gold.is_pair and answer.has_condition and not hints.asks_real_set:
        return Verdict("unparseable", "interval_or_point")  # (1,2) against 1 < x < 2
    rule = left.shape.kind if left.shape else "interval"
    return Verdict("correct" if equal else "wrong", rule, left.plain[:FORM_CHARACTERS], right.plain[:FORM_CHARACTERS])


def _find_other_reading(left: ParsedAnswer, right: ParsedAnswer, hints: QuestionHints) -> Verdict | None:
    """Whether the answers are equal in another reading, so that they are not surely different; None if in none."""
    gold, answer = left.plain, right.plain
    if gold == answer:
        return Verdict("correct", "text", gold[:FORM_CHARACTERS], answer[:FORM_CHARACTERS])
    if other_readings.differ_in_layout_only(gold, answer) or other_readings.are_same_segment(gold, answer):
        return Verdict("unparseable", "layout")
    if _differ_in_repeats(left.shape, right.shape):
        return Verdict("unparseable", "repeats")
    if (hints.decimal_places is not None or hints.significant_figures is not None) and (
        left.approximation is not None
        and right.approximation is not None
        and other_readings.differ_by_rounding(left.approximation, right.approximation, hints)
    ):
        return Verdict("unparseable", "rounding")
    if hints.asks_percent and _differ_by_hundred(left.numeral, right.numeral):
        return Verdict("unparseable", "percent_unclear")
    if verdict := _compare_unit_sign(left, right, hints) or _compare_unit_sign(right, left, hints):
        return verdict
    if hints.asks_one and _is_item(right.shape, left.shape, hints):
        return Verdict("unparseable", "one_of_several")
    readings = [(rule, text, answer) for one in {gold, left.text} for rule, text in other_readings.find_readings(one)]
    readings += [(rule, gold, text) for one in {answer, right.text} for rule, text in other_readings.find_readings(one)]
    for rule, one, other in readings:
        verdict = _compare_as_written(parse_answer(one), parse_answer(other), hints)
        if verdict and verdict.verdict == "correct":
            return Verdict("unparseable", rule)
    return None


def _compare_unit_sign(one: ParsedAnswer, other: ParsedAnswer, hints: QuestionHints) -> Verdict | None:
    """Whether `7m^2` is the number of the other side, with its unit or with one that it lacks."""
    number = other_readings.drop_unit_sign(other.plain)
    sign = other.plain[len(number) :]
    is_number = one.numeral is not None or (isinstance(one.shape, Scalar) and not one.shape.value.letters)
    if not sign or not is_number or hints.asks_expression or not hints.letters.isdisjoint(sign):
        return None
    verdict = _compare_as_written(one, parse_answer(number), hints)
    if verdict is None or verdict.verdict != "correct":
        return None
    sign = sign.strip()
    for digit, power in (("2", "²"), ("3", "³")):
        sign = sign.replace(f"^{digit}", power).replace(f"^{{{digit}}}", power)
    is_same = one.numeral is not None and bool(one.numeral.unit) and normalize_unit(sign) == one.numeral.unit
    return Verdict("correct", "unit", one.plain, other.plain) if is_same else Verdict("unparseable", "units")


def _differ_in_repeats(gold: Shape | None, answer: Shape | None) -> bool:
    """Whether two lists have the same tuples, of which one repeats some."""
    items = [
        shape.items if isinstance(shape, Collection) and shape.kind == "list" else (shape,) for shape in (gold, answer)
    ]
    if not all(isinstance(item, Collection) for each in items for item in each):
        return False
    return len(items[0]) != len(items[1]) and all(
        item in others for others, those in (items, items[::-1]) for item in those
    )


def _is_item(item: Shape | None, items: Shape | None, hints: QuestionHints) -> bool:
    """Whether the answer is one of the several that the gold lists."""
    if item is None or not isinstance(items, Collection) or items.kind != "list":
        return False
    return any(shapes_equal(each, item, hints) for each in items.items)


def _compare_as_written(left: ParsedAnswer, right: ParsedAnswer, hints: QuestionHints) -> Verdict | None:
    try:
        return _decide(left, right, hints)
    except (Undecidable, NoExactForm):
        return None


def _differ_by_hundred(gold: Numeral | None, answer: Numeral | None) -> bool:
    values = [numeral.value for numeral in (gold, answer) if numeral and numeral.value and not numeral.is_percent]
    return len(values) == 2 and (values[0] == 100 * values[1] or values[1] == 100 * values[0])


def run_canaries() -> None:
    """Compare the canaries. Raises `VerifierBroken` if a known pair is misjudged."""
    for gold, answer, expected in CANARIES:
        verdict = compare(gold, answer)
        if verdict is None or verdict.verdict != expected:
            raise VerifierBroken(
                f"the answer comparison fails a canary: gold {gold!r}, answer {answer!r} is {expected}, "
                f"but it says {verdict}; reinstall questmill"
            )


def _without_choice_label(one: ParsedAnswer, other: ParsedAnswer) -> ParsedAnswer:
    """The value `15` of `(B) 15` if the other side names no choice, else the answer itself."""
    return parse_answer(one.choice_value) if one.choice_value and not other.choice else one


def _refuse_unsafe(left: ParsedAnswer, right: ParsedAnswer) -> Verdict | None:
    """Why Math-Verify must not be asked: it ignores some signs, and `\\neq 2` is not 2. None: it may be asked."""
    for side, name in ((left, "gold_unparseable"), (right, "answer_unparseable")):
        if side.is_malformed:
            return Verdict("unparseable", name)
    if is_equation(left.plain) != is_equation(right.plain):
        return Verdict("unparseable", "equation")  # of which Math-Verify would compare the right side
    if _DEGREES_IN_FUNCTION.search(left.plain + right.plain):
        return Verdict("unparseable", "degrees")
    signs = [frozenset(_DROPPED_SIGNS.findall(side.plain)) for side in (left, right)]
    return Verdict("unparseable", "sign_lost") if signs[0] != signs[1] else None


def _compare_numbers(left: ParsedAnswer, right: ParsedAnswer, hints: QuestionHints) -> Verdict | None:
    """Exact comparison of two plain numbers. A unit may be missing on one side, but two units must agree."""
    gold, answer = left.numeral, right.numeral
    if not gold or not answer or gold.value is None or answer.value is None:
        return None
    parsed = (str(gold)[:FORM_CHARACTERS], str(answer)[:FORM_CHARACTERS])
    if units_differ(gold.unit, answer.unit):
        return Verdict("unparseable", "units_differ", *parsed)
    if gold.is_percent != answer.is_percent:
        verdict = _compare_percent(_to_scalar(gold), _to_scalar(answer), parsed, hints)
        if (
            verdict and verdict.verdict == "correct" and (gold.unit or answer.unit)
        ):  # 15% is neither 15 degrees nor 15 dollars
            return Verdict("unparseable", "units_differ", *parsed)
        return verdict
    equal = gold.value == answer.value
    if not equal and (gold.is_approximate or answer.is_approximate):
        return Verdict("unparseable", "words", *parsed)
    if not equal and nearly_equal(_to_scalar(gold), _to_scalar(answer), hints):
        return Verdict("correct", "rounded", *parsed)
    return Verdict("correct" if equal else "wrong", _name_number_rule(gold, answer), *parsed)


def _name_number_rule(gold: Numeral, answer: Numeral) -> str:
    if gold.unit or answer.unit:
        return "unit"
    return "rational" if gold.is_rational_form or answer.is_rational_form else "number"


def _compare_percent(gold: Scalar, answer: Scalar, parsed: tuple[str, str], hints: QuestionHints) -> Verdict | None:
    """Compare two numbers of which one has a percent sign: 1/2 is 50%, but 50 is 50% only if the question asks so.

    In such a question a bare gold is the number of percent, so it is unclear whether 0.5 means 50% or 0.5%.
    """
    if hints.asks_percent and equal_as_percent(gold, answer):
        return Verdict("correct", "percent", *parsed)
    equal = exact_value.values_equal(gold.value, answer.value)
    if equal and hints.asks_percent and not gold.is_percent:
        return Verdict("unparseable", "percent_unclear", *parsed)
    return None if equal is None else Verdict("correct" if equal else "wrong", "percent", *parsed)


def _compare_texts(left: ParsedAnswer, right: ParsedAnswer) -> Verdict | None:
    """Whether both are the same text except for case, units, plural and final point, or clearly different words."""
    parsed = (left.text[:FORM_CHARACTERS], right.text[:FORM_CHARACTERS])
    if left.choice and right.choice:
        if left.choice == right.choice and left.choice_value and right.choice_value:
            value_verdict = compare(left.choice_value, right.choice_value)
            if value_verdict is not None and value_verdict.verdict == "wrong":
                return Verdict("unparseable", "choice")  # the same letter with different values
        return Verdict("correct" if left.choice == right.choice else "wrong", "choice", *parsed)
    if units_differ(left.text_and_unit[1], right.text_and_unit[1]):
        return Verdict("unparseable", "units_differ", *parsed)
    if left.normalized and left.normalized == right.normalized:
        return Verdict("correct", "text", *parsed)
    if not (
        left.has_words
        and right.has_words
        and text_normalization.is_only_words(left.text_and_unit[0])
        and text_normalization.is_only_words(right.text_and_unit[0])
    ):
        return None
    if _may_be_products(left.normalized, right.normalized):
        return Verdict("unparseable", "words", *parsed)
    if _have_one_stem(left.normalized, right.normalized):
        return Verdict("unparseable", "words", *parsed)
    words, other_words = set(left.normalized.split()), set(right.normalized.split())
    if words <= other_words or other_words <= words or any(words & alike and other_words & alike for alike in _ALIKE):
        return Verdict("unparseable", "words", *parsed)  # `yes` and `yes, it is`; `none` and `no solution`
    return Verdict("wrong", "text", *parsed)


def _have_one_stem(one: str, other: str) -> bool:
    """Whether both are one word with the same beginning, such as `converges` and `convergent`."""
    return one.isalpha() and other.isalpha() and one[:MIN_STEM] == other[:MIN_STEM] and len(one) >= MIN_STEM


def _may_be_products(one: str, other: str) -> bool:
    """Whether both are the same letters without a vowel, such as `mgh` and `ghm`, which are no words."""
    is_product = not set(one) & set("aeiouy") or set(one) <= set("uvwxyz")
    return sorted(one) == sorted(other) and one.isalpha() and is_product


def _refuse_unreadable(left: ParsedAnswer, right: ParsedAnswer, hints: QuestionHints) -> Verdict | None:
    """Why the later rules must not decide about two texts that differ; None: they may."""
    reasons = [side.numeral.unread_reason for side in (left, right) if side.numeral and side.numeral.unread_reason]
    scaled = [side.numeral.scaled for side in (left, right) if side.numeral and side.numeral.scaled is not None]
    values = [side.numeral.value for side in (left, right) if side.numeral and side.numeral.value is not None]
    if scaled and scaled[0] in (values or scaled[1:]):
        return Verdict("correct", "number", left.plain, right.plain)
    is_rounded = hints.tolerance or hints.significant_figures is not None or hints.decimal_places is not None
    may_be_scaled = any(scaled[0] == scale * other for scale in SCALES for other in values) if scaled else True
    if not is_rounded and not may_be_scaled and len(values + scaled) == 2:
        return Verdict("wrong", "number", left.plain, right.plain)
    if reasons and (reasons[0] != "number_letter" or (left.numeral and right.numeral)):  # 18k may be a product
        return Verdict("unparseable", reasons[0])
    if bool(_UNIT_VECTOR.search(left.text)) != bool(_UNIT_VECTOR.search(right.text)):
        return Verdict("unparseable", "vector")
    if left.is_too_deep or right.is_too_deep:
        return Verdict("unparseable", "too_deep")
    if left.has_words or right.has_words:
        return Verdict("unparseable", "words")
    if CLOCK_TIME.fullmatch(left.plain) and CLOCK_TIME.fullmatch(right.plain):
        return Verdict("unparseable", "clock")  # 6:15 and 12:30 are two times, or one ratio
    if _has_ambiguous_commas(left) or _has_ambiguous_commas(right):
        return Verdict("unparseable", "thousands")
    if _DERIVATIVE.search(left.text) or _DERIVATIVE.search(right.text):
        return Verdict("unparseable", "derivative")
    if _SET_BUILDER.search(left.text) or _SET_BUILDER.search(right.text):
        return Verdict("unparseable", "set_builder")
    if any(
        _SPACED_DIGITS.search(side.plain if side.text_and_unit[0] is side.text else side.text_and_unit[0])
        for side in (left, right)
    ):
        return Verdict("unparseable", "digits_apart")
    return None


def _has_ambiguous_commas(side: ParsedAnswer) -> bool:
    """Whether `, ` separates items, so that a comma without a blank may separate thousands: `[1,000, 2,000]`."""
    if side.numeral or not _SPACED_COMMA.search(side.text):
        return False
    return _GROUPED_DIGITS.search(LATEX_THOUSANDS.sub("", side.text)) is not None


def _compare_shapes(left: ParsedAnswer, right: ParsedAnswer, hints: QuestionHints) -> Verdict | None:
    gold, answer = left.shape, right.shape
    if gold is None or answer is None:
        return next(
            (
                Verdict("unparseable", why)
                for why, sign in _LOST_BY_MATH_VERIFY
                if sign.search(left.text + " " + right.text)
            ),
            None,
        )
    parsed = (left.text_and_unit[0][:FORM_CHARACTERS], right.text_and_unit[0][:FORM_CHARACTERS])
    if BaseNumber in (type(gold), type(answer)):
        return _compare_base_numbers(left, right, hints)
    if isinstance(gold, Scalar) and isinstance(answer, Scalar) and gold.is_percent != answer.is_percent:
        return _compare_percent(gold, answer, parsed, hints)
    if (equal := shapes_equal(gold, answer, hints)) is None:
        return None
    return Verdict("correct" if equal else "wrong", _name_shape_rule(gold, answer, equal), *parsed)


def _name_shape_rule(gold: Shape, answer: Shape, equal: bool) -> str:
    if isinstance(gold, Scalar) and isinstance(answer, Scalar):
        if equal and not exact_value.values_equal(gold.value, answer.value):
            return "rounded"
        return "expression" if None in (gold.value.rational, answer.value.rational) else "rational"
    return answer.kind if isinstance(gold, Scalar) else gold.kind


def _compare_base_numbers(left: ParsedAnswer, right: ParsedAnswer, hints: QuestionHints) -> Verdict:
    """Compare `101_2` with `101_2`, or with `101` if the question names a base. Bases are never converted."""
    parsed = (left.plain[:FORM_CHARACTERS], right.plain[:FORM_CHARACTERS])
    gold, answer = (side.shape for side in (left, right))
    if isinstance(gold, BaseNumber) and isinstance(answer, BaseNumber):
        if gold != answer and gold.decimal_digits and gold.decimal_digits == answer.decimal_digits:
            return Verdict("unparseable", "base", *parsed)
        return Verdict("correct" if gold == answer else "wrong", "base", *parsed)
    base_number, other = (gold, right.plain) if isinstance(gold, BaseNumber) else (answer, left.plain)
    assert isinstance(base_number, BaseNumber)
    if base_number.digits == normalize_digits(other):
        return Verdict("correct" if hints.names_base else "unparseable", "base", *parsed)
    return Verdict("unparseable" if base_number.decimal_digits == other else "wrong", "base", *parsed)


def _to_scalar(numeral: Numeral) -> Scalar:
    assert numeral.value is not None
    return Scalar(
        exact_value.make_rational(numeral.value / 100 if numeral.is_percent else numeral.value), numeral.is_percent
    )
