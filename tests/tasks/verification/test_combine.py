"""Several verifiers as one: what becomes of every pair of verdicts, and who is named for it."""

from typing import Any

import pyarrow as pa
import pytest

from schemas.tables import verdicts
from tasks.verification.combine import CombineMode, CombineVerdicts, KeepUndecided
from tests.support.merging import run_merge

SHORT = {"c": "correct", "w": "wrong", "p": "unparseable", "t": "timeout", "v": "unverifiable", "-": None}


def table(verifier: str, *said: str | None) -> pa.Table:
    """A verdict for each row, by number; None: the row is not in the table."""
    rows = [
        dict.fromkeys(verdicts.VERDICT_SCHEMA.names)
        | {"row_id": f"r{i:02}", "verdict": word, "rule": f"{verifier}_{word}", "verifier": verifier}
        | {"verifier_version": "1", "milliseconds": 1.0}
        for i, word in enumerate(said)
        if word
    ]
    return pa.Table.from_pylist(rows, schema=verdicts.VERDICT_SCHEMA)


def combined(how: CombineMode, *pairs: str) -> list[dict[str, Any]]:
    """The rows that are made of pairs of verdicts, written as two letters each."""
    attempts = [{"row_id": f"r{i:02}", "question": "?", "response": "!"} for i in range(len(pairs))]
    first, second = ([SHORT[pair[side]] for pair in pairs] for side in (0, 1))
    merge = CombineVerdicts(mode=how, verifiers=("a", "b"))
    return list(run_merge(merge, attempts, table("a", *first), table("b", *second)).values())


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ("all_of", "cc=c cw=w wc=w ww=w cp=p pc=p ct=t tc=t cv=v vc=v wv=w vw=w pt=p tp=t vv=v c-=v -c=v w-=w p-=p"),
        ("any_of", "cc=c cw=c wc=c ww=w cp=c pc=c wp=p pw=p wt=t tw=t cv=c vc=c wv=v vw=v pt=p tp=t vv=v c-=c w-=v"),
        ("first_decided", "cc=c cw=c wc=w ww=w pc=c tw=w vc=c vw=w pt=p tp=t vv=v -c=c -w=w -p=p p-=p c-=c"),
    ],
)
def test_every_pair_of_verdicts_has_one_and_only_a_correct_one_is_a_pass(how: CombineMode, found: str) -> None:
    expected = dict(each.split("=") for each in found.split())
    made = [row["verdict"] for row in combined(how, *expected)]
    assert dict(zip(expected, made, strict=True)) == {pair: SHORT[word] for pair, word in expected.items()}


def test_the_record_is_that_of_the_decider_and_says_what_each_has_said() -> None:
    (row,) = combined("first_decided", "tw")
    assert (row["rule"], row["decided_by"]) == ("b_wrong", "b")
    assert (row["verifier"], row["verifier_version"]) == ("first_decided(a, b)", "1; 1")
    assert (row["said"], row["milliseconds"]) == ("a timeout, b wrong", 2.0)


def test_a_row_that_nobody_has_a_verdict_for_is_rejected() -> None:
    assert [row["reject"] for row in combined("any_of", "--", "-c")] == ["no verdict", None]


def test_a_missing_verdict_is_no_pass_and_is_said_to_be_missing() -> None:
    (row,) = combined("all_of", "c-")
    assert (row["verdict"], row["rule"]) == ("unverifiable", "no_verdict")
    assert (row["decided_by"], row["said"]) == (None, "a correct")


def test_what_was_combined_is_combined_again_and_names_the_innermost() -> None:
    two = pa.Table.from_pylist(combined("first_decided", "tw"))
    merge = CombineVerdicts(mode="all_of", verifiers=("first_decided(a, b)", "c"))
    row = run_merge(merge, [{"row_id": "r00"}], two, table("c", "correct"))["r00"]
    assert (row["verdict"], row["decided_by"]) == ("wrong", "b")
    assert row["verifier"] == "all_of(first_decided(a, b), c)"
    assert row["said"] == "a timeout, b wrong, c correct"


def test_only_what_is_undecided_goes_on_and_the_rest_leaves_its_texts_behind() -> None:
    attempts = [{"row_id": f"r{i:02}", "question": f"{i}?", "response": "!", "serial": i} for i in range(6)]
    said = table("a", "correct", "wrong", "unparseable", "timeout", "unverifiable", None)
    found = run_merge(KeepUndecided(), attempts, said)
    assert [row["reject"] for row in found.values()] == ["decided", "decided", None, None, None, None]
    assert (found["r00"]["question"], found["r00"]["serial"]) == (None, 0)
    assert (found["r05"]["question"], found["r05"]["response"]) == ("5?", "!")


def test_an_unverifiable_row_passes_the_gate_with_a_warning() -> None:
    (known,) = [e for e in verdicts.expectations() if e.kind == "expect_column_values_to_be_in_set"]
    assert "unverifiable" in known.arguments["value_set"]
    warned = [e.arguments["value_set"] for e in verdicts.expectations() if e.severity == "warning"]
    assert ["unverifiable"] in warned
