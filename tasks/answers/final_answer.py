"""The final answer of a solution, and the key by which answers are compared."""

import contextlib

from tasks.base.ask import tagged_line
from tasks.verification.equivalence.answer_shapes import Scalar
from tasks.verification.equivalence.compare import CLOCK, read
from tasks.verification.equivalence.number_parser import LONGEST
from tasks.verification.extraction.rules import EXPLICIT, extract

ANSWER = "####"
"""Opens the last line of a solution, followed by the answer."""


def final_answer(text: str) -> str | None:
    """The answer that a solution ends in, as written and out of its box; None when it states none."""
    stated = tagged_line(text, ANSWER)
    if stated is not None and "\\boxed" not in stated:
        return stated or None
    found = extract(text if stated is None else stated)
    return found.text or None if found is not None and found.found_by in {*EXPLICIT, "answer_is"} else stated or None


def answer_key(answer: str) -> str:
    """The answer as it is compared with others of the same question: a number by its value, a text without its form.

    What may be a time of day (`2:30`) is a text, and so is a number of thousands of digits (`10^{9000}`).
    """
    plain = " ".join(answer.lower().split())
    if len(answer) > LONGEST or CLOCK.fullmatch(plain):
        return plain
    reading = read(answer)
    if reading.numeral is not None and reading.numeral.value is not None:
        return str(reading.numeral)
    if isinstance(reading.shape, Scalar) and (value := reading.shape.value.rational) is not None:
        with contextlib.suppress(ValueError):  # Python writes no integer of more than 4,300 digits
            return str(value)
    return ("" if not reading.wordy else " ").join(reading.bare[0].lower().split())
