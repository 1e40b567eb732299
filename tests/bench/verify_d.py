"""Mutation score: right answers with one mistake in them must not be called correct."""

import random
from collections import Counter
from collections.abc import Iterator

from tests.answer_pairs import corpus
from tests.bench.figures import Figure
from tests.bench.judging import ABSENT, MATH, Item, adjudicated, gsm8k, judged, math, of_corpus, show
from tests.mutants import MISTAKES, mutants

IDS = ("verify.d",)


def measure() -> Iterator[Figure]:
    """The share of mutants that are rejected; those that are not, one by one."""
    if not MATH.exists():
        print(f"verify.d: skipped: {ABSENT}")
        return
    made = list(mutated(accepted()))
    rulings, known = judged(item for _, item in made), adjudicated("verify.d")
    show(((name, ruling.verdict) for (name, _), ruling in zip(made, rulings, strict=True)), "mistake", "verdict")
    alive = [(name, item) for (name, item), ruling in zip(made, rulings, strict=True) if ruling.verdict == "correct"]
    equal = [(name, item) for name, item in alive if item.name in known]
    for name, item in alive:
        why = known.get(item.name, "survived")
        print(f"  {item.name}: {name}: gold {item.gold!r}, mutant {item.answer!r}: {why}")
    count = len(made) - len(equal)  # a mutant that says the same as before is no mutant
    score = 100 * (1 - (len(alive) - len(equal)) / count)
    yield Figure("verify.d", round(score, 3), "%", ">= 99.5", f"{count:,} mutants of {len(MISTAKES)} kinds")
    yield Figure("verify.d.survivors", len(alive) - len(equal), "mutants", "", f"and {len(equal)} that are no mistakes")
    late = Counter(ruling.verdict for ruling in rulings)
    yield Figure("verify.d.timeouts", late["timeout"] + late["died"], "mutants", "")


def accepted() -> list[Item]:
    """Answers that are right: of MATH, of GSM8K, and the correct pairs of the corpus."""
    items = [Item(f"math {at}", row["answer"], row["answer"], row["problem"]) for at, row in enumerate(math())]
    items += [Item(f"gsm8k {at}", row["final"], row["final"], row["question"]) for at, row in enumerate(gsm8k())]
    for row in corpus():
        if row["verdict"] == "correct":
            items.append(of_corpus(row))
    return items


def mutated(items: list[Item]) -> Iterator[tuple[str, Item]]:
    """The kind of mistake and the item that has it; a percent sign is none where the question speaks of percent."""
    for item in items:
        for name, mutant in mutants(item.answer, random.Random(item.name)):
            if name == "percent sign" and ("percent" in item.question.lower() or "%" in item.question):
                continue
            yield name, Item(f"{item.name} | {name}", item.gold, mutant, item.question)
