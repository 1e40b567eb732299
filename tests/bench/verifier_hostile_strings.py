"""Totality: whatever string stands on either side, there is a verdict in time, and memory stays where it is."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tasks.verification.equivalence.compare import compare, parse_answer
from tasks.verification.extraction.rules import extract
from tasks.verification.math_verify.pool import DEADLINE_SECONDS, WALL_FACTOR, MathVerifyProcess
from tasks.verification.math_verify.verdict import Pair
from tests.bench.support.results import Figure
from tests.support.strings import HOSTILE_STRINGS, generate_by_grammar, generate_by_hypothesis

STRINGS = int(os.environ.get("FUZZ", "200000"))
"""Half of them by hypothesis, half by a grammar; Math-Verify is asked about every third, some 10 ms each."""
THREADS = 2
CHUNK = 64
GOLDS = ("18", r"\frac{3}{4}", "x^2+2x+1", "(1,2]", "east", r"\sqrt{2}", r"\{1,2\}", "50%")


class Seen(NamedTuple):
    """What a thread saw: how often each verdict, the longest pair and the growth of its child, in seconds and MB."""

    verdicts: Counter[str]
    longest: float
    grown: float


def measure() -> Iterator[Figure]:
    """Verdicts, crashes, hangs and memory over all strings and the poison."""
    strings = [*HOSTILE_STRINGS, *generate_by_hypothesis(STRINGS // 2), *generate_by_grammar(STRINGS // 2)]
    random.Random(5).shuffle(strings)
    judge(strings[: len(strings) // 20])  # caches fill and children warm up
    before = resident(os.getpid())
    with ThreadPoolExecutor(THREADS) as threads:
        seen = list(threads.map(judge, (strings[at::THREADS] for at in range(THREADS))))
    grown = resident(os.getpid()) - before
    verdicts = sum((each.verdicts for each in seen), Counter[str]())
    print("  " + ", ".join(f"{name} {count:,}" for name, count in verdicts.most_common()))
    judged = sum(count for name, count in verdicts.items() if name != "crash")
    yield Figure("verdicts", judged, "verdicts", f"{len(strings)}", f"{len(HOSTILE_STRINGS)} of the strings are poison")
    yield Figure("crashes", verdicts["crash"], "strings", "0")
    longest = round(max(each.longest for each in seen), 2)
    limit = DEADLINE_SECONDS * WALL_FACTOR + 1
    yield Figure(
        "longest_pair", longest, "s", f"<= {limit}", f"by the clock; limited to {DEADLINE_SECONDS} s of CPU time"
    )
    yield Figure("memory_growth", round(grown), "MB", "flat", "of this process")
    yield Figure("child_memory_growth", round(max(each.grown for each in seen)), "MB", "flat", "of a child, at most")


def judge(strings: Sequence[str]) -> Seen:
    """Each string as an answer and, where it is short, as a gold; also as a whole response."""
    verdicts, longest, rng = Counter[str](), 0.0, random.Random(7)
    referee = MathVerifyProcess()
    children: dict[int | None, list[float]] = {}
    for start in range(0, len(strings), CHUNK):
        left = []
        for text in strings[start : start + CHUNK]:
            began = time.perf_counter()
            gold, answer = (text, rng.choice(GOLDS)) if rng.random() < 0.3 else (rng.choice(GOLDS), text)
            try:
                extract(text)
                ruling = compare(gold, answer)
                pair = (
                    None if ruling else Pair(parse_answer(gold).text_and_unit[0], parse_answer(answer).text_and_unit[0])
                )
            except Exception as error:
                print(f"  crash of {text[:80]!r}: {error!r}")
                verdicts["crash"] += 1
                continue
            longest = max(longest, time.perf_counter() - began)
            if pair:
                left.append(pair)
            else:
                assert ruling is not None
                verdicts[ruling.verdict] += 1
        for pair in left:
            if referee.pid is None:
                referee.compare_pairs([Pair("1", "1")])  # the restart after a poison pair is not this pair's time
            began = time.perf_counter()
            (outcome,) = referee.compare_pairs([pair])
            longest = max(longest, time.perf_counter() - began)
            if outcome.rule == "verifier_died":
                print(f"  the child died of {pair}")
            verdicts[outcome.verdict] += 1
        children.setdefault(referee.pid, []).append(resident(referee.pid))
    referee.close()
    return Seen(verdicts, longest, max((max(sizes) - sizes[len(sizes) // 5] for sizes in children.values()), default=0))


def resident(pid: int | None) -> float:
    """MB of memory that a process holds."""
    if pid is None:
        return 0.0
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
