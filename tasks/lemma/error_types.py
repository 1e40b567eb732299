"""The twelve types of error in a solution, in words of our own, and the six that are injected."""

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


def parse_error_type(text: str) -> ErrorType | None:
    """The error type in a text, in any case, with blanks or hyphens for underscores; None if it is not a type."""
    plain = text.strip(" .`*\"'").lower().replace("-", "_").replace(" ", "_").removesuffix("_error")
    return next((known for known in ERROR_TYPES if known == plain), None)
