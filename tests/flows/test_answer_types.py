"""One file holds answers of several types: each row is checked by its type, and its details come from its columns."""

from pathlib import Path
from typing import Any

from infra.lake.store import Store
from tests.support.runs import Command, query, write_jsonl

OPTIONS = ["Sydney", "Melbourne", "Canberra"]


def make_rows(type_column: str) -> list[dict[str, Any]]:
    rows: list[tuple[str | None, str, str, dict[str, Any]]] = [
        ("choice", "C", "The answer is (C) Canberra.", {"options": OPTIONS}),
        ("choice", "2", "The answer is Canberra.", {"options": OPTIONS, "answer_details": {"index_base": 0}}),
        ("text", "Barack Obama", "The answer is Obama.", {"answer_details": {"aliases": ["Obama"]}}),
        ("number", "9.81", "So g is about 9.8.", {"answer_details": {"relative_tolerance": 0.01}}),
        ("number", "9.81", r"\boxed{10}", {}),
        (None, "1/2", r"\boxed{0.5}", {}),
        ("auto", "Paris", "Paris or London", {}),
        ("poem", "roses", "roses", {}),
    ]
    return [
        {"question": "?", "response": response, "answer": answer, type_column: answer_type} | more
        for answer_type, answer, response, more in rows
    ]


VERDICTS = [
    ("correct", "choice_letter", "questmill.choice"),
    ("correct", "choice_value", "questmill.choice"),
    ("correct", "alias", "questmill.text"),
    ("correct", "tolerance", "questmill.number"),
    ("wrong", "number", "questmill.number"),
    ("correct", "rational", "questmill.answer_match"),
    ("unparseable", "auto:text_gold:text_unsure", "questmill.text"),
    ("unparseable", "unknown_answer_type", "questmill.type"),
]


def test_rows_of_several_types_in_one_file_get_the_verdicts_of_their_types(command: Command, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    source = write_jsonl(tmp_path / "mixed.jsonl", make_rows("answer_type"))
    done = command("run", "verify", "--input", source, "--answer_type", "column", "--store", lake)
    assert done.code == 0, done.err
    found = query(Store(str(lake)), "SELECT verdict, rule, verifier FROM verified ORDER BY row_id")
    assert sorted(found) == sorted(VERDICTS)
    assert query(Store(str(lake)), "SELECT step FROM funnel ORDER BY position") == [
        ("seed",),
        ("check_answer_type",),
        ("attach_verdicts",),
    ]
    kept = query(Store(str(lake)), "SELECT answer_type, options FROM verified WHERE rule = 'choice_letter'")
    assert kept == [("choice", '["Sydney", "Melbourne", "Canberra"]')]


def test_the_column_of_types_may_have_another_name(command: Command, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    rows = [row | {"answer_type": "of the source"} for row in make_rows("kind")]
    source = write_jsonl(tmp_path / "mixed.jsonl", rows)
    words = ("--answer_type", "column", "--columns.answer_type", "kind", "--store", lake)
    done = command("run", "verify", "--input", source, *words)
    assert done.code == 0, done.err
    found = query(Store(str(lake)), "SELECT verdict, rule, verifier FROM verified ORDER BY row_id")
    assert sorted(found) == sorted(VERDICTS)
    assert query(Store(str(lake)), "SELECT DISTINCT input_answer_type FROM verified") == [("of the source",)]


def test_a_recipe_names_one_type_and_its_settings(command: Command, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    source = write_jsonl(tmp_path / "a.jsonl", [{"question": "?", "response": "It is 10.1", "answer": "10"}])
    words = ("--answer_type", "number", "--number.relative_tolerance", "0.02", "--store", lake)
    done = command("run", "verify", "--input", source, *words)
    assert done.code == 0, done.err
    assert query(Store(str(lake)), "SELECT verdict, rule FROM verified") == [("correct", "tolerance")]


def test_a_column_of_types_has_no_say_unless_the_recipe_gives_it_one(command: Command, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    done = command(
        "run", "verify", "--input", write_jsonl(tmp_path / "a.jsonl", make_rows("answer_type")), "--store", lake
    )
    assert done.code == 0, done.err
    assert query(Store(str(lake)), "SELECT DISTINCT verifier FROM verified") == [("questmill.answer_match",)]


def test_a_type_or_a_column_that_does_not_exist_stops_the_run(command: Command, tmp_path: Path) -> None:
    lake, source = (
        tmp_path / "lake",
        write_jsonl(tmp_path / "a.jsonl", [{"question": "?", "response": "1", "answer": "1"}]),
    )
    words = ("run", "verify", "--input", source, "--store", lake)
    assert "there is no answer type 'poem'" in command(*words, "--answer_type", "poem").err
    assert "needs the column 'answer_type'" in command(*words, "--answer_type", "column").err
    assert "has no column 'kind'" in command(*words, "--columns.answer_type", "kind").err
