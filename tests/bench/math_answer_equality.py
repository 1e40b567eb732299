"""Every MATH test answer against itself, and against those of other problems: equal only where somebody says so."""

from collections.abc import Iterator

from tests.bench.support.results import Figure
from tests.bench.support.verdicts import ABSENT, MATH, adjudicated, judged, own, show, strangers


def measure() -> Iterator[Figure]:
    """How many are equal to themselves, and which pairs of strangers are."""
    if not MATH.exists():
        print(f"math_answer_equality: skipped: {ABSENT}")
        return
    same = judged(items := own())
    for item, ruling in zip(items, same, strict=True):
        if ruling.verdict != "correct":
            print(f"  {item.name}: {item.gold!r} is {ruling.verdict} ({ruling.rule})")
    agreed = sum(ruling.verdict == "correct" for ruling in same)
    yield Figure("own_answers", agreed, "answers", "5000", "solutions of MATH against their own box")
    rulings, known = judged(items := strangers()), adjudicated("math_answer_equality")
    show(((ruling.verdict, "strangers") for ruling in rulings), "verdict", "")
    equal = [item for item, ruling in zip(items, rulings, strict=True) if ruling.verdict == "correct"]
    written_alike = [item for item in equal if item.gold == item.answer]
    others = [item for item in equal if item.gold != item.answer]
    for item in others:
        print(f"  {item.name}: {item.gold!r} = {item.answer!r}: {known.get(item.name, 'not looked at')}")
    yield Figure("other_answers", len(equal), "pairs", "", f"{len(written_alike)} of {len(items):,} written alike")
    yield Figure("unexplained", sum(item.name not in known for item in others), "pairs", "0")
    late = sum(ruling.verdict == "timeout" for ruling in (*same, *rulings))
    yield Figure("timeouts", late, "pairs", "0")
