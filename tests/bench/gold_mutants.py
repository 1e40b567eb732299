"""Mutants of real golds must not be called correct, and respellings of golds must not be called wrong.

The mutants are labelled by `tests/support/exact_labels.py`, which shares no code with the verifier; those without a
certain label are left out. Every accepted mutant is printed. The rates by rule and by type of the gold are written to
`infra/report_data/verifier_rule_rates.toml`, for the reports of verified rows.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from infra.report_data.rule_rates import RULE_RATES_FILE
from tasks.base.confidence import wilson_interval
from tasks.verification.math_verify.verdict import Verdict, describe_library
from tasks.verification.verify import Verify, extract_gold
from tests.bench.support.results import Figure
from tests.bench.support.verdicts import ABSENT, GSM8K, MATH, Item, adjudicated, judged, math, show
from tests.support.exact_labels import Unreadable, asked_unit, label, read
from tests.support.gold_mutations import MUTATIONS, mutate, respell
from tests.support.recorded import SHARED_DATA

SAMPLE = int(os.environ.get("QUESTMILL_BENCH_SAMPLE", "1"))
"""Every how many-th gold is taken. Figures and rates of a sample are not kept."""
LEAST_MUTANTS = 50_000
LEAST_MUTANTS_OF_A_KIND = 3_000


class Mutant(NamedTuple):
    """A mutant that is certainly another answer than its gold."""

    kind: str
    change: str
    item: Item


class Counts(NamedTuple):
    """How many pairs a rule or a type decided wrongly, of how many."""

    wrong: int
    pairs: int


def measure() -> Iterator[Figure]:
    """Accepted mutants, rejected respellings, and how many there were of each."""
    if not MATH.exists():
        print(f"gold_mutants: skipped: {ABSENT}")
        return
    figures = list(_measure())
    if SAMPLE == 1:
        yield from figures
        return
    for figure in figures:
        print(f"sample: {figure.id} {figure.value} {figure.unit} {figure.note}", flush=True)


def _measure() -> Iterator[Figure]:
    golds = real_golds()[::SAMPLE]
    mutants, left_out = make_mutants(golds)
    kinds = Counter(mutant.kind for mutant in mutants)
    print("  mutants: " + ", ".join(f"{kind} {kinds[kind]:,}" for kind in MUTATIONS), flush=True)
    verdicts = judged(mutant.item for mutant in mutants)
    show(((mutant.kind, found.verdict) for mutant, found in zip(mutants, verdicts, strict=True)), "kind", "verdict")
    known = adjudicated("gold_mutants")
    unexplained = 0
    wrong_mutants = list[tuple[Mutant, Verdict]]()
    for mutant, found in zip(mutants, verdicts, strict=True):
        equal = known.get(mutant.item.name) if found.verdict == "correct" else None
        if found.verdict == "correct":
            unexplained += equal is None
            print(f"  accepted by {found.rule}: {mutant.item.name}: {mutant.change}: {equal or 'UNEXPLAINED'}")
            if equal is None and mutant.item.question:
                print(f"    question: ...{' '.join(mutant.item.question.split())[-160:]}")
        if equal is None:
            wrong_mutants.append((mutant, found))
    count = len(wrong_mutants)
    yield Figure("mutants", count, "mutants", f">= {LEAST_MUTANTS:,}", f"of {len(golds):,} real golds, 8 kinds")
    kind, fewest = min(kinds.items(), key=lambda pair: pair[1])
    yield Figure("mutants_of_rarest_kind", fewest, "mutants", f">= {LEAST_MUTANTS_OF_A_KIND:,}", kind)
    yield Figure(
        "false_accepts", unexplained, "mutants", "0", f"and {len(mutants) - count} that are equal, with reasons"
    )
    yield Figure("left_out_uncertain", left_out["uncertain"], "mutants", "", "the evaluator could not label them")
    yield Figure("left_out_equal", left_out["equal"], "mutants", "", "the evaluator found them equal to the gold")
    yield Figure("timeouts", sum(found.verdict == "timeout" for found in verdicts), "mutants", "")
    spellings = list(make_respellings(golds))
    answers = judged(spelling.item for spelling in spellings)
    show(((spelling.kind, found.verdict) for spelling, found in zip(spellings, answers, strict=True)), "as", "verdict")
    rejected = undecided = 0
    for spelling, found in zip(spellings, answers, strict=True):
        if found.verdict != "correct":
            print(f"  {found.verdict} by {found.rule}: {spelling.item.name}: {spelling.kind}")
            rejected += found.verdict == "wrong"
            undecided += found.verdict != "wrong"
    of = f"{len(spellings):,} respellings"
    yield Figure("false_rejects", round(100 * rejected / len(spellings), 3), "%", "<= 0.3", f"{rejected} of {of}")
    yield Figure("undecided", round(100 * undecided / len(spellings), 3), "%", "", f"{undecided} of {of}")
    if SAMPLE == 1:
        write_rates(wrong_mutants, list(zip(spellings, answers, strict=True)))


def real_golds() -> list[tuple[str, str]]:
    """Golds of MATH, GSM8K and the public cases, each with its question."""
    golds = [(row["answer"], row["problem"]) for row in math()]
    for path in (GSM8K.with_name("train.jsonl"), GSM8K):
        rows = map(json.loads, path.read_text().splitlines() if path.exists() else [])
        golds += [(row["answer"].rpartition("####")[2].strip(), row["question"]) for row in rows]
    public = SHARED_DATA / "answers" / "public_cases.jsonl"
    rows = map(json.loads, public.read_text().splitlines() if public.exists() else [])
    golds += [(extract_gold(row["gold"]), row.get("question") or "") for row in rows]
    return golds


def make_mutants(golds: list[tuple[str, str]]) -> tuple[list[Mutant], Counter[str]]:
    """Mutants that certainly differ from their gold, each pair of texts once; and how many were left out."""
    mutants, left_out = list[Mutant](), Counter[str]()
    seen = set[tuple[str, ...]]()
    for gold, question in golds:
        for kind, change, text in mutate(gold, question):
            key = (gold, text, asked_unit(question) if kind == "unit" else "")
            if key in seen:
                continue
            seen.add(key)
            if (found := label(gold, text, question)) == "different":
                mutants.append(Mutant(kind, change, Item(f"{gold} | {kind} | {text}", gold, text, question)))
            else:
                left_out[found or "uncertain"] += 1
    return mutants, left_out


def make_respellings(golds: list[tuple[str, str]]) -> Iterator[Mutant]:
    """Other spellings of golds, each pair of texts once."""
    seen = set[tuple[str, str]]()
    for gold, question in golds:
        for change, text in respell(gold, question):
            if (gold, text) not in seen:
                seen.add((gold, text))
                yield Mutant(change, change, Item(f"{gold} | {text}", gold, text, question))


def type_of(gold: str) -> str:
    """The answer type of a gold: `number`, `math`, `text` or `choice`."""
    try:
        answer = read(gold)
    except Unreadable:
        return "math"
    if answer.kind in ("text", "choice"):
        return answer.kind
    return "number" if answer.kind == "scalar" and answer.parts[0].lstrip("-").replace(".", "").isdigit() else "math"


def write_rates(mutants: list[tuple[Mutant, Verdict]], spellings: list[tuple[Mutant, Verdict]]) -> None:
    """For the reports: false accepts and false rejects in all, by type of the gold and by rule, with intervals."""
    verifier = f"questmill.answer_match {Verify.version} with {describe_library()}"
    lines = [
        "# Written by `make bench ONLY=gold_mutants`; reports of verified rows show it.",
        f'verifier = "{verifier}"',
    ]
    accepts = _count(mutants, "correct")
    rejects = _count(spellings, "wrong")
    for name, counts, what in (
        ("false accepts", accepts, "answers made from real golds by one mistake"),
        ("false rejects", rejects, "real golds in other spellings"),
    ):
        for group, count in sorted(counts["type"].items()):
            title = f"verifier, real golds: {name}" + (f", {group}" if group else "")
            lines += ["", "[[figures]]", f'figure = "{title}"', *_write_rate(count)]
            lines += [f'note = "{verifier}, on {what}"']
    for rule in sorted({*accepts["rule"], *rejects["rule"]}):
        lines += ["", "[[rules]]", f'rule = "{rule}"']
        for name, counts in (("accepts", accepts), ("rejects", rejects)):
            count = counts["rule"].get(rule, Counts(0, 0))
            low, high = wilson_interval(*count) if count.pairs else (0.0, 1.0)
            lines += [f"{name} = {{ wrong = {count.wrong}, n = {count.pairs}, low = {low:.6f}, high = {high:.6f} }}"]
    RULE_RATES_FILE.write_text("\n".join(lines) + "\n")


def _count(pairs: list[tuple[Mutant, Verdict]], fault: str) -> dict[str, dict[str, Counts]]:
    """Pairs with the verdict `fault`, and all pairs, by rule and by type; the type `` is all."""
    counts: dict[str, dict[str, Counts]] = {"rule": defaultdict(lambda: Counts(0, 0)), "type": {"": Counts(0, 0)}}
    for mutant, found in pairs:
        is_wrong = found.verdict == fault
        for by, name in (("rule", found.rule), ("type", type_of(mutant.item.gold)), ("type", "")):
            before = counts[by].get(name, Counts(0, 0))
            counts[by][name] = Counts(before.wrong + is_wrong, before.pairs + 1)
    return counts


def _write_rate(count: Counts) -> list[str]:
    low, high = wilson_interval(*count)
    return [
        f"value = {count.wrong / count.pairs:.6f}",
        f"low = {low:.6f}",
        f"high = {high:.6f}",
        f"n = {count.pairs}",
    ]
