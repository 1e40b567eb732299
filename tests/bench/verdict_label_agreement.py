"""Agreement of the verdicts with the labels of 5,276 recorded solutions, as a confusion matrix."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.support.results import Figure
from tests.bench.support.verdicts import adjudicated, judged, show, solutions
from tests.support.recorded import SKIP_REASON, SOLUTIONS


def measure() -> Iterator[Figure]:
    """The share of verdicts that agree, and the differences that nobody has looked at."""
    if not SOLUTIONS.exists():
        print(f"verdict_label_agreement: skipped: {SKIP_REASON}")
        return
    with tempfile.TemporaryDirectory() as folder:
        items = solutions(Path(folder))
    rulings = judged(item for item, _ in items)
    known = adjudicated("verdict_label_agreement")
    show(((ruling.verdict, f"label {label}") for (_, label), ruling in zip(items, rulings, strict=True)), "verdict", "")
    differ = [
        item for (item, label), ruling in zip(items, rulings, strict=True) if (ruling.verdict == "correct") != label
    ]
    for item in differ:
        print(f"  {item.name}: gold {item.gold!r}, answer {item.answer!r}: {known.get(item.name, 'not looked at')}")
    share = 100 * (1 - len(differ) / len(items))
    yield Figure("agreement", round(share, 3), "%", "100", f"{len(items):,} recorded solutions")
    unknown = [item for item in differ if item.name not in known]
    yield Figure("unexplained", len(unknown), "solutions", "0")
