"""Finds golds with which no answer can be compared: those that are prose, and those that cannot be read.

It reads the gold alone, as `answer_match` does. A gold of a word or a few, such as `Tuesday`, is compared as a text,
and `She has 3 apples` as a number: they have no fault.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from tasks.verification.equivalence.compare import compare, parse_answer
from tasks.verification.equivalence.number_parser import MAX_ANSWER_CHARACTERS
from tasks.verification.extraction.patterns import PROSE_WORD
from tasks.verification.extraction.rules import MARKERS, is_placeholder
from tasks.verification.math_verify import pool
from tasks.verification.math_verify.verdict import Pair, Verdict
from tasks.verification.verify import extract_gold

PROBE = "0"
"""Answer with which a gold is compared. It can be read, so a comparison that fails is the fault of the gold."""
UNREADABLE_RULES = frozenset(
    {
        *("gold_unparseable", "gold_too_long", "too_deep", "verifier_died", "dots", "derivative", "set_builder"),
        *("digits_apart", "thousands", "vector"),
    }
)
"""Rules of verdicts on a readable answer that only a gold which cannot be read has."""
MISSING_VALUES = ("n/a", "nan", "null", "tbd", "todo")
"""What files hold in lower case where an answer is missing."""
LONG_TEXT_WORDS = 6
"""Number of words from which on a gold is prose whatever they are. No gold of MATH has more than two."""
COMPARED_CHARACTERS = 200
"""Longest prose that is compared with the probe, since it may be a number with a long unit."""
SENTENCE_WORDS = frozenset(
    {
        *("is", "are", "was", "were", "has", "have", "had", "will", "would", "can", "could", "should", "must", "does"),
        *("do", "did", "equals", "gives", "makes", "gets", "costs", "takes", "needs", "means", "leaves", "because"),
        *("since", "therefore", "so", "thus", "hence", "then", "he", "she", "they", "his", "her", "their", "this"),
    }
)
"""Words that make a sentence of a text: with one of them and a number, a gold is prose even if it is short."""


class GoldFault(NamedTuple):
    """Why no answer can be compared with a gold."""

    doubt: Literal["prose", "unreadable"]
    reason: str
    """Why it cannot be compared: a rule of the verifier such as `words`, `placeholder`, or the name of an error."""


def find_faults(golds: Sequence[str], markers: Sequence[str] = MARKERS) -> list[GoldFault | None]:
    """The fault of each gold, in order; None: it has none. Golds may be whole solutions that mark their answer.

    Golds that our rules cannot read are given to Math-Verify, which may take `pool.DEADLINE_SECONDS` of CPU time for
    each. A gold for which it takes longer has no fault. Raises `VerifierBroken` if Math-Verify cannot run.
    """
    faults: list[GoldFault | None] = []
    left = dict[int, Pair]()
    for number, gold in enumerate(golds):
        try:
            fault = _read(gold, markers)
        except Exception as error:  # whatever a gold does to the parser, it must not end the run
            fault = GoldFault("unreadable", type(error).__name__)
        if isinstance(fault, Pair):
            left[number] = fault
        faults.append(None if isinstance(fault, Pair) else fault)
    verdicts = pool.compare_pairs([*left.values()], pool.DEADLINE_SECONDS)
    for (number, pair), verdict in zip(left.items(), verdicts, strict=True):
        faults[number] = _find_fault(pair.gold, verdict)
    return faults


def is_prose(text: str) -> bool:
    """Whether a text is a long text, or a sentence around a number, such as `4, because 2 + 2 = 4`."""
    words = [word.casefold() for word in PROSE_WORD.findall(text[:MAX_ANSWER_CHARACTERS])]
    if len(words) >= LONG_TEXT_WORDS:
        return True
    return not SENTENCE_WORDS.isdisjoint(words) and any(sign.isdigit() for sign in text)


def _read(gold: str, markers: Sequence[str]) -> GoldFault | Pair | None:
    """The fault of a gold; a pair if only Math-Verify can say whether it has one."""
    answer = extract_gold(gold, markers)
    if len(answer) <= COMPARED_CHARACTERS:
        if answer and (answer.casefold() in MISSING_VALUES or is_placeholder(answer)):
            return GoldFault("unreadable", "placeholder")
    else:
        verdict = Verdict("unparseable", "words" if len(answer) <= MAX_ANSWER_CHARACTERS else "gold_too_long")
        if (fault := _find_fault(answer, verdict)) and fault.doubt == "prose":
            return fault
    verdict_on_probe = compare(answer, PROBE)
    if verdict_on_probe is None:
        return Pair(parse_answer(answer).text_and_unit[0], PROBE)
    return _find_fault(answer, verdict_on_probe)


def _find_fault(answer: str, verdict: Verdict) -> GoldFault | None:
    """What a verdict on the probe says of the gold `answer`. Texts are compared as texts unless they are prose."""
    if verdict.verdict in ("correct", "wrong"):
        return None
    if len(answer) <= MAX_ANSWER_CHARACTERS and parse_answer(answer).choice:
        return None
    if is_prose(answer):
        return GoldFault("prose", verdict.rule)
    return GoldFault("unreadable", verdict.rule) if verdict.rule in UNREADABLE_RULES else None
