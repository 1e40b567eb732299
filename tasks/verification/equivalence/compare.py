"""The ladder: each rung says whether two answers are the same, or passes them on; the ruling names the rung.

The rungs, from the cheapest: the same text (`identical`), two plain numbers (`number`, `rational`, `unit`, `percent`),
words and choices (`text`, `choice`), shapes (`list`, `tuple`, `set`, `interval`, `matrix`, `relation`, `base`) and
exact algebra (`expression`). What is left is for Math-Verify, about the `bare` texts. Nothing is compared as floats.
"""

import re
from functools import cached_property, lru_cache

from schemas.errors import VerifierBroken
from tasks.verification.equivalence import exact_value, text_normalization
from tasks.verification.equivalence.answer_parser import digits, shape
from tasks.verification.equivalence.answer_shapes import Based, Scalar, Shape
from tasks.verification.equivalence.expression_parser import DEEPEST
from tasks.verification.equivalence.latex_commands import broken
from tasks.verification.equivalence.number_equality import close, same_percent
from tasks.verification.equivalence.number_parser import LONGEST, Numeral, head, number
from tasks.verification.equivalence.plain_math import latex, misnamed
from tasks.verification.equivalence.polynomials import Unsure, bounded
from tasks.verification.equivalence.question_hints import Asked
from tasks.verification.equivalence.shape_equality import Unclear, same
from tasks.verification.equivalence.units import differ
from tasks.verification.math_verify.pool import PRINTED, THOUSANDS, Ruling

NOTHING_ASKED = Asked()
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
"""Known pairs, asked before every batch."""
REMEMBERED = 8192
"""Texts whose reading is kept: the gold is read once for all samples of a question. Some 5 kB each."""
_INTEGER = re.compile(r"-?[1-9][0-9]{0,17}|0")
_BRACKET = re.compile(r"[()\[\]{}]")
_APART = re.compile(r"(?<!_)[0-9] [0-9]")
_DOTS = re.compile(r"\\[lcv]?dots[bcimo]?(?![A-Za-z])|\.\.|…")
"""What goes on: where, and how far, only the reader knows."""
_SIGNS = re.compile(
    r"\\(?:not|neq?|to|rightarrow|mapsto|approx|sim|equiv|propto|mid)(?![A-Za-z])|[≠≈~&']|\A(?:[<>≤≥]|\\[gl](?:eq?|t)(?![A-Za-z]))"
)
_TURNED = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc).*(?:\\circ|°|degrees)")
"""Degrees under a function: Math-Verify reads radians."""
_GROUPED = re.compile(r"(?<![0-9.])[0-9]{1,3},[0-9]{3}(?![0-9])")
_SPACED = re.compile(r"[0-9], +[-+$]?[0-9]")
CLOCK = re.compile(r"[0-9]{1,2}:[0-5][0-9]")
"""A time of day, or a ratio: nobody knows which."""
_BUILT = re.compile(r"\\\{[^{}]*(?:[:|]|\\mid)")
"""A set by its condition, `\\{x : x > 2\\}`: Math-Verify reads something else in it."""
_LOST = (("base", re.compile(r"[0-9] ?_ ?[{0-9]")), ("too_large", re.compile(r"[0-9]{4,}[ })]*!")))
"""What Math-Verify loses: it drops a base, and of very large or small numbers all digits."""
_LABELLED = re.compile(r"\(?([A-J])(?:\)[.:]?|[.:])(?: (.+))?")
"""A choice with what it stands for: `(B) 15`, `B. 15`."""
_POISONED = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, marks of direction and halves of characters: they may hide or turn round what is read."""


class Reading:
    """One answer, read as far as somebody asked for it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain = text_normalization.unwrapped(text)
        self.numeral = number(text, self.plain)

    @cached_property
    def bare(self) -> tuple[str, str]:
        """The text without the unit at its end, its plain mathematics as LaTeX, and that unit."""
        front, unit = head(self.text, self.plain, self.numeral)
        return front if self.numeral else latex(front), unit

    @cached_property
    def folded(self) -> str:
        """What is compared as text."""
        return text_normalization.folded(self.bare[0])

    @cached_property
    def wordy(self) -> bool:
        """Whether a word stands in it, or a name that is not read."""
        return text_normalization.wordy(self.bare[0]) or misnamed(self.bare[0])

    @cached_property
    def dots(self) -> bool:
        """Whether something is left out of it."""
        return _DOTS.search(self.text) is not None

    @cached_property
    def deep(self) -> bool:
        """Whether brackets stand in it so deep that a parser takes long, or has no stack left."""
        depth, deepest = 0, 0
        for sign in _BRACKET.findall(self.text) if len(self.text) > 2 * DEEPEST else ():
            depth += 1 if sign in "([{" else -1
            deepest = max(deepest, depth)
        return deepest > DEEPEST

    @cached_property
    def broken(self) -> bool:
        """Whether brackets stay open, or commands and signs stand in it that nobody here knows."""
        return broken(self.bare[0])

    @cached_property
    def choice(self) -> str:
        """The capital that names a choice, or empty."""
        match = text_normalization.CHOICE.fullmatch(self.plain.rstrip(". ")) or _LABELLED.fullmatch(self.plain)
        return match[1] if match and match[1].isupper() else ""

    @cached_property
    def value(self) -> str:
        """What stands beside the choice, `15` of `(B) 15`, or empty."""
        match = None if self.numeral else _LABELLED.fullmatch(self.plain)
        return (match[2] or "") if match else ""

    @cached_property
    def shape(self) -> Shape | None:
        """Its shape; None where that is not sure."""
        if self.numeral and self.numeral.value is not None:
            return _scalar(self.numeral)
        return shape(self.bare[0])


