"""Translates instruction ids and arguments of the benchmark IFEval into constraints."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

_RELATIONS = {"at least": "at_least", "less than": "less_than", "at most": "at_most", "more than": "more_than"}

Arguments = Mapping[str, Any]
Fields = list[dict[str, Any]]
"""The constraints that one id stands for, as a row would state them."""


def _limit(arguments: Arguments, number: str, relation: str = "relation") -> dict[str, Any]:
    """A number with its relation. Raises `KeyError`."""
    return {_RELATIONS[arguments[relation]]: arguments[number]}


INSTRUCTIONS: Mapping[str, Callable[[Arguments], Fields]] = {
    "keywords:existence": lambda a: [{"kind": "includes", "keywords": a["keywords"]}],
    "keywords:forbidden_words": lambda a: [{"kind": "excludes", "keywords": a["forbidden_words"]}],
    "keywords:frequency": lambda a: [{"kind": "keyword_count", "keyword": a["keyword"], **_limit(a, "frequency")}],
    "keywords:letter_frequency": lambda a: [
        {"kind": "letter_count", "letter": a["letter"], **_limit(a, "let_frequency", "let_relation")}
    ],
    "language:response_language": lambda a: [{"kind": "language", "language": a["language"]}],
    "length_constraints:number_words": lambda a: [{"kind": "words", **_limit(a, "num_words")}],
    "length_constraints:number_sentences": lambda a: [{"kind": "sentences", **_limit(a, "num_sentences")}],
    "length_constraints:number_paragraphs": lambda a: [
        {"kind": "paragraphs", "separator": "***", "exactly": a["num_paragraphs"]}
    ],
    "length_constraints:nth_paragraph_first_word": lambda a: [
        {
            "kind": "paragraph_first_word",
            "paragraphs": a["num_paragraphs"],
            "nth": a["nth_paragraph"],
            "word": a["first_word"],
        }
    ],
    "detectable_content:number_placeholders": lambda a: [{"kind": "placeholders", "at_least": a["num_placeholders"]}],
    "detectable_content:postscript": lambda a: [{"kind": "postscript", "marker": a["postscript_marker"]}],
    "detectable_format:number_bullet_lists": lambda a: [{"kind": "bullets", "exactly": a["num_bullets"]}],
    "detectable_format:constrained_response": lambda a: [{"kind": "one_of"}],
    "detectable_format:number_highlighted_sections": lambda a: [
        {"kind": "highlights", "at_least": a["num_highlights"]}
    ],
    "detectable_format:multiple_sections": lambda a: [
        {"kind": "sections", "marker": a["section_spliter"], "at_least": a["num_sections"]}
    ],
    "detectable_format:json_format": lambda a: [{"kind": "json"}],
    "detectable_format:title": lambda a: [{"kind": "title"}],
    "combination:two_responses": lambda a: [{"kind": "two_responses"}],
    "combination:repeat_prompt": lambda a: [{"kind": "repeat_prompt", "prompt": a["prompt_to_repeat"]}],
    "startend:end_checker": lambda a: [{"kind": "ends_with", "phrase": a["end_phrase"]}],
    "startend:quotation": lambda a: [{"kind": "quoted"}],
    "change_case:capital_word_frequency": lambda a: [
        {"kind": "capital_words", **_limit(a, "capital_frequency", "capital_relation")}
    ],
    "change_case:english_capital": lambda a: [{"kind": "upper_case"}, {"kind": "language", "language": "en"}],
    "change_case:english_lowercase": lambda a: [{"kind": "lower_case"}, {"kind": "language", "language": "en"}],
    "punctuation:no_comma": lambda a: [{"kind": "no_comma"}],
}
"""The constraints of each id of IFEval. Facts of the benchmark are its ids and the names of its arguments alone."""


def translate_instructions(ids: Any, arguments: Any) -> Fields:
    """The constraints of a row of IFEval. Arguments that hold nothing are left out. Raises `ValueError`."""
    if not isinstance(ids, Sequence) or not isinstance(arguments, Sequence) or len(ids) != len(arguments):
        raise ValueError("instruction_id_list and kwargs are lists of one length")
    fields: Fields = []
    for name, each in zip(ids, arguments, strict=True):
        if name not in INSTRUCTIONS:
            raise ValueError(f"{name!r} is no instruction of IFEval; known are {', '.join(INSTRUCTIONS)}")
        try:
            given = {key: value for key, value in (each or {}).items() if value is not None}
            fields += INSTRUCTIONS[name](given)
        except (KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"the arguments of {name} are incomplete: {error}") from None
    return fields
