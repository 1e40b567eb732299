"""Verdicts beside busy processes: the same pairs, the hardest included, must get the verdicts that they get alone."""

import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from schemas.outcomes import Quarantine, Row
from tasks.verification.equivalence.compare import compare
from tasks.verification.math_verify import pool
from tasks.verification.verify import RETRY_FACTOR, Verify
from tests.bench.support.results import Figure
from tests.support.answer_pairs import load_corpus
from tests.support.strings import generate_by_grammar

PAIRS = 2_000
REPEATS = int(os.environ.get("REPEATS", "3"))
"""How often all pairs are judged alone, and as often beside the busy processes."""
BUSY_PROCESSES = 2
LIMIT_MILLISECONDS = 1e3 * RETRY_FACTOR * pool.DEADLINE_SECONDS
"""CPU time after which a pair is a `timeout` for good."""
GRADED = (
    *((rf"\sum_{{k=1}}^{{{terms}}}\frac{{1}}{{k^2}}", r"\frac{\pi^2}{6}") for terms in (100, 1000, 10_000)),
    *((rf"\sum_{{k=1}}^{{{terms}}}\frac{{\sin k}}{{k}}", "1") for terms in (10, 100, 10_000_000)),
    *((rf"\prod_{{k=1}}^{{{terms}}}(1+\frac{{1}}{{k^2}})", "3") for terms in (100, 300, 400, 500, 600, 700, 800, 1000)),
    *((r"\log" * depth + " x", r"\ln" * depth + " x") for depth in (2, 3, 4, 5, 6)),
    *(("e^{" * depth + "x" + "}" * depth, r"\pi^{" * depth + "x" + "}" * depth) for depth in (2, 3, 4)),
)
"""Pairs that take Math-Verify from a tenth of a second to more than its limit."""
FORMULAS = (
    (r"\frac{\sin x}{1+\cos x}", r"\tan\frac{x}{2}", r"\frac{1-\cos x}{\sin x}"),
    (r"\sin^6 x+\cos^6 x", r"1-3\sin^2 x\cos^2 x", r"\frac{5+3\cos 4x}{8}"),
    (r"\cos 5x", r"16\cos^5 x-20\cos^3 x+5\cos x", r"\cos 3x\cos 2x-\sin 3x\sin 2x"),
    (r"\frac{\sin x+\sin 3x+\sin 5x}{\cos x+\cos 3x+\cos 5x}", r"\tan 3x", r"\frac{\sin 3x}{\cos 3x}"),
    (r"\sqrt{\frac{2GM}{R}(1-\frac{R}{r})}", r"\sqrt{2GM(\frac{1}{R}-\frac{1}{r})}", r"\sqrt{\frac{2GM(r-R)}{rR}}"),
    (r"\frac{\lambda_0}{\sqrt{1-\frac{v^2}{c^2}}}", r"\lambda_0(1-\frac{v^2}{c^2})^{-1/2}", r"\frac{c\lambda_0}{v}"),
    (r"y_0 e^{-kt}\cos(\omega t+\phi)", r"y_0 e^{-kt}(\cos\omega t\cos\phi-\sin\omega t\sin\phi)", r"y_0 e^{-kt}"),
    (r"\frac{1}{2}\left(\cos(\omega t)+e^{-t}\right)", r"\frac{\cos(\omega t)}{2}+\frac{1}{2e^{t}}", r"\cos\omega t"),
    (r"I_0 e^{-\frac{R}{L}t}+\frac{V}{R}(1-e^{-\frac{R}{L}t})", r"\frac{V}{R}+(I_0-\frac{V}{R})e^{-Rt/L}", r"I_0"),
    (r"\binom{2n}{n}", r"\sum_{k=0}^{n}\binom{n}{k}^2", r"\frac{(2n)!}{(n!)^2}"),
    (r"\sum_{k=1}^{n}k^3", r"\frac{n^2(n+1)^2}{4}", r"\left(\frac{n(n+1)}{2}\right)^2"),
    (r"\sum_{k=1}^{n}\frac{1}{k(k+1)}", r"\frac{n}{n+1}", r"1-\frac{1}{n+1}"),
    (r"\sinh x", r"\frac{e^{x}-e^{-x}}{2}", r"\cosh x"),
    (r"\sqrt{\sqrt{2+\sqrt{3}}+\sqrt{5}}", r"\sqrt[3]{2+\sqrt{7}}", r"\sqrt{2+\sqrt{3+\sqrt{5}}}"),
    (r"\ln\frac{x+\sqrt{x^2-1}}{2}", r"\ln(x+\sqrt{x^2-1})-\ln 2", r"\ln x"),
    (r"\frac{e^{ix}+e^{-ix}}{2}", r"\cos x", r"e^{ix}"),
)
"""Formulas of trigonometry, physics and sums: the first two of a row are equal, the third mostly too."""


