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
from pydantic import Field

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
_SPACING = re.compile(r"\\[!,;: ]|~")
_TEXT = re.compile(r"\\(?:text|textrm|textbf|mathrm|mbox)\{([^{}]*)\}")
_NUMERAL = re.compile(
    r"""(?P<sign>[-+]?) \s* [$€£¥₹]? \s* (?P<late_sign>[-+]?)
        (?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]*) (?P<part>\.[0-9]+)?
        (?:[eE](?P<exponent>[-+]?[0-9]+) | \s*/\s*(?P<over>[0-9]+))?
        \s* (?P<percent>%|percent\b)? \s* [$€£¥₹]?
        (?P<words>(?:\s+[A-Za-z]{2,})+)? \s* [.,;]?""",
    re.VERBOSE,
)
_NOT_UNITS = re.compile(
    r"""\b(?:and|or|to|by|over|under|of|plus|minus|times|divided|mod|pi|half|halves|thirds?|quarters?|hundreds?
        |thousands?|millions?|billions?|trillions?|dozens?|score|squared|cubed|root|sqrt|factorial|percent|percentage
        |infinity|more|less|fewer|least|most|than|not|base)\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words behind a number that change it, `5 million`: not read, and not guessed. Any other word is taken for a unit."""


class Numeral(NamedTuple):
    """A plain number as it was written. `value` is None if it is not read, and `why` says why not."""

    value: Fraction | None
    percent: bool = False
    quotient: bool = False
    unit: str = ""
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
    deadline: float = Field(default=referee.DEADLINE, gt=0)
    """Seconds Math-Verify may take for a pair before the verdict is `timeout`."""
    library: str = Field(default_factory=referee.library)
    """Library and version behind the verdicts: another version may judge otherwise, so it is another stage."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Quarantine]:
        """One verdict, in the order of `batch`, for each row of `schemas.attempts`. Raises `VerifierBroken`."""
        if self.library != (installed := referee.library()):
            raise VerifierBroken(
                f"{self.name()} was asked for {self.library}, but this machine has {installed}; install the former"
            )
        for start in range(0, len(batch), CHUNK):
            cases = [self._look(row) for row in batch[start : start + CHUNK]]
            rulings = iter(referee.judge([case.pair for case in cases if case.ruling is None], self.deadline))
            for case in cases:
                yield self._outcome(case, case.ruling or next(rulings))

    def _look(self, row: Row) -> _Case:
        began = time.perf_counter()
        found = extract(row["response"], self.markers)
        gold = gold_answer(row["answer"], self.markers)
        pair = Pair(gold, found.text if found else "")
        ruling = compare(*pair) if found else Ruling("unparseable", "no_answer")
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


def compare(gold: str, answer: str) -> Ruling | None:
    """What can be said without Math-Verify: too long, identical, or two plain numbers. None: ask it."""
    if not gold:
        return Ruling("unparseable", "gold_unparseable")
    if len(gold) > LONGEST:
        return Ruling("unparseable", "gold_too_long")
    if len(answer) > LONGEST:
        return Ruling("unparseable", "too_long")
    left, right = number(gold), number(answer)
    if left and right and (ruling := _numbers(left, right)):
        return ruling
    if gold == answer:
        return Ruling("correct", "identical", gold[:PRINTED], answer[:PRINTED])
    unread = (left.why if left else "") or (right.why if right else "")
    return Ruling("unparseable", unread) if unread else None


def _numbers(gold: Numeral, answer: Numeral) -> Ruling | None:
    """Exact comparison; None where the writing leaves room: 1/3 and 0.33, 20% and 0.2, a gold with a unit."""
    if gold.value is None or answer.value is None or gold.unit:
        return None
    equal = gold.value == answer.value
    if gold.percent and not answer.percent:
        return None
    if not equal and (gold.percent != answer.percent or gold.quotient or answer.quotient):
        return None
    parsed = (str(gold)[:PRINTED], str(answer)[:PRINTED])
    return Ruling("correct" if equal else "wrong", "number", *parsed)


def number(text: str) -> Numeral | None:
    """`text` (at most `LONGEST` characters) as a plain number with sign, currency, `%`, a unit in words; or None.

    By convention 20% is the answer to a gold of 20, for the question asked for percent.
    """
    match = _NUMERAL.fullmatch(_unwrapped(text))
    if match is None or not (match["whole"] or match["part"]) or (match["sign"] and match["late_sign"]):
        return None
    if _NOT_UNITS.search(match["words"] or ""):
        return Numeral(None, why="number_words")
    exponent, over = match["exponent"] or "0", match["over"] or "1"
    percent, unit = bool(match["percent"]), (match["words"] or "").strip()
    if len(exponent) > 5 or abs(int(exponent)) > LARGEST_EXPONENT:
        return Numeral(None, why="too_large")
    if not int(over):
        return None
    value = Fraction(f"{match['whole'].replace(',', '') or '0'}{match['part'] or ''}e{exponent}") / int(over)
    negative = "-" in (match["sign"], match["late_sign"])
    return Numeral(-value if negative else value, percent, match["over"] is not None, unit)


def _unwrapped(text: str) -> str:
    """`text` without the signs around and inside a number that only set it nicely."""
    text = text.strip()
    for left, right in _WRAPPINGS:
        if len(text) > len(left + right) and text.startswith(left) and text.endswith(right):
            text = text[len(left) : -len(right)].strip()
    text = THOUSANDS.sub(",", text).replace("\\$", "$").replace("\\%", "%").replace("\N{MINUS SIGN}", "-")
    return _SPACING.sub(" ", _TEXT.sub(r" \1", text)).strip()
