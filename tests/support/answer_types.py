"""Cases of answer types from `tests/data/answer_types`, and what the stage says about them."""

import json
from pathlib import Path
from typing import Any

from tasks.verification.answer_types.check import CheckAnswerType

FOLDER = Path(__file__).parents[1] / "data" / "answer_types"
ALLOWED = {
    "correct": ("correct",),
    "wrong": ("wrong",),
    "unparseable": ("unparseable",),
    "not-correct": ("wrong", "unparseable", "timeout"),
    "not-wrong": ("correct", "unparseable"),
}
"""Verdicts that are right for what a case expects."""


def load_cases(answer_type: str) -> list[dict[str, Any]]:
    """The cases of one answer type."""
    return [json.loads(line) for line in (FOLDER / f"{answer_type}.jsonl").read_text().splitlines()]


def check_cases(answer_type: str, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of verdicts on cases, in order."""
    rows = [
        {
            "row_id": str(number),
            "question": case["question"],
            "response": case["response"],
            "answer": case["gold"],
            "answer_details": json.dumps(case["details"]),
        }
        for number, case in enumerate(cases)
    ]
    return list(CheckAnswerType(answer_type=answer_type).rows(rows, None))  # type: ignore[arg-type]


def find_faults(answer_type: str) -> dict[str, list[tuple[dict[str, Any], str, str]]]:
    """The cases whose verdict is not what it should be, with verdict and rule, by the kind of fault."""
    cases = load_cases(answer_type)
    faults: dict[str, list[tuple[dict[str, Any], str, str]]] = {"accepted": [], "rejected": [], "left open": []}
    for case, row in zip(cases, check_cases(answer_type, cases), strict=True):
        if row["verdict"] in ALLOWED[case["expect"]]:
            continue
        kind = {"correct": "accepted", "wrong": "rejected"}.get(row["verdict"], "left open")
        faults[kind].append((case, row["verdict"], row["rule"]))
    return faults
