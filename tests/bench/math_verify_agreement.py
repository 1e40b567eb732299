"""Where the ladder and Math-Verify both decide, they agree, or somebody has written down why not."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tasks.verification.math_verify import pool
from tasks.verification.math_verify.verdict import Pair, Verdict
from tests.bench.support.results import Figure
from tests.bench.support.verdicts import (
    ABSENT,
    CHUNK,
    MATH,
    Item,
    adjudicated,
    judged,
    of_corpus,
    own,
    show,
    solutions,
    strangers,
)
from tests.support.answer_pairs import load_corpus

DECIDED = ("correct", "wrong")


def measure() -> Iterator[Figure]:
    """The differences over recorded solutions, MATH and the corpus; some 25,000 pairs, 10 ms each for Math-Verify."""
    if not MATH.exists():
        print(f"math_verify_agreement: skipped: {ABSENT}")
        return
    items = gathered()
    ours, theirs = judged(items), alone(items)
    show(((one.verdict, other.verdict) for one, other in zip(ours, theirs, strict=True)), "ladder", "Math-Verify")
    both, differ = 0, []
    for item, one, other in zip(items, ours, theirs, strict=True):
        if one.verdict in DECIDED and other.verdict in DECIDED:
            both += 1
            differ += [(item, one, other)] if one.verdict != other.verdict else []
    known = adjudicated("math_verify_agreement")
    for item, one, other in differ:
        why = known.get(item.name, "not looked at")
        print(f"  {item.name}: {item.gold!r} {item.answer!r}: {one.verdict} ({one.rule}), not {other.verdict}: {why}")
    yield Figure("agreement", round(100 * (1 - len(differ) / both), 3), "%", "", f"{both:,} pairs that both decide")
    yield Figure("unexplained", sum(item.name not in known for item, _, _ in differ), "pairs", "0")


def gathered() -> list[Item]:
    """All items, each pair of texts and question once."""
    with tempfile.TemporaryDirectory() as folder:
        items = [item for item, _ in solutions(Path(folder))]
    items += [*own(), *strangers(), *map(of_corpus, load_corpus())]
    once = {(item.gold, item.answer, item.question): item for item in reversed(items)}
    return list(once.values())[::-1]


def alone(items: list[Item]) -> list[Verdict]:
    """What Math-Verify says of the texts as they are; a text pair without its question is asked about once."""
    pairs = list(dict.fromkeys(Pair(item.gold, item.answer) for item in items))
    said: dict[Pair, Verdict] = {}
    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        for pair, outcome in zip(chunk, pool.compare_pairs(chunk, 5.0), strict=True):
            said[pair] = outcome
    return [said[Pair(item.gold, item.answer)] for item in items]
