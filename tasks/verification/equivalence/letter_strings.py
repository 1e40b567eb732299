"""Compares strings of capital letters as texts, in which the order counts: `HT` and `TH`, `A C B` and `A B C`."""

import re
from collections.abc import Sequence

from tasks.verification.equivalence.question_hints import QuestionHints
from tasks.verification.math_verify.verdict import Verdict

# matches all of "HT", "A C B", "D E F", not of "A", "A, B", "Ab", "A + B"
_STRING = re.compile(r"[A-Z](?: ?[A-Z]){1,29}")
# matches all of "A, C, D", "A and D", "A,C", not of "ACD", "A"
_LIST = re.compile(r"[A-Z](?:(?: ?, ?(?:and |or )?| and | & )[A-Z]){1,29}")
_LETTER = re.compile("[A-Z]")


def compare_letter_strings(gold: str, answer: str, hints: QuestionHints) -> Verdict | None:
    """The verdict on two strings of letters, or on one and a list of letters; None if they are something else."""
    strings = [_STRING.fullmatch(text) is not None for text in (gold, answer)]
    if not any(strings) or not all(
        is_string or _LIST.fullmatch(text) for is_string, text in zip(strings, (gold, answer), strict=True)
    ):
        return None
    left, right = _LETTER.findall(gold), _LETTER.findall(answer)
    if left == right:
        return Verdict("correct", "text", gold, answer)
    if sorted(left) == sorted(right) and (not all(strings) or _may_be_product(left, hints)):
        return Verdict("unparseable", "order", gold, answer)
    return Verdict("wrong", "text", gold, answer)


def _may_be_product(letters: Sequence[str], hints: QuestionHints) -> bool:
    """Whether the letters stand for quantities in the question, so that their order may not count."""
    return hints.asks_expression or set(letters) <= hints.letters


def compare_case(gold: str, answer: str, hints: QuestionHints) -> Verdict | None:
    """The verdict on two single letters of which one is a capital. Only letters of choices have no case."""
    if len(gold) != 1 or len(answer) != 1 or gold == answer or gold.casefold() != answer.casefold():
        return None
    if not gold.isalpha():
        return None
    is_choice = bool(hints.options) or (gold.casefold() in "abcd" and not {gold, answer} & hints.letters)
    return Verdict("correct", "choice", gold, answer) if is_choice else Verdict("unparseable", "case", gold, answer)
