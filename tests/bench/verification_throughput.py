"""Throughput beside Math-Verify alone: the same pairs, the same two processes, one after the other."""

import multiprocessing
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tasks.verification.math_verify import pool
from tasks.verification.math_verify.verdict import Pair
from tests.bench.support.results import Figure
from tests.bench.support.verdicts import ABSENT, MATH, Item, judged, math, solutions

PAIRS, SAMPLE = 100_000, 4_000
"""The sample is for Math-Verify, whose rate it gives: all would take it ten minutes."""
PROCESSES = 2


def measure() -> Iterator[Figure]:
    """Verdicts a second of both, and the quotient."""
    if not MATH.exists():
        print(f"verification_throughput: skipped: {ABSENT}")
        return
    items = mixture(PAIRS)
    texts = f"{len(items):,} pairs, {len({(item.gold, item.answer) for item in items}):,} different"
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(PROCESSES) as pool:
        pool.map(warm, range(PROCESSES), chunksize=1)
        began = time.perf_counter()
        found = Counter(name for names in pool.map(ladder, split(items)) for name in names)
        ours = len(items) / (time.perf_counter() - began)
    print("  " + ", ".join(f"{name} {count:,}" for name, count in found.most_common(12)))
    sample = random.Random(1).sample(items, min(SAMPLE, len(items)))
    with spawn.Pool(PROCESSES) as pool:
        pool.map(warm_library, range(PROCESSES), chunksize=1)
        began = time.perf_counter()
        pool.map(library, split(sample))
        theirs = len(sample) / (time.perf_counter() - began)
    yield Figure("speed", round(ours), "verdicts/s", ">= 15000", texts)
    yield Figure("math_verify_speed", round(theirs), "verdicts/s", "", f"{len(sample):,} of the same pairs")
    yield Figure("times_math_verify", round(ours / theirs, 1), "x", ">= 5")
    passed_on = 100 * found["math_verify"] / len(items)
    yield Figure("passed_to_math_verify", round(passed_on, 2), "% of pairs", "", "that Math-Verify was asked about")


def mixture(count: int) -> list[Item]:
    """60 % attempts of models at GSM8K, 40 % MATH: as often written otherwise as the answer to another problem."""
    rng, rows = random.Random(60), math()
    with tempfile.TemporaryDirectory() as folder:
        attempts = [item for item, _ in solutions(Path(folder))]
    items = [rng.choice(attempts) for _ in range(count * 6 // 10)]
    while len(items) < count:
        row = rng.choice(rows)
        answer = rewritten(row["answer"], rng) if rng.random() < 0.5 else rng.choice(rows)["answer"]
        items.append(Item("math", row["answer"], answer, row["problem"]))
    rng.shuffle(items)
    return items


def rewritten(answer: str, rng: random.Random) -> str:
    """The same answer as another writer would put it."""
    ways = [
        lambda text: text,
        lambda text: re.sub(r"\\[dt]?frac(?=\{)", r"\\dfrac", text),
        lambda text: re.sub(r"(?<![A-Za-z}]) | (?![A-Za-z])", "", text),
        lambda text: f"${text}$",
        lambda text: re.sub(r"(?<!\\left)\((.*)(?<!\\right)\)", r"\\left(\1\\right)", text),
        lambda text: re.sub(r"\\d?frac\{(\d+)\}\{(\d+)\}", r"\1/\2", text),
        lambda text: f"x = {text}" if re.fullmatch(r"-?[0-9]+", text) else text,
        lambda text: re.sub(r"([0-9])\.?\Z", r"\1.0", text) if re.fullmatch(r"-?[0-9]+", text) else text,
    ]
    return rng.choice(ways)(answer)


def split(items: list[Item]) -> list[list[Item]]:
    """As many parts as processes have work for; not smaller than a shard."""
    return [items[at :: PROCESSES * 4] for at in range(PROCESSES * 4)]


def warm(_: int) -> None:
    """Start the child of this process, as the first shard of a run does."""
    pool.compare_pairs([Pair("x", "y")])
    time.sleep(1)  # so that the other process takes the other


def ladder(items: list[Item]) -> list[str]:
    """The rungs that decided."""
    return [ruling.rule for ruling in judged(items)]


def warm_library(_: int) -> None:
    """Import the library in this process."""
    import math_verify  # noqa: F401

    time.sleep(1)


def library(items: list[Item]) -> list[bool]:
    """What Math-Verify says, with its own time limits and as its documentation calls it."""
    from math_verify import parse, verify

    return [verify(parse(f"${item.gold}$"), parse(f"${item.answer}$")) for item in items]