@lru_cache(maxsize=REMEMBERED)
def read(text: str) -> Reading:
    """The reading of `text`, at most `LONGEST` characters."""
    return Reading(text)


def compare(gold: str, answer: str, asked: Asked = NOTHING_ASKED) -> Ruling | None:
    """Whether both are the same, by the first rung that can say; None: ask Math-Verify about the `bare` texts.

    Math-Verify drops units and reads a word as a product of its letters, so it is asked about neither.
    """
    if not gold:
        return Ruling("unparseable", "gold_unparseable")
    if len(gold) > LONGEST:
        return Ruling("unparseable", "gold_too_long")
    if len(answer) > LONGEST:
        return Ruling("unparseable", "too_long")
    if _POISONED.search(gold):
        return Ruling("unparseable", "gold_unparseable")
    if _POISONED.search(answer):
        return Ruling("unparseable", "answer_unparseable")
    if gold == answer:
        return Ruling("correct", "identical", gold[:PRINTED], answer[:PRINTED])
    if not asked.tolerance and _INTEGER.fullmatch(gold) and _INTEGER.fullmatch(answer):
        return Ruling("wrong", "number", gold, answer)
    left, right = read(gold), read(answer)
    if left.value or right.value:
        left, right = _beside(left, right), _beside(right, left)
    if left.dots or right.dots:
        alike = left.dots and right.dots and left.folded == right.folded
        return Ruling("correct", "text", gold[:PRINTED], answer[:PRINTED]) if alike else Ruling("unparseable", "dots")
    try:
        if ruling := _numbers(left, right, asked) or _texts(left, right) or _unread(left, right):
            return ruling
        with bounded():
            return _shapes(left, right, asked) or _dropped(left, right)
    except Unclear:
        return Ruling("unparseable", "order")
    except Unsure:  # of two sides that can be read, what they come to is too large
        return Ruling("unparseable", "too_large")


