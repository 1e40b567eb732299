"""What held before: verdicts on five sets of real answers and on the corpus, beside those of an earlier verifier.

`tests/data/former_verdicts.json` holds the first letters of the earlier verdicts, in the order of each set, and its
abstentions by rule. A verdict that is worse than before needs a line in `adjudications.jsonl`.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from schemas.outcomes import Quarantine
from tasks.verification.verify import Verify
from tests.bench.support.results import Figure
from tests.bench.support.verdicts import ABSENT, MATH, adjudicated, gsm8k, judged, math, of_corpus, strangers
from tests.support import recorded
from tests.support.answer_pairs import load_corpus

FORMER = Path(__file__).parents[1] / "data" / "former_verdicts.json"
DECIDED = ("correct", "wrong")
VERDICTS = {word[0]: word for word in (*DECIDED, "unparseable", "timeout")}


class Judged(NamedTuple):
    """A comparison, the verdict that is best for it, and the verdict that it has. `texts`: gold and answer, if read."""

    name: str
    best: str
    verdict: str
    rule: str
    texts: tuple[str | None, str | None]


def measure() -> Iterator[Figure]:
    """For each set its abstentions, what became worse, and the answers of other problems that are accepted."""
    if not MATH.exists() or not recorded.SOLUTIONS.exists():
        print(f"verdict_changes: skipped: {ABSENT}")
        return
    former, known = json.loads(FORMER.read_text()), adjudicated("math_answer_equality") | adjudicated("verdict_changes")
    print(f"  before: commit {former['commit']}")
    for name, rows in judge_sets():
        before = former["sets"][name]
        yield from _compare(
            name, rows, [VERDICTS[letter] for letter in before["verdicts"]], before["abstentions"], known
        )


def judge_sets() -> Iterator[tuple[str, list[Judged]]]:
    """The sets with their verdicts, whole solutions by the whole verifier and the corpus by its rules."""
    with tempfile.TemporaryDirectory() as folder:
        recorded.write_attempts(Path(folder, "attempts.jsonl"))
        attempts = [json.loads(line) for line in Path(folder, "attempts.jsonl").read_text().splitlines()]
    names = [f"gsm8k {at}-{row['model']}" for at, row in enumerate(attempts)]
    labels = ["correct" if row["is_correct"] else "wrong" for row in attempts]
    yield "recorded", _judge(names, labels, attempts)
    solutions = [(row["problem"], row["solution"]) for row in math()]
    yield "math_own", _judge_pairs("math", solutions, [(at, at) for at in range(len(solutions))])
    yield "math_neighbours", _judge_pairs("math", solutions, _pair_neighbours(solutions))
    lessons = [(row["question"], row["answer"]) for row in gsm8k()]
    yield "gsm8k_neighbours", _judge_pairs("gsm8k", lessons, _pair_neighbours(lessons))
    drawn = [item.name.removeprefix("math ").partition(":") for item in strangers()]
    yield "math_strangers", _judge_pairs("math", solutions, [(int(one), int(other)) for one, _, other in drawn])
    corpus = load_corpus()
    items = [of_corpus(row) for row in corpus]
    yield (
        "corpus",
        [
            Judged(item.name, row["verdict"], verdict.verdict, verdict.rule, (item.gold, item.answer))
            for item, row, verdict in zip(items, corpus, judged(items), strict=True)
        ],
    )


def _pair_neighbours(rows: Sequence[Any]) -> list[tuple[int, int]]:
    return [(at, (at + 1) % len(rows)) for at in range(len(rows))]


def _judge_pairs(name: str, rows: Sequence[tuple[str, str]], pairs: Sequence[tuple[int, int]]) -> list[Judged]:
    """The solution of the second of each pair, judged by that of the first."""
    attempts = [
        {"question": rows[gold][0], "response": rows[answer][1], "answer": rows[gold][1]} for gold, answer in pairs
    ]
    names = [f"{name} {gold}:{answer}" for gold, answer in pairs]
    return _judge(names, ["correct" if gold == answer else "wrong" for gold, answer in pairs], attempts)


def _judge(names: Sequence[str], best: Sequence[str], attempts: Sequence[dict[str, Any]]) -> list[Judged]:
    rows = [
        {"row_id": str(at), **{key: row[key] for key in ("question", "response", "answer")}}
        for at, row in enumerate(attempts)
    ]
    verdicts = [row for row in Verify().rows(rows, None) if not isinstance(row, Quarantine)]
    return [
        Judged(name, should, row["verdict"], row["rule"], (row["gold_parsed"], row["answer_parsed"]))
        for name, should, row in zip(names, best, verdicts, strict=True)
    ]


def _compare(
    name: str, rows: Sequence[Judged], before: Sequence[str], abstentions_before: dict[str, int], known: dict[str, str]
) -> Iterator[Figure]:
    abstained = Counter(row.rule for row in rows if row.verdict not in DECIDED)
    counts, former = Counter(row.verdict for row in rows), Counter(before)
    print(f"  {name}: {len(rows):,} pairs")
    for verdict in VERDICTS.values():
        print(f"    {verdict:<24}{former[verdict]:>8,} -> {counts[verdict]:>6,}")
    for rule in sorted({*abstained, *abstentions_before}):
        print(f"      {rule:<22}{abstentions_before.get(rule, 0):>8,} -> {abstained[rule]:>6,}")
    worse = [
        (row, was)
        for row, was in zip_longest(rows, before)
        if row and was and _rank(row.verdict, row.best) < _rank(was, row.best)
    ]
    for row, was in worse:
        why = known.get(row.name, "not looked at")
        print(f"    {row.name}: {row.texts}: {was} -> {row.verdict} ({row.rule}): {why}")
    yield Figure(
        f"{name}_abstentions",
        sum(abstained.values()),
        "pairs",
        f"<= {sum(abstentions_before.values())}",
        f"of {len(rows):,}; correct {counts['correct']:,}, wrong {counts['wrong']:,}",
    )
    unexplained = sum(row.name not in known for row, _ in worse)
    yield Figure(f"{name}_worse_unexplained", unexplained, "pairs", "0", f"of {len(worse)} that are worse")
    if name.endswith(("neighbours", "strangers")):
        accepted = [row for row in rows if row.verdict == "correct"]
        others = [row for row in accepted if row.rule != "identical"]
        for row in others:
            print(f"    {row.name}: {row.texts} accepted ({row.rule}): {known.get(row.name, 'not looked at')}")
        yield Figure(
            f"{name}_accepted",
            sum(row.name not in known for row in others),
            "pairs",
            "0",
            f"{len(accepted) - len(others)} are the same text; {len(others)} the same value, each with its reason",
        )


def _rank(verdict: str, best: str) -> int:
    """How good a verdict is: 2 for the best one, 1 for an abstention, 0 for the opposite."""
    if verdict == best or (best not in DECIDED and verdict not in DECIDED):
        return 2
    return 0 if verdict == "correct" or (verdict == "wrong" and best == "correct") else 1
