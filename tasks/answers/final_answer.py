"""Finds the final answer of a solution, and makes the key by which answers are compared."""

import contextlib

from schemas.reasoning import split_reasoning
from tasks.verification.equivalence.answer_shapes import Scalar
from tasks.verification.equivalence.compare import CLOCK_TIME, parse_answer
from tasks.verification.equivalence.number_parser import MAX_ANSWER_CHARACTERS
from tasks.verification.extraction.boxes import find_boxes
from tasks.verification.extraction.rules import EXPLICIT_RULES, extract, find_all_hashes

ANSWER_PREFIX = "####"
"""Opens the last line of a solution; the answer follows it."""
ANSWER_RULES = frozenset({*EXPLICIT_RULES, "answer_is"})
"""Rules by which a solution states its final answer; the others guess."""


def final_answer(text: str) -> str | None:
    """The final answer of a solution, as written but without its box; None if it states none, or several that differ.

    It is read by the rules of the verifier. Rules that only guess, such as the last number, do not count.
    """
    _, reply, closed = split_reasoning(text)
    extraction = extract(reply) if closed else None
    if extraction is None or extraction.found_by not in ANSWER_RULES:
        return None
    if extraction.found_by == "hash" and len({answer_key(each) for each in find_all_hashes(reply)}) > 1:
        return None
    if extraction.found_by == "boxed" and len({answer_key(box) for box in _last_boxes(reply)}) > 1:
        return None
    return (extraction.boxes[-1] if len(extraction.boxes) > 1 else extraction.text) or None


def _last_boxes(reply: str) -> list[str]:
    """The contents of the boxes on the last line that has one."""
    boxes = find_boxes(reply)
    line = reply.rfind("\n", 0, boxes[-1].opening) + 1 if boxes else 0
    return [reply[box.start : box.end].strip() for box in boxes if box.opening >= line]


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