def trust() -> None:
    """Raises `VerifierBroken` where the ladder misjudges a known pair."""
    for gold, answer, expected in CANARIES:
        ruling = compare(gold, answer)
        if ruling is None or ruling.verdict != expected:
            raise VerifierBroken(f"the ladder fails a canary: gold {gold!r}, answer {answer!r} is {expected}: {ruling}")


def _beside(one: Reading, other: Reading) -> Reading:
    """`15` of `(B) 15`, where the other side names no choice."""
    return read(one.value) if one.value and not other.choice else one


def _dropped(left: Reading, right: Reading) -> Ruling | None:
    """Why Math-Verify must not be asked: it passes over signs, and `\\neq 2` is not 2. None: it may be."""
    for side, name in ((left, "gold_unparseable"), (right, "answer_unparseable")):
        if side.broken:
            return Ruling("unparseable", name)
    if _TURNED.search(left.plain + right.plain):
        return Ruling("unparseable", "degrees")
    signs = [frozenset(_SIGNS.findall(side.plain)) for side in (left, right)]
    return Ruling("unparseable", "sign_lost") if signs[0] != signs[1] else None


def _numbers(left: Reading, right: Reading, asked: Asked) -> Ruling | None:
    """Exact comparison of two plain numbers. A unit may be left out, and never exchanged."""
    gold, answer = left.numeral, right.numeral
    if not gold or not answer or gold.value is None or answer.value is None:
        return None
    parsed = (str(gold)[:PRINTED], str(answer)[:PRINTED])
    if differ(gold.unit, answer.unit):
        return Ruling("unparseable", "units_differ", *parsed)
    if gold.percent != answer.percent:
        return _percent(_scalar(gold), _scalar(answer), parsed, asked)
    equal = gold.value == answer.value
    if not equal and (gold.about or answer.about):
        return Ruling("unparseable", "words", *parsed)
    if not equal and close(_scalar(gold), _scalar(answer), asked):
        return Ruling("correct", "rounded", *parsed)
    return Ruling("correct" if equal else "wrong", _number_rung(gold, answer), *parsed)


def _number_rung(gold: Numeral, answer: Numeral) -> str:
    if gold.unit or answer.unit:
        return "unit"
    return "rational" if gold.special or answer.special else "number"


def _percent(gold: Scalar, answer: Scalar, parsed: tuple[str, str], asked: Asked) -> Ruling | None:
    """One has a percent sign: 1/2 is 50%, but 50 is 50% only if the question speaks of percent.

    There, a bare gold is the number of percent: whether 0.5 then means 50% or 0.5% nobody knows.
    """
    if asked.percent and same_percent(gold, answer):
        return Ruling("correct", "percent", *parsed)
    equal = exact_value.same(gold.value, answer.value)
    if equal and asked.percent and not gold.percent:
        return Ruling("unparseable", "percent_unclear", *parsed)
    return None if equal is None else Ruling("correct" if equal else "wrong", "percent", *parsed)


def _texts(left: Reading, right: Reading) -> Ruling | None:
    """Whether both are the same text but for case, units, a plural, the point at the end, or are different words."""
    parsed = (left.text[:PRINTED], right.text[:PRINTED])
    if left.choice and right.choice:
        if left.choice == right.choice and left.value and right.value:
            told = compare(left.value, right.value)
            if told is not None and told.verdict == "wrong":
                return Ruling("unparseable", "choice")  # the same letter beside another value
        return Ruling("correct" if left.choice == right.choice else "wrong", "choice", *parsed)
    if differ(left.bare[1], right.bare[1]):
        return Ruling("unparseable", "units_differ", *parsed)
    if left.folded and left.folded == right.folded:
        return Ruling("correct", "text", *parsed)
    if not (
        left.wordy
        and right.wordy
        and text_normalization.only_words(left.bare[0])
        and text_normalization.only_words(right.bare[0])
    ):
        return None
    some, others = set(left.folded.split()), set(right.folded.split())
    if some <= others or others <= some or (some & text_normalization.NOTHING and others & text_normalization.NOTHING):
        return Ruling("unparseable", "words", *parsed)  # `yes` and `yes, it is`; `none` and `no solution`
    return Ruling("wrong", "text", *parsed)


