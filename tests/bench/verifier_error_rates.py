"""Mutation score: right answers with one mistake in them must not be called correct, and right ones must.

Every report of verified rows shows the two rates, which are written to `infra/report_data/verifier_error_rates.toml`.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from infra.report_data.dataset_summary import ERROR_RATES_FILE
from tasks.base.confidence import wilson_interval
from tasks.verification.equivalence.question_hints import parse_hints
from tasks.verification.math_verify.verdict import describe_library
from tasks.verification.verify import Verify
from tests.bench.support.results import Figure
from tests.bench.support.verdicts import (
    ABSENT,
    MATH,
    Item,
    adjudicated,
    gsm8k,
    judged,
    math,
    of_corpus,
    show,
    solutions,
)
from tests.support.answer_pairs import load_corpus
from tests.support.mutants import MISTAKES, make_mutants
from tests.support.recorded import SOLUTIONS


def measure() -> Iterator[Figure]:
    """The share of mutants that are rejected; those that are not, one by one."""
    if not MATH.exists():
        print(f"verifier_error_rates: skipped: {ABSENT}")
        return
    made = list(mutated(accepted()))
    rulings, known = judged(item for _, item in made), adjudicated("verifier_error_rates")
    show(((name, ruling.verdict) for (name, _), ruling in zip(made, rulings, strict=True)), "mistake", "verdict")
    alive = [(name, item) for (name, item), ruling in zip(made, rulings, strict=True) if ruling.verdict == "correct"]
    equal = [(name, item) for name, item in alive if item.name in known]
    for name, item in alive:
        why = known.get(item.name, "survived")
        print(f"  {item.name}: {name}: gold {item.gold!r}, mutant {item.answer!r}: {why}")
    count = len(made) - len(equal)  # a mutant that says the same as before is no mutant
    score = 100 * (1 - (len(alive) - len(equal)) / count)
    yield Figure("mutation_score", round(score, 3), "%", ">= 99.5", f"{count:,} mutants of {len(MISTAKES)} kinds")
    yield Figure("survivors", len(alive) - len(equal), "mutants", "", f"and {len(equal)} that are no mistakes")
    yield from against_corpus()
    trust = {
        "false accepts": (len(alive) - len(equal), count, f"{len(MISTAKES)} kinds of mistakes made in right answers")
    }
    right = [item for item in accepted() if item.gold != item.answer] + true_solutions()
    missed = [item for item, ruling in zip(right, judged(right), strict=True) if ruling.verdict != "correct"]
    trust["false rejects"] = (len(missed), len(right), "right answers in other forms and recorded right solutions")
    for name, (wrong, of, _) in trust.items():
        yield Figure(name.replace(" ", "_"), round(100 * wrong / of, 3), "%", "", f"{wrong} of {of:,}")
    write_trust(trust)
    late = Counter(ruling.verdict for ruling in rulings)
    yield Figure("timeouts", late["timeout"], "mutants", "")


def against_corpus() -> Iterator[Figure]:
    """The verdicts on the corpus beside those expected."""
    rows = load_corpus()
    said = [ruling.verdict for ruling in judged(map(of_corpus, rows))]
    show(((f"expected {row['verdict']}", verdict) for row, verdict in zip(rows, said, strict=True)), "corpus", "said")
    agree = sum(row["verdict"] == verdict for row, verdict in zip(rows, said, strict=True))
    yield Figure("corpus_agreement", round(100 * agree / len(rows), 3), "%", "100", f"{len(rows):,} pairs")


def true_solutions() -> list[Item]:
    """Recorded solutions that are labelled right."""
    if not SOLUTIONS.exists():
        return []
    with tempfile.TemporaryDirectory() as folder:
        return [item for item, label in solutions(Path(folder)) if label]


def write_trust(rates: dict[str, tuple[int, int, str]]) -> None:
    """For the reports: each rate with its interval, and on what it was counted."""
    verifier = f"questmill.answer_match {Verify.version} with {describe_library()}"
    lines = [
        "# Written by `make bench ONLY=verifier_error_rates`; reports of verified rows show it.",
        f'verifier = "{verifier}"',
    ]
    for name, (wrong, of, what) in rates.items():
        low, high = wilson_interval(wrong, of)
        lines += ["", "[[figures]]", f'figure = "verifier: {name}"', f"value = {wrong / of:.6f}"]
        lines += [f"low = {low:.6f}", f"high = {high:.6f}", f"n = {of}", f'note = "{verifier}, on {what}"']
    ERROR_RATES_FILE.write_text("\n".join(lines) + "\n")


def accepted() -> list[Item]:
    """Answers that are right: of MATH, of GSM8K, and the correct pairs of the corpus."""
    items = [Item(f"math {at}", row["answer"], row["answer"], row["problem"]) for at, row in enumerate(math())]
    items += [Item(f"gsm8k {at}", row["final"], row["final"], row["question"]) for at, row in enumerate(gsm8k())]
    for row in load_corpus():
        if row["verdict"] == "correct":
            items.append(of_corpus(row))
    return items


def mutated(items: list[Item]) -> Iterator[tuple[str, Item]]:
    """The kind of mistake and the item that has it; a percent sign is none where a percentage is asked for."""
    for item in items:
        for name, mutant in make_mutants(item.answer, random.Random(item.name)):
            if name == "percent sign" and parse_hints(item.question).asks_percent:
                continue
            yield name, Item(f"{item.name} | {name}", item.gold, mutant, item.question)
