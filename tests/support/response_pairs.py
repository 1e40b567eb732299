"""Responses with the verdict that each should have, and how far the verdicts are from it.

`should` is `correct`, `wrong`, `not-correct` (an abstention will do) or `not-wrong` (likewise).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.outcomes import Quarantine, Row
from tasks.verification.verify import Verify

RESPONSE_PAIRS = Path(__file__).parents[1] / "data" / "response_pairs.jsonl"
"""Pairs of question, response and gold, written before the rules that they test."""
FAULTS = ("false accept", "false reject", "abstention")
"""What may be wrong with a verdict, the most harmful first."""


def load_pairs(path: Path = RESPONSE_PAIRS) -> list[dict[str, Any]]:
    """All rows: kind, question, response, gold and what the verdict should be."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def judge_pairs(pairs: Sequence[dict[str, Any]]) -> list[Row]:
    """The verdicts on the pairs, in their order."""
    attempts: list[Row] = [
        {"row_id": str(at), "question": pair["question"], "response": pair["response"], "answer": pair["gold"]}
        for at, pair in enumerate(pairs)
    ]
    return [row for row in Verify().rows(attempts, None) if not isinstance(row, Quarantine)]


def find_fault(should: str, verdict: str) -> str:
    """One of `FAULTS`, or empty if the verdict is as it should be."""
    if verdict == "correct":
        return "" if should in ("correct", "not-wrong") else FAULTS[0]
    if verdict == "wrong":
        return "" if should in ("wrong", "not-correct") else FAULTS[1]
    return FAULTS[2] if should in ("correct", "wrong") else ""
