"""What the benchmarks of the verifier share: pairs of real answers, rulings of the whole ladder, tables for people."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tasks.verification.equivalence.compare import compare, parse_answer
from tasks.verification.equivalence.question_hints import parse_hints
from tasks.verification.extraction.rules import extract
from tasks.verification.math_verify import pool
from tasks.verification.math_verify.verdict import Pair, Verdict
from tasks.verification.verify import extract_gold, merge_boxes
from tests.support import recorded

MATH = recorded.SHARED_DATA / "math" / "test.jsonl"
GSM8K = recorded.SHARED_DATA / "gsm8k" / "test.jsonl"
ABSENT = "needs the test sets of MATH and of OpenAI's grade-school-math in ../shared/data/"
ADJUDICATED = Path(__file__).parents[2] / "data" / "adjudications.jsonl"
CHUNK = 256


class Item(NamedTuple):
    """One comparison; `name` says where it is from: `math 12:408`, `gsm8k 7-6b_finetuning`, `corpus 55`."""

    name: str
    gold: str
    answer: str
    question: str = ""


def judged(items: Iterable[Item], deadline: float = pool.DEADLINE_SECONDS) -> list[Verdict]:
    """The rulings of the ladder, Math-Verify for what it passes on included; a dead child is told as `died`."""
    found: list[Verdict] = []
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == CHUNK:
            found += _judged(batch, deadline)
            batch.clear()
    return found + _judged(batch, deadline)


def _judged(batch: Sequence[Item], deadline: float) -> list[Verdict]:
    decided = [compare(item.gold, item.answer, parse_hints(item.question)) for item in batch]
    left = [item for item, ruling in zip(batch, decided, strict=True) if ruling is None]
    rest = iter(
        pool.compare_pairs(
            [
                Pair(parse_answer(item.gold).text_and_unit[0], parse_answer(item.answer).text_and_unit[0])
                for item in left
            ],
            deadline,
        )
    )
    return [ruling or next(rest) for ruling in decided]


@cache
def math() -> list[dict[str, Any]]:
    """The rows of MATH's test set, with `answer`: what stands in the last box."""
    rows = [json.loads(line) for line in MATH.read_text().splitlines()]
    return [row | {"answer": extract_gold(row["solution"])} for row in rows]


@cache
def gsm8k() -> list[dict[str, Any]]:
    """The rows of GSM8K's test set, with `final`: what stands behind `####`."""
    rows = [json.loads(line) for line in GSM8K.read_text().splitlines()]
    return [row | {"final": extract_gold(row["answer"])} for row in rows]


def own(count: int = 5000) -> list[Item]:
    """Each MATH solution against its own box."""
    return [
        Item(f"math {at}:{at}", row["answer"], found.text, row["problem"])
        for at, row in enumerate(math()[:count])
        if (found := merge_boxes(extract(row["solution"])))
    ]


def strangers(count: int = 20_000) -> list[Item]:
    """Answers to different problems of MATH, drawn at random with a fixed seed."""
    rng, rows = random.Random(6), math()
    items: list[Item] = []
    while len(items) < count:
        gold, answer = rng.randrange(len(rows)), rng.randrange(len(rows))
        if gold != answer:
            texts = rows[gold]["answer"], rows[answer]["answer"]
            items.append(Item(f"math {gold}:{answer}", *texts, rows[gold]["problem"]))
    return items


def solutions(folder: Path) -> list[tuple[Item, bool]]:
    """The recorded solutions with an answer, as extracted, and their labels."""
    recorded.write_attempts(folder / "attempts.jsonl")
    items = []
    for at, line in enumerate((folder / "attempts.jsonl").read_text().splitlines()):
        row = json.loads(line)
        found = extract(row["response"])
        name = f"gsm8k {at}-{row['model']}"
        item = Item(name, extract_gold(row["answer"]), found.text if found else "", row["question"])
        items.append((item, row["is_correct"]))
    return items


def of_corpus(row: dict[str, Any]) -> Item:
    """A row of the corpus, named by its texts."""
    question = row.get("question", "")
    name = " | ".join(("corpus " + row["gold"], row["answer"], *filter(None, [question])))
    return Item(name, row["gold"], row["answer"], question)


def adjudicated(bench: str) -> dict[str, str]:
    """Names of the items of `bench` that somebody looked at, and what was found."""
    rows = [json.loads(line) for line in ADJUDICATED.read_text().splitlines()]
    return {row["item"]: row["reason"] for row in rows if row["bench"] == bench}


def show(pairs: Iterable[tuple[str, str]], rows: str, columns: str) -> None:
    """Print how often each of one verdict met each of another."""
    counts = Counter(pairs)
    names = sorted({column for _, column in counts})
    print(f"  {rows + ' / ' + columns:<28}" + "".join(f"{name:>14}" for name in names))
    for row in sorted({row for row, _ in counts}):
        print(f"  {row:<28}" + "".join(f"{counts[row, name]:>14,}" for name in names))
