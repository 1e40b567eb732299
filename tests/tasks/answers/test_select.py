"""Wide steps over questions and answers: what is dropped, and why."""

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from schemas.steps import Merge
from tasks.answers.final_answer import answer_key
from tasks.answers.select import SelectAnswer, SelectByMajority


def merged(merge: Merge, *tables: list[dict[str, Any]]) -> dict[str, Any]:
    """Row id -> reason, or None where the row is kept; and the kept rows under `rows`."""
    con = duckdb.connect()
    for name, table in zip(merge.inputs, (*tables, [{"row_id": "q"}], [{"row_id": "q"}]), strict=False):
        con.register(name, pa.Table.from_pylist(table))
    return {row["row_id"]: row for row in con.sql(merge.sql()).to_arrow_table().to_pylist()}


def reasons(merge: Merge, *tables: list[dict[str, Any]]) -> dict[str, Any]:
    return {row_id: row["reject"] for row_id, row in merged(merge, *tables).items()}


def answered(*samples: tuple[str, float | None], asked: int = 0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    answers = [
        {
            "row_id": f"q/{i}",
            "question_id": "q",
            "answer": answer,
            "asked": asked or len(samples),
            "answer_key": answer_key(answer),
        }
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


def test_without_a_reward_model_the_first_solution_of_the_majority_is_kept() -> None:
    answers, _ = answered(("13", None), ("12", None), ("12.0", None), ("12", None))
    found = merged(SelectByMajority(), answers)
    assert {row_id: row["reject"] for row_id, row in found.items()} == {
        "q/0": "minority answer",
        "q/1": None,
        "q/2": "lower reward",
        "q/3": "lower reward",
    }
    assert (found["q/1"]["agreement"], found["q/1"]["reward"]) == (0.75, None)
    assert reasons(SelectByMajority(least_agreement=0.8), answers)["q/1"] == "little agreement"


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


def test_the_best_answer_of_a_question_must_be_liked_enough_where_a_least_reward_is_asked_for() -> None:
    tables = answered(("1", 0.4), ("1", 0.3))
    assert reasons(SelectAnswer(least_reward=0.5), *tables) == {"q/0": "little reward", "q/1": "lower reward"}
    assert reasons(SelectAnswer(least_reward=0.4), *tables)["q/0"] is None


def test_samples_without_an_answer_agree_with_nobody() -> None:
    tables = answered(("1", 0.9), asked=5)
    assert reasons(SelectAnswer(), *tables) == {"q/0": "little agreement"}
    assert merged(SelectAnswer(), *answered(("1", 0.9), ("1", 0.8), ("1", 0.7), asked=5))["q/0"]["agreement"] == 0.6


def test_difficulty_and_topic_go_with_the_row_where_they_were_measured() -> None:
    tables = answered(("12", 0.2), ("12", 0.8))
    hard = [{"row_id": "q", "question": "?", "fail_rate": 0.25}]
    found = merged(SelectAnswer(), *tables, hard, [{"row_id": "q", "answer": "7", "topic": "rates"}])["q/1"]
    assert (found["fail_rate"], found["topic"], found["answer"]) == (0.25, "rates", "12")
    assert not {"fail_rate", "topic"} & merged(SelectAnswer(), *tables)["q/1"].keys()
