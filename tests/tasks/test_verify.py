"""Each attempt gets one verdict and the rule behind it; thousands of recorded solutions agree with their labels."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas import verdicts
from schemas.arrow import conform
from schemas.errors import VerifierBroken
from schemas.work import Quarantine, Row
from tasks import referee
from tasks.verify import Verify, compare, gold_answer, number

RECORDED = Path(__file__).parents[3] / "shared/data/gsm8k/example_model_solutions.jsonl"
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")

EXPLAINED: dict[str, str] = {}
"""Recorded solutions (question-model) judged otherwise than their label, and why. There are none: all 5,276 agree."""


def _attempt(response: str, gold: str, row_id: str = "1") -> Row:
    return {"row_id": row_id, "question": "?", "response": response, "answer": gold}


def _verdict(response: str, gold: str, **fields: Any) -> Row:
    (row,) = Verify(**fields).rows([_attempt(response, gold)], None)
    assert not isinstance(row, Quarantine)
    conform([row], verdicts.SCHEMA, "verify")
    return row


def test_recorded_solutions_agree_with_their_labels() -> None:
    if not RECORDED.exists():
        pytest.skip(f"{RECORDED} is not on this machine")
    labels: dict[str, bool] = {}
    attempts = []
    for at, line in enumerate(RECORDED.read_text().splitlines()):
        record = json.loads(line)
        for model in MODELS:
            labels[f"{at}-{model}"] = record[model]["is_correct"]
            attempts.append(_attempt(record[model]["solution"], record["ground_truth"], f"{at}-{model}"))
    rows = [row for row in Verify().rows(attempts, None) if not isinstance(row, Quarantine)]
    conform(rows, verdicts.SCHEMA, "verify")
    assert [row["row_id"] for row in rows] == list(labels)
    disagree = {row["row_id"] for row in rows if (row["verdict"] == "correct") != labels[row["row_id"]]}
    assert disagree == set(EXPLAINED)
    assert len(disagree) / len(labels) <= 0.001
    counts = Counter(row["verdict"] for row in rows)
    assert len(labels) == 5276
    assert counts["timeout"] == 0
    assert counts["correct"] == 2001


@pytest.mark.parametrize(
    ("response", "gold", "verdict", "rule", "found_by"),
    [
        (r"\boxed{18}", "18", "correct", "number", "boxed"),
        ("A: 18", "A: 18", "correct", "number", "marker"),
        ("#### 19", "so\n#### 18", "wrong", "number", "hash"),
        (r"\boxed{0.75}", r"so \boxed{\frac{3}{4}}", "correct", "math_verify", "boxed"),
        (r"\boxed{x^2+2x+1}", "(x+1)^2", "correct", "math_verify", "boxed"),
        (r"\boxed{\text{east}}", r"\text{east}", "correct", "identical", "boxed"),
        (r"\boxed{[1,2]}", "(1,2]", "wrong", "math_verify", "boxed"),
        ("The answer is 18 dollars.", "18", "correct", "number", "answer_is"),
        ("it is 18", "18", "correct", "number", "last_number"),
        ("I do not know", "18", "unparseable", "no_answer", None),
        (r"\boxed{18}", "", "unparseable", "gold_unparseable", "boxed"),
        (r"\boxed{18}", r"\sqrt", "unparseable", "gold_unparseable", "boxed"),
        (r"\boxed{\sqrt}", "18", "unparseable", "answer_unparseable", "boxed"),
        ("A: 5 million", "5000000", "unparseable", "number_words", "marker"),
        ("A: 1e999999999", "1", "unparseable", "too_large", "marker"),
        ("A: " + "9" * 1_000_000, "1", "unparseable", "too_long", "marker"),
        ("A: 1", "9" * 3000, "unparseable", "gold_too_long", "marker"),
        ("\\boxed{7}" + " blah" * 200_000, "7", "correct", "number", "boxed"),
        ("A: 3\x00", "3", "unparseable", "answer_unparseable", "marker"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_every_attempt_gets_a_verdict_and_its_rule(
    response: str, gold: str, verdict: str, rule: str, found_by: str | None
) -> None:
    row = _verdict(response, gold)
    assert (row["verdict"], row["rule"], row["found_by"]) == (verdict, rule, found_by)


def test_a_tower_of_powers_without_braces_ends_too() -> None:
    row = _verdict("A: 10^10^10", "1")
    assert (row["verdict"], row["rule"]) == ("wrong", "math_verify")  # read as (10^10)^10


def test_both_parsed_forms_and_the_verifier_are_written_down() -> None:
    row = _verdict(r"\boxed{0.50}", r"\frac{1}{2}")
    assert (row["gold_parsed"], row["answer_parsed"][:3]) == ("1/2", "0.5")
    assert row["verifier"] == "questmill.ladder"
    assert row["verifier_version"] == f"{Verify.version} with {referee.library()}"
    assert row["milliseconds"] > 0


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        ("1000", "1,000", "correct"),
        ("1000", r"\$1{,}000.00", "correct"),
        ("1000", r"$1,\!000$", "correct"),
        ("1000", "$1,000.", "correct"),
        ("16", "016", "correct"),
        ("-5", "-$5", "correct"),
        ("-5", "\N{MINUS SIGN}5", "correct"),
        ("0.75", "3/4", "correct"),
        ("18", r"18 \text{ dollars}", "correct"),
        ("18", "18 eggs per day", "correct"),
        ("20", "20%", "correct"),
        ("20%", r"20\%", "correct"),
        ("20", "20 percent", "correct"),
        ("100000", "1e5", "correct"),
        ("123456789012345678901", "123456789012345678902", "wrong"),
        ("0.3", "0.30000000000000004", "wrong"),
        ("18", "-18", "wrong"),
        ("18", "19 eggs", "wrong"),
    ],
)
def test_plain_numbers_are_compared_exactly(gold: str, answer: str, verdict: str) -> None:
    ruling = compare(gold, answer)
    assert ruling is not None
    assert (ruling.verdict, ruling.rule) == (verdict, "number")


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("20%", "20"),
        ("20%", "0.2"),
        ("0.2", "20%"),
        ("1/3", "0.33"),
        ("18 eggs", "18"),
        ("3", "3x"),
        ("5", "5 m"),
        ("12", "1,2"),
        ("1", "1/0"),
        ("1", "--1"),
        ("1", "x=1"),
    ],
)
def test_what_numbers_alone_cannot_decide_is_passed_on(gold: str, answer: str) -> None:
    assert compare(gold, answer) is None


@pytest.mark.parametrize("text", ["", ".", "-", "$", "%", "eggs", "1,23", "1.2.3", "1 2", "٣"])
def test_what_is_no_plain_number_is_not_read_as_one(text: str) -> None:
    assert number(text) is None


def test_a_gold_without_a_mark_is_taken_whole() -> None:
    assert gold_answer(r" \frac{3}{4} ") == r"\frac{3}{4}"
    assert gold_answer("first 1, then 2") == "first 1, then 2"


def test_rows_keep_their_order_whoever_decides_them() -> None:
    golds = ["1", r"\frac{1}{2}", "no", "3", r"\sqrt{4}"] * 60
    responses = ["A: 1", "A: 0.5", "?", "A: 4", "A: 2"] * 60
    attempts = [_attempt(*pair, str(at)) for at, pair in enumerate(zip(responses, golds, strict=True))]
    rows = [row for row in Verify().rows(attempts, None) if not isinstance(row, Quarantine)]
    assert [row["row_id"] for row in rows] == [str(at) for at in range(300)]
    assert [row["verdict"] for row in rows] == ["correct", "correct", "unparseable", "wrong", "correct"] * 60


def test_the_library_is_part_of_the_identity_and_must_be_the_installed_one() -> None:
    assert Verify().model_dump()["library"] == referee.library()
    with pytest.raises(VerifierBroken, match=r"was asked for math-verify 0\.1, but this machine has"):
        list(Verify(library="math-verify 0.1").rows([_attempt("A: 1", "1")], None))


def test_a_hung_comparison_is_a_timeout_and_never_wrong() -> None:
    row = _verdict(r"\boxed{10^{10^{10}}}", "1", deadline=0.5)
    assert (row["verdict"], row["rule"], row["found_by"]) == ("timeout", "deadline", "boxed")
