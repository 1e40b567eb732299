"""Holds each response against its gold answer and writes down what was found, by which rule, and how sure that is.

The ladder: find the answer, compare plain numbers exactly, compare identical texts, ask Math-Verify. A hung comparison
is a `timeout` and an unreadable answer `unparseable`; `wrong` is only said when both sides were read and differ.
"""

import re
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa
from pydantic import Field, field_validator

from schemas import verdicts
from schemas.errors import VerifierBroken
from schemas.work import Quarantine, Row, Stage
from tasks import referee
from tasks.extract import EXPLICIT, MARKERS, Extract, extract
from tasks.referee import PRINTED, THOUSANDS, Failure, Pair, Ruling

LONGEST = 2000
"""Characters of an answer that is still read: the longest of the 5,000 MATH answers has 159."""
LARGEST_EXPONENT = 400
"""Of `1e400`: past a float, far short of a number that takes time to write down."""
CHUNK = 256
"""Rows looked at before the referee is asked: eight of its batches."""

_WRAPPINGS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"))
_SPACING = re.compile(r"(?<!\\)\\[!,;: ]|~")
_TEXT = re.compile(r"\\(?:text|textrm|textbf|mathrm|mbox)\s*+\{([^{}]*+)\}")
_DEGREES = re.compile(r"\^ ?(?:\\circ\b|\{ ?\\circ ?\})|°")
_SQUARED = re.compile(r"(?<= )([A-Za-z]++) ?\^ ?(?:([23])|\{([23])\}) ?\.?$")
_UNIT_WORD = r"(?:m/s|[A-Za-z]{2,}+/[A-Za-z]++|[A-Za-z]{2,}+[²³]?|[mgsL][²³]?(?![A-Za-z])|a(?=\ [A-Za-z]))"
_NUMERAL = re.compile(
    rf"""(?P<sign>[-+]?)\ ?(?P<currency>[$€£¥₹]?)\ ?(?P<late_sign>[-+]?)
        (?:(?P<mixed>[0-9]++)\ (?=[0-9]++\ ?/))?+
        (?P<whole>[0-9]{{1,3}}(?:,[0-9]{{3}})++ | [0-9]{{1,3}}(?:\ [0-9]{{3}})++ | [0-9]*+) (?P<part>\.[0-9]++)?+
        (?:[eE](?P<exponent>[-+]?[0-9]++) | \ ?/\ ?(?P<over>[0-9]++))?+
        \ ?(?P<percent>%|percent\b)?+\ ?(?P<late_currency>[$€£¥₹]?)
        (?P<words>(?:km|cm|mm|kg|mg|lbs?|oz|ft|mph)[²³]?(?![A-Za-z]) | (?:\ {_UNIT_WORD})++)?+\ ?[.,;]?""",
    re.VERBOSE,
)
"""Of text without a blank beside a blank: then no part of it can be matched in many ways, and it is linear."""
_LETTERED = re.compile(r"[-+]?[$€£¥₹]?[0-9][0-9.,]*+ ?[kKMBcdghlmost]\.?")
"""A letter behind a number: a factor, a variable, or one of the units that Math-Verify drops even from `5t`."""
_DROPPED = re.compile(r"\A[^=,<>]*[0-9})][cdghlmost]\Z")
"""A last variable that Math-Verify drops as if it were a unit, unless braces stand around."""
_APART = re.compile(r"[0-9] [0-9]")
_NOT_UNITS = re.compile(
    r"""\b(?:and|or|but|nor|to|by|over|under|of|plus|minus|negative|positive|times|twice|thrice|double|triple|divided|mod
        |pi|half|halves|thirds?|quarters?|hundreds?|thousands?|millions?|billions?|trillions?|lakhs?|crores?|dozens?
        |(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|[a-z]+teen|[a-z]+tie|hundred|thousand|million|billion)ths?
        |one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|score|squared|cubed|root|sqrt|factorial
        |percent|percentage|infinity|more|less|fewer|least|most|than|above|below|between|not|no|never|cannot|[a-z]+n't
        |neither|without|except|wrong|incorrect|false|unless|if|increased?|decreased?|off|discount|loss|debt|deficit
        |short|base|step|problem|question|exercise|page)(?![A-Za-z'])""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words beside a number that change it, `5 million`: not read, and not guessed. Behind it, others are its unit."""
_ABOUT = frozenset({"about", "around", "approximately", "approx", "roughly", "nearly", "almost"})
_WORD = re.compile(r"[A-Za-z]++(?:'[a-z]++)?[,:]?")
_SENSELESS = frozenset({"a", "an", "the", "in", "total", "altogether", "overall", "left", "remaining", "now", "only"})
_UNITS = {
    **{"$": "dollar", "usd": "dollar", "€": "euro", "eur": "euro", "£": "pound", "gbp": "pound", "¥": "yen"},
    **{"₹": "rupee", "inr": "rupee", "feet": "foot", "ft": "foot", "inches": "inch", "hr": "hour", "min": "minute"},
    **{"sec": "second", "s": "second", "mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer"},
    **{"metre": "meter", "kilometre": "kilometer", "centimetre": "centimeter", "g": "gram", "kg": "kilogram"},
    **{"lb": "pound", "oz": "ounce", "l": "liter", "litre": "liter"},
}
"""Other ways to write a unit. None is converted into another."""
_MONEY = frozenset({"dollar", "euro", "pound", "yen", "rupee"})
_COMMAND = re.compile(r"\\(?:begin|end)\{[a-z*]*+\}|\\[A-Za-z]++")
_PLAIN_WORD = re.compile(r"[A-Za-z]{3,}+|\bno\b", re.IGNORECASE)
_ONLY_WORDS = re.compile(r"[A-Za-z',;:! -]++")
_CHOICE = re.compile(r"\(?([A-Za-z])\)?")
_MATHEMATICS = frozenset(
    {
        *("sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "arccot", "arcsec", "arccsc", "sinh"),
        *("cosh", "tanh", "log", "exp", "lim", "max", "min", "sup", "inf", "gcd", "lcm", "det", "mod", "sqrt", "frac"),
        *("alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "sigma", "omega", "phi", "psi", "abs"),
        *("infinity", "infty", "and"),
    }
)
"""Runs of three letters and more that Math-Verify does not take for a product of variables."""
_NOTHING = frozenset({"no", "not", "none", "never", "nothing", "undefined", "empty", "impossible", "nonexistent"})


class Numeral(NamedTuple):
    """A plain number as it was written. `value` is None if it is not read, and `why` says why not."""

    value: Fraction | None
    percent: bool = False
    quotient: bool = False
    unit: str = ""
    about: bool = False
    written: str = ""
    """As Math-Verify can read it: without unit, currency and the blanks inside."""
    why: str = ""

    def __str__(self) -> str:
        return f"{self.value}{'%' if self.percent else ''}"


class _Case(NamedTuple):
    """A row with its ruling, or with the pair that the referee is to judge."""

    row: Row
    found: Extract | None
    ruling: Ruling | None
    pair: Pair
    milliseconds: float


class Verify(Stage):
    """One verdict for each attempt. A pair that ends its verifier twice is quarantined; a broken verifier raises."""

    table: ClassVar[pa.Schema] = verdicts.SCHEMA
    version: ClassVar[int] = 1

    markers: tuple[str, ...] = MARKERS
    """What opens the line of the final answer, in responses and in golds that are whole solutions; GSM8K's is `A:`."""
    deadline: float = Field(default=referee.DEADLINE, gt=0, le=3600)
    """Seconds Math-Verify may take for a pair before the verdict is `timeout`."""
    library: str = Field(default_factory=referee.library)
    """Library and version behind the verdicts: another version may judge otherwise, so it is another stage."""

    @field_validator("library")
    @classmethod
    def _installed(cls, library: str) -> str:
        if complaint := _complaint(library):
            raise ValueError(complaint)
        return library

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Quarantine]:
        """One verdict, in the order of `batch`, for each row of `schemas.attempts`. Raises `VerifierBroken`."""
        if complaint := _complaint(self.library):  # a worker need not have what the machine it was asked on has
            raise VerifierBroken(f"{self.name()} {complaint}")
        for start in range(0, len(batch), CHUNK):
            cases = [self._look(row) for row in batch[start : start + CHUNK]]
            rulings = iter(referee.judge([case.pair for case in cases if case.ruling is None], self.deadline))
            for case in cases:
                yield self._outcome(case, case.ruling or next(rulings))

    def _look(self, row: Row) -> _Case:
        began = time.perf_counter()
        found = extract(row["response"], self.markers)
        gold = gold_answer(row["answer"], self.markers)
        answer = found.text if found else ""
        ruling = compare(gold, answer) if found else Ruling("unparseable", "no_answer")
        pair = Pair(gold, answer) if ruling else Pair(bare(gold)[0], bare(answer)[0])
        return _Case(row, found, ruling, pair, (time.perf_counter() - began) * 1e3)

    def _outcome(self, case: _Case, ruling: Ruling | Failure) -> Row | Quarantine:
        if isinstance(ruling, Failure):
            return Quarantine(case.row, "verifier_died", ruling.error, ruling.attempts)
        return {
            "row_id": case.row["row_id"],
            "verdict": ruling.verdict,
            "rule": ruling.rule,
            "found_by": case.found.found_by if case.found else None,
            "gold_parsed": ruling.gold_parsed,
            "answer_parsed": ruling.answer_parsed,
            "verifier": "questmill.ladder",
            "verifier_version": f"{self.version} with {self.library}",
            "milliseconds": case.milliseconds + ruling.milliseconds,
        }


def gold_answer(text: str, markers: Sequence[str] = MARKERS) -> str:
    """The answer in a gold that is a whole solution (boxed, hash or marked), else all of it."""
    found = extract(text, markers)
    return found.text if found and found.found_by in EXPLICIT else text.strip()


def _complaint(library: str) -> str:
    """What is wrong with `library`; empty if it is the installed one."""
    installed = referee.library()
    if library == installed:
        return ""
    return f"was asked for {library}, but this machine has {installed}; install the former"


def compare(gold: str, answer: str) -> Ruling | None:
    """What can be said without Math-Verify: too long, two plain numbers, or words. None: ask it about the `bare` texts.

    Math-Verify drops units and reads a word as a product of its letters, so it is asked about neither.
    """
    if not gold:
        return Ruling("unparseable", "gold_unparseable")
    if len(gold) > LONGEST:
        return Ruling("unparseable", "gold_too_long")
    if len(answer) > LONGEST:
        return Ruling("unparseable", "too_long")
    left, right = number(gold), number(answer)
    if left and right and (ruling := _numbers(left, right)):
        return ruling
    return _texts(gold, answer) or _unread(left, right, gold, answer)


def _numbers(gold: Numeral, answer: Numeral) -> Ruling | None:
    """Exact comparison; None where the writing leaves room: 1/3 and 0.33, 20% and 0.2. A unit may be left out."""
    if gold.value is None or answer.value is None:
        return None
    parsed = (str(gold)[:PRINTED], str(answer)[:PRINTED])
    if gold.unit and answer.unit and gold.unit != answer.unit:
        return Ruling("unparseable", "units_differ", *parsed)
    equal = gold.value == answer.value
    if gold.percent and not answer.percent:
        return None
    if not equal and (gold.about or answer.about):
        return Ruling("unparseable", "words", *parsed)
    if not equal and (gold.percent != answer.percent or gold.quotient or answer.quotient):
        return None
    return Ruling("correct" if equal else "wrong", "number", *parsed)


def _texts(gold: str, answer: str) -> Ruling | None:
    """Whether both are the same text but for case, units, a plural, the point at the end, or are different words."""
    parsed = (gold[:PRINTED], answer[:PRINTED])
    if gold == answer:
        return Ruling("correct", "identical", *parsed)
    (left, unit), (right, other) = bare(gold), bare(answer)
    if unit and other and unit != other:
        return Ruling("unparseable", "units_differ", *parsed)
    left_text, right_text = _folded(left), _folded(right)
    if left_text and left_text == right_text:
        return Ruling("correct", "text", *parsed)
    left_words, right_words = set(left_text.split()), set(right_text.split())
    if not (_wordy(left) and _wordy(right)) or not (_only_words(left) and _only_words(right)):
        return None
    if left_words <= right_words or right_words <= left_words or (left_words & _NOTHING and right_words & _NOTHING):
        return Ruling("unparseable", "words", *parsed)  # `yes` and `yes, it is`; `none` and `no solution`
    return Ruling("wrong", "text", *parsed)


def _unread(left: Numeral | None, right: Numeral | None, gold: str, answer: str) -> Ruling | None:
    """Why Math-Verify must not be asked about two texts that differ; None: it may be."""
    whys = [numeral.why for numeral in (left, right) if numeral and numeral.why]
    if whys and (whys[0] != "number_letter" or (left and right)):  # 18k may be a product where no number is expected
        return Ruling("unparseable", whys[0])
    texts = [bare(text)[0] for text in (gold, answer)]
    if any(_wordy(text) for text in texts):
        return Ruling("unparseable", "words")
    if any(_APART.search(_unwrapped(text)) for text in texts):
        return Ruling("unparseable", "digits_apart")
    return None


def number(text: str) -> Numeral | None:
    """`text` (at most `LONGEST` characters) as a plain number with sign, currency, `%`, unit, amid words; or None.

    By convention 20% is the answer to a gold of 20, for the question asked for percent. `1 1/2` is 1.5.
    """
    text = _unwrapped(text)
    before: list[str] = []
    match = _NUMERAL.fullmatch(text)
    if not _has_digits(match):
        before, rest = _sentence(text)
        match = _NUMERAL.fullmatch(rest) if before else None
    if match is None or not _has_digits(match) or (match["sign"] and match["late_sign"]):
        return Numeral(None, why="number_letter") if _LETTERED.fullmatch(text) else None
    words = match["words"] or ""
    if _NOT_UNITS.search(" ".join([*before, words])):
        return Numeral(None, why="number_words")
    return _read(match, before, _unit(words, match["currency"] or match["late_currency"] or _money(before)))


def _has_digits(match: re.Match[str] | None) -> bool:
    return match is not None and bool(match["whole"] or match["part"])


def _sentence(text: str) -> tuple[list[str], str]:
    """The words before the first numeral, and the rest; no words where one of them may be a variable or a function."""
    tokens = text.split()
    at = next((at for at, token in enumerate(tokens) if any("0" <= sign <= "9" for sign in token)), 0)
    before = [token.rstrip(",:").casefold() for token in tokens[:at] if _WORD.fullmatch(token)]
    plain = any(len(word) > 2 for word in before) and all(len(word) > 1 or word == "a" for word in before)
    if len(before) < at or not plain or not _MATHEMATICS.isdisjoint(before):
        return [], text
    return before, " ".join(tokens[at:])


def _read(match: re.Match[str], before: Sequence[str], unit: str) -> Numeral | None:
    """The value of a numeral; None for a division by zero."""
    exponent, over, mixed = match["exponent"] or "0", match["over"] or "1", match["mixed"]
    if len(exponent) > 5 or abs(int(exponent)) > LARGEST_EXPONENT:
        return Numeral(None, why="too_large")
    if not int(over):
        return None
    whole, part = match["whole"].replace(",", "").replace(" ", ""), match["part"] or ""
    if mixed and (part or not 0 < int(whole) < int(over) or whole.startswith("0")):
        return Numeral(None, why="digits_apart")
    value = Fraction(f"{whole or '0'}{part}e{exponent}") / int(over) + int(mixed or 0)
    minus = "-" if "-" in (match["sign"], match["late_sign"]) else ""
    digits = str(value) if mixed else whole + part + (f"e{exponent}" if match["exponent"] else "")
    written = minus + digits + (f"/{over}" if match["over"] and not mixed else "") + (r"\%" if match["percent"] else "")
    about = not _ABOUT.isdisjoint(before)
    return Numeral(-value if minus else value, bool(match["percent"]), match["over"] is not None, unit, about, written)


def _money(words: Sequence[str]) -> str:
    """The currency named before a number, `USD 18`; empty if there is none."""
    return next((word for word in words if _UNITS.get(word, word) in _MONEY and len(word) == 3), "")


def _unit(words: str, currency: str = "") -> str:
    """A unit in one of the ways to write it. What follows money says what it is for, unless it is a rate."""
    if words.strip().casefold() == "in":
        return "inch"
    names = [_singular(word) for word in words.casefold().split() if word not in _SENSELESS]
    for prefix, power in (("square", "²"), ("sq", "²"), ("cubic", "³")):
        if len(names) > 1 and names[0] == prefix:
            names = [names[1] + power, *names[2:]]
    if currency and not (names and names[0] in _MONEY):
        names = [_UNITS[currency], *names]
    if names and names[0] in _MONEY:
        names = [names[0], *names[names.index("per") :]] if "per" in names else names[:1]
    return " ".join(names)


def _singular(word: str) -> str:
    """`word` without power sign and plural s, by the name in `_UNITS` if it has one."""
    stem = word.rstrip("²³")
    if stem not in _UNITS and len(stem) > 2 and stem.endswith("s") and not stem.endswith("ss"):
        stem = stem[:-1]
    return _UNITS.get(stem, stem) + word[len(word.rstrip("²³")) :]


def bare(text: str) -> tuple[str, str]:
    r"""`text` without the unit at its end, and that unit: `\frac{1}{2}` and `cup` of `\frac{1}{2}\text{ cups}`."""
    if len(text) > LONGEST:
        return text, ""
    if (numeral := number(text)) and numeral.value is not None:
        return numeral.written, numeral.unit
    tokens = _unwrapped(text).split()
    end = len(tokens)
    while end and re.fullmatch(r"[A-Za-z]{2,}[²³]?\.?", tokens[end - 1]):
        end -= 1
    head, words = " ".join(tokens[:end]), " ".join(tokens[end:]).rstrip(".")
    if not words or not re.search("[0-9]", head) or _NOT_UNITS.search(words) or words in _MATHEMATICS:
        plain = _unwrapped(text)
        return ("{" + plain + "}" if _DROPPED.search(plain) else text), ""
    return head, _unit(words)


def _wordy(text: str) -> bool:
    r"""Whether a word stands in it: three letters outside of commands, or two inside of `\text{}`."""
    words = [word for inside in _TEXT.findall(text) for word in re.findall("[A-Za-z]{2,}", inside)]
    words += _PLAIN_WORD.findall(_COMMAND.sub(" ", _TEXT.sub(" ", text)))
    return any(word.casefold() not in _MATHEMATICS and word.casefold() not in ("pi", "or", "ln") for word in words)


def _only_words(text: str) -> bool:
    return _ONLY_WORDS.fullmatch(_unwrapped(text).rstrip(". ")) is not None


def _folded(text: str) -> str:
    """What is compared as text: words without case, plural, article and stops; anything else without blanks."""
    plain = _unwrapped(text).rstrip(". ")
    if choice := _CHOICE.fullmatch(plain):
        return choice[1].casefold()
    if not _wordy(text):
        return plain.replace(" ", "")
    words = [word.strip(",;:!").casefold() for word in plain.split()]
    return " ".join(_singular(word) for word in words if word not in ("a", "an", "the"))


def _unwrapped(text: str) -> str:
    """`text` without the signs around and inside a number that only set it nicely, and no blank beside a blank."""
    text = text.strip()
    for left, right in _WRAPPINGS:
        if len(text) > len(left + right) and text.startswith(left) and text.endswith(right):
            text = text[len(left) : -len(right)].strip()
    text = THOUSANDS.sub(",", text).replace("\\$", "$").replace("\\%", "%").replace("\N{MINUS SIGN}", "-")
    text = _DEGREES.sub(" degrees", _SPACING.sub(" ", _TEXT.sub(r" \1", text)))
    return _SQUARED.sub(_power, " ".join(text.split()))


def _power(match: re.Match[str]) -> str:
    return match[1] + ("²" if "2" in (match[2], match[3]) else "³")
