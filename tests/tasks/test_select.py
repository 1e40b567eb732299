"""Wide steps over questions and answers: what is dropped, and why."""

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from schemas.work import Merge
from tasks.answers import answer_key
from tasks.dedupe import DropNearRepeats, DropRepeats
from tasks.select import SelectAnswer


def merged(merge: Merge, *tables: list[dict[str, Any]]) -> dict[str, Any]:
    """Row id -> reason, or None where the row is kept; and the kept rows under `rows`."""
    con = duckdb.connect()
    for name, table in zip(merge.inputs, tables, strict=True):
        con.register(name, pa.Table.from_pylist(table))
    return {row["row_id"]: row for row in con.sql(merge.sql()).to_arrow_table().to_pylist()}


def reasons(merge: Merge, *tables: list[dict[str, Any]]) -> dict[str, Any]:
    return {row_id: row["reject"] for row_id, row in merged(merge, *tables).items()}


def test_the_first_of_equal_texts_is_kept_whatever_their_case_and_blanks() -> None:
    texts = ["How many?", "How  many?\n", "HOW MANY?", "How much?"]
    rows = [{"row_id": str(i), "question": text} for i, text in enumerate(texts)]
    assert reasons(DropRepeats(), rows) == {"0": None, "1": "duplicate", "2": "duplicate", "3": None}


def answered(*samples: tuple[str, float | None]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    answers = [
        {"row_id": f"q/{i}", "question_id": "q", "answer": answer, "answer_key": answer_key(answer)}
        for i, (answer, _) in enumerate(samples)
    ]
    return answers, [
        {"row_id": f"q/{i}", "reward": reward} for i, (_, reward) in enumerate(samples) if reward is not None
    ]


def test_the_best_liked_answer_of_the_majority_is_kept() -> None:
    tables = answered(("12", 0.2), ("12.0", 0.8), ("$12", 0.5), ("13", 0.9), ("14", 0.1))
    assert reasons(SelectAnswer(), *tables) == {
        "q/0": "lower reward",
        "q/1": None,
        "q/2": "lower reward",
        "q/3": "minority answer",
        "q/4": "minority answer",
    }
    kept = merged(SelectAnswer(), *tables)["q/1"]
    assert (kept["agreement"], kept["samples"], kept["of_majority"]) == (0.6, 5, True)


def test_the_papers_rule_is_one_switch_away() -> None:
    tables = answered(("12", 0.2), ("12", 0.8), ("13", 0.9))
    found = merged(SelectAnswer(within_majority=False, least_agreement=0), *tables)
    assert [row["reject"] for row in found.values()] == ["lower reward", "lower reward", None]
    assert found["q/2"]["of_majority"] is False


def test_a_question_on_which_samples_do_not_agree_is_dropped_whole() -> None:
    tables = answered(("1", 0.2), ("2", 0.3), ("3", 0.9))
    assert set(reasons(SelectAnswer(), *tables).values()) == {"minority answer", "little agreement"}


def test_a_tie_goes_to_the_better_liked_answer() -> None:
    tables = answered(("1", 0.2), ("2", 0.9), ("1", 0.3), ("2", 0.1))
    assert reasons(SelectAnswer(), *tables)["q/1"] is None


def test_an_answer_without_a_reward_is_never_selected() -> None:
    tables = answered(("1", None), ("1", 0.5))
    assert reasons(SelectAnswer(), *tables) == {"q/0": "no reward", "q/1": None}


@pytest.mark.parametrize(
    ("one", "other"), [("1.50", "3/2"), ("$1.5", "1.5"), ("1,000", "1000"), ("Blue", "blue"), ("12 apples", "12")]
)
def test_answers_that_are_the_same_have_one_key(one: str, other: str) -> None:
    assert answer_key(one) == answer_key(other)


@pytest.mark.parametrize(("one", "other"), [("20%", "0.2"), ("12", "-12"), ("blue", "red"), ("0.333", "1/3")])
def test_answers_that_differ_have_two(one: str, other: str) -> None:
    assert answer_key(one) != answer_key(other)


def near(*texts: str) -> dict[str, Any]:
    con = duckdb.connect()
    rows = [{"row_id": str(i), "question": text} for i, text in enumerate(texts)]
    con.register("questions", pa.Table.from_pylist(rows))
    merge = DropNearRepeats()
    merge.prepare(con)
    return {row["row_id"]: row for row in con.sql(merge.sql()).to_arrow_table().to_pylist()}


STORY = (
    "Tom has 12 red marbles and 5 blue ones in a box. He gives 4 of them to Ann. How many marbles are left in the box?"
)


@pytest.mark.parametrize(
    "other",
    [
        STORY.upper().replace("?", " ?!"),
        STORY.replace("gives", "hands"),
        STORY.replace("in the box", "there"),
        STORY.replace("red ", ""),
    ],
)
def test_a_question_that_says_nearly_the_same_with_the_same_numbers_is_dropped(other: str) -> None:
    found = near(STORY, "What is 3 plus 4?", other)
    assert [row["reject"] for row in found.values()] == [None, None, "near duplicate"]
    assert (found["0"]["cluster"], found["1"]["cluster"], found["2"]["cluster"]) == ("0", None, "0")


@pytest.mark.parametrize("other", [STORY.replace("12", "13"), STORY.replace("12", "5").replace("5 blue", "12 blue")])
def test_the_same_template_with_other_numbers_is_no_duplicate(other: str) -> None:
    found = near(STORY, other)
    assert [row["reject"] for row in found.values()] == [None, None]
    assert found["0"]["same_template"] == 2


def test_no_questions_at_all_have_no_duplicates() -> None:
    con = duckdb.connect()
    con.register("questions", pa.table({"row_id": pa.array([], pa.string()), "question": pa.array([], pa.string())}))
    merge = DropNearRepeats()
    merge.prepare(con)
    assert con.sql(merge.sql()).fetchall() == []


def test_empty_and_tiny_texts_are_sketched_too() -> None:
    assert [row["reject"] for row in near("", "?", "7", "Add 1 and 2").values()][2:] == [None, None]
