"""The twelve types of error in a solution, in words of our own, and the six that are injected."""

from collections.abc import Mapping
from typing import Literal, get_args

ErrorType = Literal[
    "calculation",
    "counting",
    "question_misinterpretation",
    "formula_confusion",
    "confusing_concept",
    "missing_step",
    "context_value",
    "contradictory_step",
    "unit_conversion",
    "operator",
    "hallucination",
    "nonsense",
]
"""The types of LEMMA (arXiv:2503.17439, table 12), which extends those of Li et al. (ACL Findings 2024)."""

InjectableType = Literal[
    "calculation",
    "counting",
    "question_misinterpretation",
    "formula_confusion",
    "confusing_concept",
    "missing_step",
]
"""The types that a teacher injects (section 3.3)."""

ERROR_TYPES: tuple[ErrorType, ...] = get_args(ErrorType)
INJECTABLE_TYPES: tuple[InjectableType, ...] = get_args(InjectableType)
MEANINGS: Mapping[ErrorType, str] = {
    "calculation": "the right operation on the right numbers, worked out to a wrong result",
    "counting": "things, cases or repetitions are counted wrongly, so that a number is too high or too low",
    "question_misinterpretation": "a condition of the question is overlooked, or what it asks for is taken for another",
    "formula_confusion": "a formula, rule or theorem is used where another one belongs, as area for perimeter",
    "confusing_concept": "one quantity is taken for a related one, as what is earned for what is gained",
    "missing_step": "a step that the result needs is left out; with it, the rest would be right",
    "context_value": "a number of the question is copied wrongly",
    "contradictory_step": "the step uses another value than the one that an earlier step found",
    "unit_conversion": "a unit is converted by a wrong factor, or in the wrong direction",
    "operator": "the right numbers are joined by one wrong operation, as plus for times",
    "hallucination": "something is used that neither the question says nor follows from it",
    "nonsense": "the step is no part of an argument: broken off, repeated or about something else",
}
"""What each type means, in the words of the instruction of `diagnose`."""


def parse_error_type(text: str) -> ErrorType | None:
    """The error type in a text, in any case, with blanks or hyphens for underscores; None if it is not a type."""
    plain = text.strip(" .`*\"'").lower().replace("-", "_").replace(" ", "_").removesuffix("_error")
    return next((known for known in ERROR_TYPES if known == plain), None)
