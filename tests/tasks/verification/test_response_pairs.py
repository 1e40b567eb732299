"""Verdicts on whole responses are what they should be, over all kinds of reported faults."""

from collections import Counter
from typing import Any

import pytest

from tests.support.response_pairs import FAULTS, find_fault, judge_pairs, load_pairs

PAIRS = load_pairs()
KINDS = sorted({pair["kind"] for pair in PAIRS}, key=lambda kind: int(kind[1:]))
MAX_REJECTED = 0.01
"""Largest share of false rejects."""


@pytest.fixture(scope="module")
def faults() -> list[tuple[dict[str, Any], str]]:
    """The pairs whose verdict is not what it should be, with the fault."""
    judged = [
        (pair, find_fault(pair["should"], row["verdict"])) for pair, row in zip(PAIRS, judge_pairs(PAIRS), strict=True)
    ]
    return [(pair, fault) for pair, fault in judged if fault]


def test_there_are_pairs_of_every_kind_in_both_directions() -> None:
    assert len(PAIRS) >= 900
    for kind in KINDS:
        should = Counter(pair["should"] for pair in PAIRS if pair["kind"] == kind)
        assert should.total() >= 20, kind
        assert should["correct"] + should["not-wrong"] >= 3, kind
        assert should["wrong"] + should["not-correct"] >= 3, kind


def test_no_answer_is_accepted_that_should_not_be(faults: list[tuple[dict[str, Any], str]]) -> None:
    assert [pair for pair, fault in faults if fault == FAULTS[0]] == []


def test_few_answers_are_rejected_or_left_that_should_not_be(faults: list[tuple[dict[str, Any], str]]) -> None:
    counts = Counter(fault for _, fault in faults)
    assert counts[FAULTS[1]] <= MAX_REJECTED * len(PAIRS), faults
    assert counts[FAULTS[2]] <= MAX_REJECTED * len(PAIRS), faults
