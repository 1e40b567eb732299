"""A gate reads only the columns that it checks, says what failed in a line each, and leaves its report in the lake."""

import logging
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from infra import gates
from infra.lake.store import open_store
from schemas.errors import QuestmillError
from schemas.receipts import Receipt
from schemas.steps import Expectation
from schemas.tables import attempts, gold_doubts, verdicts

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the modules that Great Expectations imports
]

IDS = ["a", "b", "b", "d"]
VERDICT = ["correct", "wrong", "timeout", "correct"]


def expect(kind: str, severity: str = "critical", **arguments: Any) -> Expectation:
    return Expectation.model_validate({"kind": kind, "severity": severity, "arguments": arguments})


UNIQUE = expect("expect_column_values_to_be_unique", column="row_id")
NO_TIMEOUT = expect("expect_column_values_to_not_be_in_set", "warning", column="verdict", value_set=["timeout"])
FOUR = expect("expect_table_row_count_to_be_between", min_value=4)


def checked(lake: str, expects: Sequence[Expectation], tables: Sequence[pa.Table] | None = None) -> Receipt:
    store = open_store(lake)
    whole = pa.table({"row_id": IDS, "verdict": VERDICT, "response": ["long"] * 4})
    shards = tables or [whole.slice(0, 2), whole.slice(2)]
    parts = [store.put(table) for table in shards]
    made = [Receipt(step="s", key=p.digest, inputs=(), rows_in=p.rows, kept=p.rows, parts=(p,)) for p in parts]
    return gates.run_gate("verified", list(expects), made, lake)


