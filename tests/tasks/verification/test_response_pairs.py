"""Verdicts on whole responses are what they should be, over all kinds of reported faults."""

from collections import Counter

import pytest

from tests.support.response_pairs import FAULTS, find_fault, judge_pairs, load_pairs

PAIRS = load_pairs()
KINDS = sorted({pair["kind"] for pair in PAIRS}, key=lambda kind: int(kind[1:]))
MAX_REJECTED = 0.01
"""Largest share of false rejects, and of right answers that are left open."""


def test_there_are_pairs_of_every_kind_in_both_directions() -> None:
    assert len(PAIRS) >= 900
    for kind in KINDS:
        should = Counter(pair["should"] for pair in PAIRS if pair["kind"] == kind)
        assert should.total() >= 20, kind
        assert should["correct"] + should["not-wrong"] >= 3, kind
        assert should["wrong"] + should["not-correct"] >= 3, kind


@pytest.mark.parametrize("step", [pytest.param(10, marks=pytest.mark.early), pytest.param(1, marks=pytest.mark.system)])
def test_verdicts_are_what_they_should_be(step: int) -> None:
    """Every tenth pair in a moment, and all of them."""
    pairs = PAIRS[::step]
    judged = zip(pairs, judge_pairs(pairs), strict=True)
    faults = [(find_fault(pair["should"], row["verdict"]), pair) for pair, row in judged]
    assert [pair for fault, pair in faults if fault == FAULTS[0]] == [], "accepted, and should not be"
    counts = Counter(fault for fault, _ in faults)
    assert counts[FAULTS[1]] <= MAX_REJECTED * len(pairs), faults
    assert counts[FAULTS[2]] <= MAX_REJECTED * len(pairs), faults