class Judged(NamedTuple):
    """What a run said of a pair, and the milliseconds it took."""

    verdict: str
    rule: str
    milliseconds: float


def measure() -> Iterator[Figure]:
    """How many pairs have one verdict in all runs, and what is known of the others."""
    attempts = make_attempts()
    runs = list[list[Judged]]()
    for _ in range(REPEATS):
        for busy in (0, BUSY_PROCESSES):
            began = time.perf_counter()
            runs.append(judge(attempts, busy))
            limited = Counter(judged.verdict for judged in runs[-1])["timeout"]
            print(f"  {busy} busy processes: {time.perf_counter() - began:.0f} s, {limited} timeouts", flush=True)
    differing = [at for at in range(PAIRS) if len({judged[:2] for judged in (run[at] for run in runs)}) > 1]
    contradictions = [at for at in differing if {"correct", "wrong"} <= {run[at].verdict for run in runs}]
    far = [at for at in differing if not lies_near_limit([run[at] for run in runs])]
    for at in differing:
        said = ", ".join(f"{run[at].verdict} ({run[at].rule}, {run[at].milliseconds:.0f} ms)" for run in runs)
        print(f"  differs: {attempts[at]['response']!r} for {attempts[at]['answer']!r}: {said}")
    asked = sum(compare(row["answer"], row["response"][7:-1]) is None for row in attempts)
    note = f"{PAIRS:,} pairs, {asked:,} by Math-Verify; {len(runs)} runs, half beside {BUSY_PROCESSES} busy processes"
    yield Figure("identical", round(100 * (1 - len(differing) / PAIRS), 2), "% of pairs", ">= 99.9", note)
    yield Figure("contradictions", len(contradictions), "pairs", "0", "correct in one run and wrong in another")
    yield Figure("far_from_limit", len(far), "pairs", "0", "that differ, and took less than half of their limit")
    slowest = max(judged.milliseconds for judged in runs[0] if judged.verdict != "timeout")
    yield Figure("slowest_verdict", round(slowest), "ms", "", "alone")


def lies_near_limit(judged: Sequence[Judged]) -> bool:
    """Whether a pair was stopped by its limit in one run, and came near it in another."""
    decided = [one.milliseconds for one in judged if one.verdict != "timeout"]
    return len(decided) < len(judged) and all(2 * each >= LIMIT_MILLISECONDS for each in decided)


def make_attempts() -> list[Row]:
    """The pairs: graded, formulas with each other, and those of the corpus and a grammar that reach Math-Verify."""
    pairs = list(GRADED)
    pairs += [(one, other) for row in FORMULAS for one in row for other in row if one != other]
    pairs += [(one[0], other[1]) for one in FORMULAS for other in FORMULAS if one is not other]
    corpus = [(row["gold"], row["answer"]) for row in load_corpus()]
    pairs += [pair for pair in corpus if compare(*pair) is None]
    rng, texts = random.Random(17), list(generate_by_grammar(20_000))
    while len(pairs) < PAIRS * 3 // 4:
        pair = rng.choice(texts), rng.choice(texts)
        if compare(*pair) is None:
            pairs.append(pair)
    pairs += rng.sample(corpus, PAIRS - len(pairs))
    rng.shuffle(pairs)
    return [
        {"row_id": str(at), "question": "", "response": rf"\boxed{{{answer}}}", "answer": gold}
        for at, (gold, answer) in enumerate(pairs)
    ]


def judge(attempts: Sequence[Row], busy: int) -> list[Judged]:
    """Judge the attempts in a new process with a new child, beside busy processes."""
    with keep_busy(busy), multiprocessing.get_context("spawn").Pool(1) as workers:
        return workers.apply(judge_here, (attempts,))


def judge_here(attempts: Sequence[Row]) -> list[Judged]:
    """Judge the attempts in this process."""
    rows = [row for row in Verify().rows(attempts, None) if not isinstance(row, Quarantine)]
    return [Judged(row["verdict"], row["rule"], row["milliseconds"]) for row in rows]


@contextmanager
def keep_busy(count: int) -> Iterator[None]:
    """Keep so many processes busy for the block."""
    workers = [multiprocessing.get_context("spawn").Process(target=spin, daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def spin() -> None:
    """Use a core until killed."""
    while True:
        sum(range(10_000))