def test_the_shards_are_checked_as_one_dataset_and_failures_are_told_by_severity(
    lake: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        receipt = checked(lake, [UNIQUE, NO_TIMEOUT, FOUR])
    assert receipt.details["failed"] == "row_id: values to be unique: 2 of 4 do not, e.g. 'b', 'b'"
    assert receipt.details["warned"] == "verdict: values to not be in set: 1 of 4 do not, e.g. 'timeout'"
    assert (receipt.rows_in, receipt.kept) == (4, 4)
    assert "temporary directory" not in caplog.text
    report = (open_store(lake).read(receipt.details["report"]) or b"").decode()
    assert report.startswith("# Gate `verified`\n\n4 rows, 3 expectations.\n")
    assert "| FAIL | critical | `expect_column_values_to_be_unique` column='row_id' |" in report
    assert "| warn | warning |" in report and "| pass | critical | `expect_table_row_count" in report


def test_golds_in_doubt_are_counted_once_and_only_warn(lake: str) -> None:
    [expectation] = gold_doubts.expectations("mine")
    doubts = ["prose", None, "disagreement", "disagreement", None, "none", "confirmed"]
    receipt = checked(lake, [expectation], [pa.table({"doubt": doubts[:3]}), pa.table({"doubt": doubts[3:]})])
    assert receipt.details["failed"] == ""
    assert receipt.details["warned"] == (
        "doubt: golds to be in no doubt: observed 3 of 5 golds are in doubt (disagreement 2, prose 1), and responses "
        "agree with 1; questmill query \"SELECT * FROM gold_doubts WHERE dataset = 'mine'\" shows those in doubt"
    )
    for sure in (["none", None, "confirmed"], pa.array([None, None], pa.string()), pa.array([], pa.string())):
        assert checked(lake, [expectation], [pa.table({"doubt": sure})]).details["warned"] == ""


def test_a_gate_that_passed_before_is_not_run_again(lake: str) -> None:
    assert [checked(lake, [FOUR]).was_cached for _ in range(2)] == [False, True]
    assert not checked(lake, [expect("expect_table_row_count_to_be_between", min_value=5)]).was_cached


def test_a_column_that_is_not_there_is_named_before_anything_is_checked(lake: str) -> None:
    with pytest.raises(QuestmillError, match="gate: the dataset has no column 'ruling'; it has row_id, verdict, resp"):
        checked(lake, [UNIQUE, expect("expect_column_values_to_be_unique", column="ruling")])


def test_an_unknown_expectation_is_named(lake: str) -> None:
    with pytest.raises(
        QuestmillError, match=r"gate: expectation 'expect_the_unexpected': .*not found; correct the suite"
    ):
        checked(lake, [expect("expect_the_unexpected")])
    with pytest.raises(QuestmillError, match=r"gate: expectation 'expect_column_values_to_be_unique': .*; correct the"):
        checked(lake, [expect("expect_column_values_to_be_unique", column="row_id", mostly="nearly all")])


def test_only_the_columns_that_are_checked_are_loaded(lake: str) -> None:
    store = open_store(lake)
    parts = [store.put(pa.table({"row_id": ["a"], "response": ["long"], "verdict": ["wrong"]}))]
    assert list(gates._load_columns(store, [UNIQUE, FOUR], parts)) == ["row_id"]
    assert list(gates._load_columns(store, [NO_TIMEOUT, UNIQUE], parts)) == ["row_id", "verdict"]
    assert list(gates._load_columns(store, [FOUR], parts)) == ["row_id"], "one column, to count the rows"
    together = expect("expect_compound_columns_to_be_unique", column_list=["row_id", "verdict"])
    assert list(gates._load_columns(store, [together], parts)) == ["row_id", "verdict"]


def test_a_critical_check_that_cannot_be_made_ends_the_run_and_is_no_verdict_for_ever(lake: str) -> None:
    impossible = {"column": "verdict", "min_value": 1}
    with pytest.raises(QuestmillError) as caught:
        checked(lake, [expect("expect_column_values_to_be_between", **impossible)])
    said = str(caught.value)
    assert said.startswith("gate 'verified': verdict: values to be between: could not be checked: ")
    assert said.endswith("; correct the suite and run again") and "\n" not in said
    assert open_store(lake).read_receipts() == [] and open_store(lake).list_paths("reports") == []


def test_a_check_that_only_warns_and_cannot_be_made_is_a_warning(lake: str) -> None:
    receipt = checked(lake, [expect("expect_column_values_to_be_between", "warning", column="verdict", min_value=1)])
    (line,) = receipt.details["warned"].splitlines()
    assert line.startswith("verdict: values to be between: could not be checked: ")


def test_the_promises_of_the_verify_recipe_hold_for_good_rows_and_stop_bad_ones(lake: str) -> None:
    suite = attempts.expectations() + verdicts.expectations()
    good = pa.table({"row_id": ["a", "b"], "verdict": ["correct", "wrong"]})
    receipt = checked(lake, suite, [good])
    assert (receipt.details["failed"], receipt.details["warned"]) == ("", "")
    bad = pa.table({"row_id": ["a", "a"], "verdict": ["correct", "perhaps"]})
    failed = checked(lake, suite, [bad]).details["failed"]
    assert "row_id: values to be unique" in failed and "'perhaps'" in failed
    empty = checked(lake, suite, [good.slice(0, 0)])
    assert empty.details["failed"] == "table: expect_table row count to be between: observed 0".replace("expect_", "")


@pytest.mark.parametrize(
    ("kind", "arguments", "failed"),
    [
        ("expect_column_most_common_value_share_to_be_at_most", {"max_share": 0.2}, "40 of 40 rows hold 'Answer'"),
        ("expect_column_most_common_value_share_to_be_at_most", {"max_share": 1.0}, ""),
        ("expect_column_most_common_value_share_to_be_at_most", {"max_share": 0.2, "min_rows": 41}, ""),
        ("expect_column_values_to_vary", {}, "1 different values in 40 rows"),
        ("expect_column_values_to_vary", {"min_rows": 41}, ""),
    ],
)
def test_one_value_in_all_rows_is_noticed(lake: str, kind: str, arguments: dict[str, Any], failed: str) -> None:
    table = pa.table({"row_id": [str(n) for n in range(40)], "answer": ["Answer"] * 40})
    receipt = checked(lake, [expect(kind, column="answer", **arguments)], [table])
    assert receipt.details["failed"].endswith(failed) and bool(receipt.details["failed"]) == bool(failed)
    varied = pa.table({"row_id": [str(n) for n in range(40)], "answer": [str(n) for n in range(40)]})
    assert checked(lake, [expect(kind, column="answer", **arguments)], [varied]).details["failed"] == ""


def test_timeouts_and_undecided_verdicts_are_only_worth_a_warning(lake: str) -> None:
    undecided = ["timeout"] * 2 + ["unparseable"] * 20 + ["unverifiable"] * 20
    table = pa.table({"row_id": [f"{n}" for n in range(100)], "verdict": undecided + ["correct"] * 58})
    receipt = checked(lake, verdicts.expectations(), [table])
    assert not receipt.details["failed"]
    assert all(verdict in receipt.details["warned"] for verdict in set(undecided))


def test_rows_without_a_score_do_not_stop_a_recipe_that_asks_for_none(lake: str) -> None:
    rule = [expect("expect_column_values_to_vary", column="reward")]
    ids = [str(n) for n in range(40)]
    unscored = pa.table({"row_id": ids, "reward": pa.array([None] * 40, pa.float64())})
    assert checked(lake, rule, [unscored]).details["failed"] == ""
    equal = pa.table({"row_id": ids, "reward": pa.array([0.5] * 30 + [None] * 10, pa.float64())})
    assert checked(lake, rule, [equal]).details["failed"].endswith("1 different values in 30 rows")