def _unread(left: Reading, right: Reading) -> Ruling | None:
    """Why the rungs below must not be asked about two texts that differ; None: they may be."""
    whys = [side.numeral.why for side in (left, right) if side.numeral and side.numeral.why]
    if whys and (whys[0] != "number_letter" or (left.numeral and right.numeral)):  # 18k may be a product
        return Ruling("unparseable", whys[0])
    if left.deep or right.deep:
        return Ruling("unparseable", "too_deep")
    if left.wordy or right.wordy:
        return Ruling("unparseable", "words")
    if CLOCK.fullmatch(left.plain) and CLOCK.fullmatch(right.plain):
        return Ruling("unparseable", "clock")  # 6:15 and 12:30 are two times, or one ratio
    if _grouped(left) or _grouped(right):
        return Ruling("unparseable", "thousands")
    if _BUILT.search(left.text) or _BUILT.search(right.text):
        return Ruling("unparseable", "set_builder")
    if any(_APART.search(side.plain if side.bare[0] is side.text else side.bare[0]) for side in (left, right)):
        return Ruling("unparseable", "digits_apart")
    return None


def _grouped(side: Reading) -> bool:
    """Whether a comma with a blank separates, so that one without may stand before thousands: `[1,000, 2,000]`."""
    if side.numeral or not _SPACED.search(side.text):
        return False
    return _GROUPED.search(THOUSANDS.sub("", side.text)) is not None


def _shapes(left: Reading, right: Reading, asked: Asked) -> Ruling | None:
    gold, answer = left.shape, right.shape
    if gold is None or answer is None:
        return next(
            (Ruling("unparseable", why) for why, sign in _LOST if sign.search(left.text + " " + right.text)), None
        )
    parsed = (left.bare[0][:PRINTED], right.bare[0][:PRINTED])
    if Based in (type(gold), type(answer)):
        return _based(left, right, asked)
    if isinstance(gold, Scalar) and isinstance(answer, Scalar) and gold.percent != answer.percent:
        return _percent(gold, answer, parsed, asked)
    if (equal := same(gold, answer, asked)) is None:
        return None
    return Ruling("correct" if equal else "wrong", _shape_rung(gold, answer, equal), *parsed)


def _shape_rung(gold: Shape, answer: Shape, equal: bool) -> str:
    if isinstance(gold, Scalar) and isinstance(answer, Scalar):
        if equal and not exact_value.same(gold.value, answer.value):
            return "rounded"
        return "expression" if None in (gold.value.rational, answer.value.rational) else "rational"
    return answer.kind if isinstance(gold, Scalar) else gold.kind


def _based(left: Reading, right: Reading, asked: Asked) -> Ruling:
    """`101_2` and `101_2`; without the base only where the question names one. No base is converted into another."""
    parsed = (left.plain[:PRINTED], right.plain[:PRINTED])
    gold, answer = (side.shape for side in (left, right))
    if isinstance(gold, Based) and isinstance(answer, Based):
        if gold != answer and gold.number and gold.number == answer.number:
            return Ruling("unparseable", "base", *parsed)
        return Ruling("correct" if gold == answer else "wrong", "base", *parsed)
    based, other = (gold, right.plain) if isinstance(gold, Based) else (answer, left.plain)
    assert isinstance(based, Based)
    if based.digits == digits(other):
        return Ruling("correct" if asked.base else "unparseable", "base", *parsed)
    return Ruling("unparseable" if based.number == other else "wrong", "base", *parsed)


def _scalar(numeral: Numeral) -> Scalar:
    assert numeral.value is not None
    return Scalar(exact_value.rational(numeral.value / 100 if numeral.percent else numeral.value), numeral.percent)
