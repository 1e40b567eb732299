"""Chooses the type of an answer by its gold and by the details that its row has."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from tasks.verification.answer_types import number
from tasks.verification.answer_types.options import Options, find_labels, read_options_in
from tasks.verification.answer_types.text_forms import is_words, undress
from tasks.verification.equivalence.text_normalization import AFFIRMATIVE_WORDS, MATH_NAMES, NEGATIVE_WORDS

TYPES_BY_DETAIL: Mapping[str, str] = {
    **dict.fromkeys(("options", "choices", "index_base"), "choice"),
    **dict.fromkeys(("tests", "test_list", "entry_point"), "code"),
    **dict.fromkeys(("schema", "json_schema"), "json"),
    **dict.fromkeys(("tools", "functions"), "call"),
    **dict.fromkeys(("constraints", "instruction_id_list"), "constraints"),
    **dict.fromkeys(("fixture", "fixtures"), "sql"),
    **dict.fromkeys(("checker",), "program"),
    **dict.fromkeys(number.DETAILS, "number"),
    **dict.fromkeys(("aliases",), "text"),
}
"""The type that a detail tells, the most telling details first."""
# matches all of "C", "(B)", "A, C", "ACD", "b", not of "cat", "AB1", "x"
_LETTERS = re.compile(r"\(?[A-Ja-j]\)?(?:(?:\s*,\s*|\s+and\s+)?\(?[A-J]\)?)*")
_PLAIN_WORD = re.compile(r"[^\W\d_]{3,}")
_MATH_WORDS = (
    NEGATIVE_WORDS
    | AFFIRMATIVE_WORDS
    | MATH_NAMES
    | {
        *("solution", "solutions", "infinite", "infinitely", "even", "odd", "increasing", "decreasing", "real"),
        *("all", "prime", "rational", "irrational", "converges", "diverges", "convergent", "divergent", "or", "exist"),
        *("parabola", "hyperbola", "ellipse", "circle", "line", "always", "true", "false", "integers", "numbers"),
    }
)
"""Words that `math` reads better than `text`: it knows that `no solution` is the empty set."""


class ChosenType(NamedTuple):
    """An answer type and why it was chosen."""

    answer_type: str
    reason: str


def choose_type(question: str, gold: str, details: Mapping[str, Any], known: Collection[str]) -> ChosenType:
    """The type of an answer, one of `known`: by the details, then by the gold; `math` if nothing tells another."""
    gold = gold.strip()
    for detail, answer_type in TYPES_BY_DETAIL.items():
        if answer_type in known and details.get(detail) not in (None, "", [], {}):
            return ChosenType(answer_type, f"{answer_type}_{detail}")
    if "choice" in known and (options := read_options_in(question)) and _names_option(gold, options):
        return ChosenType("choice", "choice_question")
    if "json" in known and _is_json_object(gold):
        return ChosenType("json", "json_gold")
    if "text" in known and _is_plain_text(gold):
        return ChosenType("text", "text_gold")
    return ChosenType("math", "math")


def _names_option(gold: str, options: Options) -> bool:
    """Whether the gold is a letter of an option, or words that are one. A number may be the answer itself."""
    labels = {option.label for option in options}
    plain = undress(gold)
    if _LETTERS.fullmatch(plain):
        return set(re.findall("[A-J]", plain.upper())) <= labels
    return bool(is_words(gold) and find_labels(gold, options))


def _is_json_object(gold: str) -> bool:
    """Whether the gold is a JSON object, or a list that holds one. A list of numbers may be mathematics."""
    if not gold.startswith(("{", "[")):
        return False
    try:
        value = json.loads(gold)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(part, dict) for part in value))


def _is_plain_text(gold: str) -> bool:
    """Whether the gold is made of words, none of which has a meaning in mathematics."""
    plain = undress(gold)
    words = set(plain.casefold().split())
    if not is_words(gold) or any(sign.isdigit() for sign in plain) or "(" in plain:
        return False
    is_latin = plain.isascii()
    return words.isdisjoint(_MATH_WORDS) and (not is_latin or _PLAIN_WORD.search(plain) is not None)
