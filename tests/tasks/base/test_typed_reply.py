"""A typed reply is read in whatever dress a model puts it, and what is ambiguous is not read."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import pytest

from tasks.base.typed_reply import TypedReply, find_labelled, find_objects, match_word, undress


class Topic(TypedReply):
    labels: ClassVar[Mapping[str, tuple[str, ...]]] = {"sure": ("sure", "certain")}
    synonyms: ClassVar[Mapping[str, tuple[str, ...]]] = {"no": ("not at all",)}

    topic: str
    sure: Literal["yes", "no"]
    level: int = 1


@pytest.mark.parametrize(
    "text",
    [
        "Topic: areas\nSure: yes",
        "**Topic:** areas\n**Certain**: Yes.",
        "## Topic\n\nareas\n\n## Sure\n\nyes",
        "Sure! Here it is.\n\n- Topic: areas\n- Sure: yes, I am\n\nLet me know!",
        '{"topic": "areas", "sure": "yes"}',
        'Here:\n```json\n{"Topic": "areas", "Sure": "Yes", "level": 1}\n```\nBye.',
        "<think>Topic: ages? Sure: no</think>Topic: areas\nSure: yes",
        r"Topic: areas" "\n" r"Sure: $\boxed{\text{yes}}$",
        "the topic is: areas\nI am.\nSURE - yes",
        "Topic\N{FULLWIDTH COLON} areas\nSure\N{FULLWIDTH COLON} yes",
        '{"topic": "areas", "sure": "yes"}\n{"topic": "areas", "sure": "yes"}',
    ],
)
def test_every_dress_is_taken_off(text: str) -> None:
    assert Topic.read(text) == Topic(topic="areas", sure="yes")


@pytest.mark.parametrize(
    "text",
    [
        "Topic: areas",
        "Topic: areas\nSure: yes or no",
        "Topic: areas\nSure: yes/no",
        "Topic: areas\nSure: perhaps",
        '{"topic": "areas", "sure": "yes"} or {"topic": "areas", "sure": "no"}',
        '{"topic": "areas", "level": "high", "sure": "yes"}',
        "<think>Topic: areas\nSure: yes",
        "The topic areas is sure, yes.",
    ],
)
def test_what_is_lacking_or_ambiguous_is_not_read(text: str) -> None:
    assert Topic.read(text) is None


def test_the_schema_lists_the_fields_in_order() -> None:
    schema = Topic.schema_of_reply()
    assert schema["required"] == ["topic", "sure", "level"]
    assert schema["properties"] == {
        "topic": {"type": "string"},
        "sure": {"type": "string", "enum": ["yes", "no"]},
        "level": {"type": "integer"},
    }


def test_a_word_is_matched_by_itself_or_by_a_synonym_and_never_by_a_part() -> None:
    words = {"yes": ("solvable",), "no": ("not solvable", "unsolvable")}
    found = [
        match_word(value, ("yes", "no"), words) for value in ("Solvable.", "not solvable", "unsolvable", "yesterday")
    ]
    assert found == ["yes", "no", "no", None]
    assert match_word("no, it is not solvable", ("yes", "no"), words) == "no"
    assert match_word("no, but solvable", ("yes", "no"), words) is None
    assert match_word("yes, so it is not solvable", ("yes", "no"), words) is None


def test_the_last_label_counts_and_a_label_within_a_sentence_does_not() -> None:
    labelled = find_labelled("Step: 1\nThe step: of two, say.\nStep: 3\nrest", ("step",))
    assert labelled is not None and (labelled.value, labelled.rest) == ("3", "rest")
    assert find_labelled("Mind the step of it", ("step",)) is None
    assert undress("> **a** `b` $$x$$\n```\n1. c") == "a b x\n\nc"


def test_objects_are_found_between_words_and_with_latex() -> None:
    text = r'First {not json} then {"a": "\frac{1}{2}", "b": {"c": 1}} and {"d": "}"}.'
    assert find_objects(text) == [{"a": r"\frac{1}{2}", "b": {"c": 1}}, {"d": "}"}]
    assert find_objects('{"a": ' * 1000) == []
