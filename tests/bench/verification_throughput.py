"""Throughput of the whole verifier on one core, from responses to verdicts, beside Math-Verify alone on that core."""

import json
import multiprocessing
import os
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from schemas.outcomes import Quarantine, Row
from tasks.verification.equivalence.compare import compare
from tasks.verification.equivalence.latex_commands import is_equation
from tasks.verification.equivalence.question_hints import parse_hints
from tasks.verification.extraction.rules import UNDECIDABLE, extract
from tasks.verification.math_verify import pool
from tasks.verification.verify import Verify, extract_gold, merge_boxes, read_response
from tests.bench.support.results import Figure
from tests.bench.support.verdicts import ABSENT, MATH, math
from tests.support import recorded

PAIRS, SAMPLE = 10_000, 1_000
"""The sample is for Math-Verify alone, whose rate it gives: all would take it a minute."""
BATCH_ROWS = 512
"""Rows judged at once: those of a shard."""
SLOWEST = 50
"""Attempts that are judged once more, each alone: how long they took the first time depends on who used the core."""
WARM: Row = {"row_id": "warm", "question": "", "response": r"\boxed{2\sin m\cos m}", "answer": r"\sin 2m"}
"""An attempt that starts the child, because no rule of ours decides about it."""
HARD_LEVEL = "Level 5"
"""Level of the MATH problems that stand for those of colleges and olympiads, which are not at hand."""


class Measured(NamedTuple):
    """What one process measured: seconds of the clock and of CPU time, child included, the verdicts, and the attempts
    that took longest."""

    seconds: float
    cpu_seconds: float
    rules: Counter[str]
    passed_on: int
    slowest: list[Row]


def measure() -> Iterator[Figure]:
    """Verdicts a second of both, and the quotient."""
    if not MATH.exists():
        print(f"verification_throughput: skipped: {ABSENT}")
        return
    attempts = mixture(PAIRS)
    sample = random.Random(1).sample(attempts, SAMPLE)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1, pin) as workers:
        ours = workers.apply(judge_all, (attempts,))
    with spawn.Pool(1, pin) as workers:
        slowest, name = max(workers.apply(judge_each, (ours.slowest,)))
    with spawn.Pool(1, pin) as workers:
        theirs = workers.apply(ask_library, (sample,))
    print("  " + ", ".join(f"{name} {count:,}" for name, count in ours.rules.most_common(20)))
    print(f"  the slowest pair: {name}")
    kinds = "a third each GSM8K, MATH and MATH of level 5"
    note = f"{PAIRS:,} responses, {kinds}; by CPU time of verifier and child"
    yield Figure("speed", round(PAIRS / ours.cpu_seconds), "verdicts/s", ">= 3000", note)
    yield Figure(
        "clock_speed", round(PAIRS / ours.seconds), "verdicts/s", "", "by the clock, on a core shared by others"
    )
    limit = round(1e3 * pool.DEADLINE_SECONDS)
    yield Figure("slowest_pair", round(1e3 * slowest), "ms", f"<= {limit}", "of CPU time, extraction included")
    yield Figure("math_verify_speed", round(SAMPLE / theirs, 1), "verdicts/s", "", f"{SAMPLE:,} of the same; CPU time")
    yield Figure("times_math_verify", round(PAIRS / ours.cpu_seconds / SAMPLE * theirs, 1), "x", ">= 5", "by CPU time")
    share = 100 * ours.passed_on / PAIRS
    yield Figure("passed_to_math_verify", round(share, 2), "% of pairs", "", "that Math-Verify was asked about")


def mixture(count: int) -> list[Row]:
    """Attempts of models at GSM8K, and solutions of MATH against golds written otherwise or those of the next problem.

    The next problem is one of the same subject and level, so that the two answers look alike.
    """
    rng = random.Random(60)
    with tempfile.TemporaryDirectory() as folder:
        recorded.write_attempts(Path(folder) / "attempts.jsonl")
        lines = (Path(folder) / "attempts.jsonl").read_text().splitlines()
    rows = list[Row]()
    for line in lines[: count - 2 * (count // 3)]:  # all attempts at a question stand together, as in a run
        rows.append(json.loads(line))
    for is_hard in (False, True):
        problems = [row for row in math() if (row["level"] == HARD_LEVEL) == is_hard]
        problems.sort(key=lambda row: (row["type"], row["level"]))
        for at in range(count // 3):
            problem = problems[at % len(problems)]
            following = problems[(at + 1 + at // len(problems)) % len(problems)]
            is_own = rng.random() < 0.5
            gold = rewritten(problem["answer"], rng) if is_own else following["answer"]
            question = problem["problem"] if is_own else following["problem"]
            rows.append({"question": question, "response": problem["solution"], "answer": gold})
    return [{"row_id": str(at), **row} for at, row in enumerate(rows)]


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


def pin() -> None:
    """Keep this process and its children on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def judge_all(attempts: Sequence[Row]) -> Measured:
    """Judge the attempts in batches, once the child has started."""
    stage = Verify()
    assert is_passed_on(WARM)
    list(stage.rows([WARM], None))
    began, cpu_before = time.perf_counter(), read_cpu_seconds()
    rows = list[Row]()
    for start in range(0, len(attempts), BATCH_ROWS):
        batch = stage.rows(attempts[start : start + BATCH_ROWS], None)
        rows += [row for row in batch if not isinstance(row, Quarantine)]
    seconds, cpu_seconds = time.perf_counter() - began, read_cpu_seconds() - cpu_before
    slowest = sorted(range(len(rows)), key=lambda at: float(rows[at]["milliseconds"]))[-SLOWEST:]
    passed_on = sum(map(is_passed_on, attempts))
    rules = Counter(f"{row['verdict']} {row['rule']}" for row in rows)
    return Measured(seconds, cpu_seconds, rules, passed_on, [attempts[at] for at in slowest])


def judge_each(attempts: Sequence[Row]) -> list[tuple[float, str]]:
    """Seconds of CPU time for each attempt, judged alone, and what it is."""
    stage = Verify()
    list(stage.rows([WARM], None))
    measured = list[tuple[float, str]]()
    for attempt in attempts:
        before = read_cpu_seconds()
        (row,) = stage.rows([attempt], None)
        assert not isinstance(row, Quarantine)
        measured.append((read_cpu_seconds() - before, f"{attempt['answer']!r} ({row['rule']})"))
    return measured


def is_passed_on(attempt: Row) -> bool:
    """Whether no rule of ours decides about an attempt."""
    extracted = merge_boxes(extract(read_response(attempt["response"]) or "", takes_words=True))
    if extracted is None or extracted.doubt in UNDECIDABLE:
        return False
    gold = extract_gold(attempt["answer"])
    answer = extracted.equation if extracted.equation and is_equation(gold) else extracted.text
    return compare(gold, answer, parse_hints(attempt["question"])) is None


def read_cpu_seconds() -> float:
    """CPU time of this process and of its children, those that ended included."""
    used = os.times()
    living = [child.cpu_times() for child in psutil.Process().children()]
    return used.user + used.system + used.children_user + used.children_system + sum(t.user + t.system for t in living)


def ask_library(attempts: Sequence[Row]) -> float:
    """Seconds of CPU time in which Math-Verify alone judges, with its own time limits, as its documentation calls it.

    Like the verifier it is given whole responses.
    """
    from math_verify import parse, verify

    verify(parse("$x$"), parse(r"\boxed{y}"))
    began = time.process_time()
    for attempt in attempts:
        verify(parse(f"${extract_gold(attempt['answer'])}$"), parse(attempt["response"]))
    return time.process_time() - began
