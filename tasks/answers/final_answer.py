"""Finds the final answer of a solution, and makes the key by which answers are compared."""

import contextlib

from tasks.base.ask import find_tagged_line
from tasks.verification.equivalence.answer_shapes import Scalar
from tasks.verification.equivalence.compare import CLOCK_TIME, parse_answer
from tasks.verification.equivalence.number_parser import MAX_ANSWER_CHARACTERS
from tasks.verification.extraction.rules import EXPLICIT_RULES, extract

ANSWER_PREFIX = "####"
"""Opens the last line of a solution; the answer follows it."""


def final_answer(text: str) -> str | None:
    """The final answer of a solution, as written but without its box; None if it states none."""
    tagged = find_tagged_line(text, ANSWER_PREFIX)
    if tagged is not None and "\\boxed" not in tagged:
        return tagged or None
    extraction = extract(text if tagged is None else tagged)
    return (
        extraction.text or None
        if extraction is not None and extraction.found_by in {*EXPLICIT_RULES, "answer_is"}
        else tagged or None
    )


def answer_key(answer: str) -> str:
    """The key by which answers to the same question are compared: the value of a number, or a text without its form.

    A possible time of day (`2:30`) and a number of thousands of digits (`10^{9000}`) are treated as texts.
    """
    plain = " ".join(answer.lower().split())
    if len(answer) > MAX_ANSWER_CHARACTERS or CLOCK_TIME.fullmatch(plain):
        return plain
    reading = parse_answer(answer)
    if reading.numeral is not None and reading.numeral.value is not None:
        return str(reading.numeral)
    if isinstance(reading.shape, Scalar) and (value := reading.shape.value.rational) is not None:
        with contextlib.suppress(ValueError):  # Python writes no integer of more than 4,300 digits
            return str(value)
    return ("" if not reading.has_words else " ").join(reading.text_and_unit[0].lower().split())
