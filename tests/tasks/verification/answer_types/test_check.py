"""Every row gets a verdict by the checker of its type; a row without a readable type costs that row alone."""

import json
import random
import time
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from schemas.errors import SchemaError
from schemas.identity import fingerprint
from tasks.verification.answer_types.check import CheckAnswerType, read_details
from tasks.verification.answer_types.checkers import ANSWER_TYPES, AnswerCheckers
from tasks.verification.answer_types.number import NumberChecker
from tasks.verification.verify import Verify
from tests.support.answer_types import check_cases, load_cases


def make_row(number: int, answer_type: str | None, answer: str, response: str, **columns: Any) -> dict[str, Any]:
    row = {"row_id": str(number), "question": "", "response": response, "answer": answer, "answer_type": answer_type}
    return row | columns


def check(rows: list[dict[str, Any]], answer_type: str = "column") -> list[dict[str, Any]]:
    return list(CheckAnswerType(answer_type=answer_type).rows(rows, None))  # type: ignore[arg-type]


def test_rows_of_several_types_get_their_verdicts_in_order() -> None:
    rows = [
        make_row(0, "choice", "B", "The answer is B."),
        make_row(1, "text", "Paris", "The answer is London."),
        make_row(2, None, "18", r"\boxed{18}"),
        make_row(3, "number", "9.81", "9.8", answer_details='{"relative_tolerance": 0.01}'),
        make_row(4, "poem", "roses", "roses"),
        make_row(5, "Choice ", "B", "The answer is C."),
        make_row(6, "auto", "Paris", "Paris"),
        make_row(7, "", "1/2", "0.5"),
    ]
    verdicts = [(row["row_id"], row["verdict"], row["verifier"]) for row in check(rows)]
    assert verdicts == [
        ("0", "correct", "questmill.choice"),
        ("1", "wrong", "questmill.text"),
        ("2", "correct", "questmill.answer_match"),
        ("3", "correct", "questmill.number"),
        ("4", "unparseable", "questmill.type"),
        ("5", "wrong", "questmill.choice"),
        ("6", "correct", "questmill.text"),
        ("7", "correct", "questmill.answer_match"),
    ]
    assert check(rows)[4]["rule"] == "unknown_answer_type"


def test_mathematics_has_the_rows_of_verify() -> None:
    rows = [
        make_row(number, None, "18", text) for number, text in enumerate(("18", "#### 19", "no idea", r"\boxed{x}"))
    ]
    timeless = [
        [row | {"milliseconds": 0} for row in table] for table in (check(rows, "math"), list(Verify().rows(rows, None)))
    ]
    assert timeless[0] == timeless[1]


def test_details_come_from_columns_and_from_an_object_that_replaces_them() -> None:
    row = make_row(0, "choice", "A", "", options='["x", "y"]', unit="m", answer_details='{"unit": "km"}')
    assert read_details(row) == {"options": ["x", "y"], "unit": "km"}
    assert read_details(row | {"answer_details": json.dumps('{"unit": "cm"}')}) == {"options": ["x", "y"], "unit": "cm"}
    assert read_details(row | {"answer_details": None}) == {"options": ["x", "y"], "unit": "m"}


@pytest.mark.parametrize("details", ["{", "[1]", "7", '"x"', "[" * 100_000])
def test_details_that_cannot_be_read_cost_their_row(details: str) -> None:
    rows = [make_row(0, "text", "Paris", "Paris", answer_details=details), make_row(1, "text", "Paris", "Paris")]
    assert [(row["verdict"], row["rule"]) for row in check(rows)] == [
        ("unparseable", "details_unreadable"),
        ("correct", "text"),
    ]


def test_a_thought_that_never_ends_has_no_answer() -> None:
    [row] = check([make_row(0, "text", "Paris", "<think>Paris")])
    assert (row["verdict"], row["rule"]) == ("unparseable", "open_thought")


def test_rows_that_must_name_their_type_need_a_column_for_it() -> None:

    stage = CheckAnswerType(answer_type="column")
    with pytest.raises(SchemaError, match=r"--columns\.answer_type"):
        stage.output_schema(pa.schema([("row_id", pa.string())]))
    with pytest.raises(ValidationError, match="there is no answer type 'poem'; there are: math, choice"):
        CheckAnswerType(answer_type="poem")


def test_every_type_has_one_checker_of_its_name() -> None:
    checkers = AnswerCheckers().checkers()
    assert set(ANSWER_TYPES) == {"math", "auto", *checkers}
    assert len(checkers) == len(AnswerCheckers.model_fields)


def test_the_settings_of_a_checker_count_for_the_identity_of_the_stage() -> None:
    other = AnswerCheckers(number=NumberChecker(relative_tolerance=0.01))
    assert fingerprint(CheckAnswerType()) != fingerprint(CheckAnswerType(checkers=other))


@pytest.mark.parametrize("answer_type", ["choice", "text", "number"])
def test_no_text_stops_a_checker(answer_type: str) -> None:
    cases, chance = load_cases(answer_type), random.Random(5)
    rows = []
    for number in range(600):
        one, other = chance.choice(cases), chance.choice(cases)
        at, signs = chance.randrange(len(one["response"][:200]) + 1), "\\{}()$*AB.,0 \n答\u202e#?"
        response = one["response"][:at] + "".join(chance.choices(signs, k=6)) + other["response"][:200]
        details = json.dumps(chance.choice(cases)["details"])
        rows.append(
            make_row(number, answer_type, chance.choice([one["gold"], response[:30]]), response, answer_details=details)
        )
    assert [row["row_id"] for row in check(rows)] == [row["row_id"] for row in rows]


@pytest.mark.parametrize("part", ["**", "(A) ", "not ", "I choose A. ", "(A) x is ", "9", "(", "A\n", "故选A", "is "])
@pytest.mark.parametrize(("answer_type", "gold"), [("choice", "A"), ("text", "Paris"), ("number", "5")])
def test_a_long_response_takes_little_time(answer_type: str, gold: str, part: str) -> None:
    began = time.process_time()
    assert check([make_row(0, answer_type, gold, part * (100_000 // len(part)), options='["x", "y"]')])
    assert time.process_time() - began < 2


def change_gold(answer_type: str, case: dict[str, Any]) -> list[str]:
    """Other golds for which a response that is right must not be right."""
    if answer_type == "choice":
        return [letter for letter in "ABCDE" if letter != case["gold"]] if case["gold"] in "ABCDE" else []
    if answer_type == "text":
        return ["Montevideo", "Grace Hopper", f"{case['gold']} Montevideo", f"not {case['gold']}"]
    return ["7919", f"-{case['gold']}", f"10{case['gold']}"] if case["gold"].replace(".", "").isdigit() else ["7919"]


@pytest.mark.parametrize("answer_type", ["choice", "text", "number"])
def test_a_right_response_is_not_right_for_another_gold(answer_type: str) -> None:
    pairs = [
        (case, gold)
        for case in load_cases(answer_type)
        if case["expect"] == "correct" and case["gold"] not in ("", "0")
        for gold in change_gold(answer_type, case)
    ]
    rows = check_cases(answer_type, [case | {"gold": gold, "details": drop_aliases(case)} for case, gold in pairs])
    accepted = [
        (case["response"], gold) for (case, gold), row in zip(pairs, rows, strict=True) if row["verdict"] == "correct"
    ]
    assert len(pairs) >= 200
    assert accepted == []


def drop_aliases(case: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in case["details"].items() if name != "aliases"}
