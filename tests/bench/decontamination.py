"""Benchmark items in disguise among 100,000 questions: how many are found, what else is, and how fast."""

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random
from typing import get_args

from infra.cluster import worker
from infra.lake.store import open_store
from schemas.arrow import conform
from schemas.outcomes import Row
from schemas.receipts import Receipt
from schemas.tables import questions
from schemas.tables.benchmark_overlaps import OverlapRule
from tasks.decontamination.benchmark import Benchmark
from tasks.decontamination.ngram_index import ngrams, normalize_words
from tasks.decontamination.overlap import DropOverlaps, FindOverlaps
from tasks.proving_ground import library
from tests.bench.support.results import Figure
from tests.support.recorded import SHARED_DATA

ROWS, SHARD_ROWS, WORKERS = 100_000, 2_500, 2
ITEMS = 300
"""Of each benchmark, planted once in every disguise."""
NAMED = (("gsm8k_test", "gsm8k/test.jsonl", "question"), ("math_test", "math/test.jsonl", "problem"))
TRAIN = SHARED_DATA / "gsm8k" / "train.jsonl"
TRUE = {(20, "gsm8k_test", 632), (406, "gsm8k_test", 581), (1314, "gsm8k_test", 602), (5162, "gsm8k_test", 602)}
"""Lines of GSM8K's train file that share 13 words in a row with an item, and the item."""
SPELT = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twenty", "thirty"]

Disguise = Callable[[str, Random], str]


def measure(rows: int = ROWS, items: int = ITEMS) -> Iterator[Figure]:
    """Recall of each disguise, what is told of the rest, and questions a second of workers that are warm."""
    if missing := [path for path in (TRAIN, *(SHARED_DATA / file for _, file, _ in NAMED)) if not path.exists()]:
        print(f"decontamination: skipped: needs {missing[0].name} in ../shared/data/{missing[0].parent.name}/")
        return
    texts = {name: [json.loads(line)[column] for line in _lines(file)] for name, file, column in NAMED}
    benchmarks = tuple(Benchmark(name=n, path=str(SHARED_DATA / file), column=c) for n, file, c in NAMED)
    stage, planted = FindOverlaps(benchmarks=benchmarks), list(_planted(texts, items))
    with tempfile.TemporaryDirectory() as lake:
        table = _mixed(planted, rows, lake)
        told, seconds, cpu = _worked(stage, table, lake)
        dropped = worker.run_merge(DropOverlaps(), [[table], told], SHARD_ROWS, lake)
        kept = {row["row_id"] for part in dropped.parts for row in open_store(lake).get(part).to_pylist()}
        matches = [row for receipt in told for part in receipt.parts for row in open_store(lake).get(part).to_pylist()]
    yield from _recall(planted, matches, kept)
    yield _others(matches, kept, rows - len(planted))
    yield _alarms(stage, texts)
    note = f"{rows:,} questions, {sum(map(len, texts.values())):,} items, {WORKERS} workers"
    note += f"; {rows / cpu:,.0f} rows a CPU second"
    yield Figure("speed", round(rows / seconds), "rows/s", ">= 10000", note)


def _lines(file: str) -> list[str]:
    return (SHARED_DATA / file).read_text().splitlines()


def _spaced(text: str, random: Random) -> str:
    """Another case, and another blank for each one."""
    cased: Callable[[str], str] = random.choice([str.upper, str.lower, str.title, str.swapcase])
    return re.sub(r"\s", lambda _: random.choice(["  ", "\n", "\t", " \n ", "\u00a0"]), cased(text))


def _swapped(text: str, random: Random) -> str:
    """Another number for each one, also of another size, and for half of those that are spelt."""
    figures = re.sub(r"\d+", lambda found: _other(found[0], random), text)
    return re.sub(rf"\b({'|'.join(SPELT)})\b", lambda f: random.choice([f[0], random.choice(SPELT)]), figures)


def _other(number: str, random: Random) -> str:
    return next(n for n in iter(lambda: str(random.randrange(2, 10 ** random.randint(1, 5))), None) if n != number)


def _reordered(text: str, random: Random) -> str:
    """Its sentences in another order; its clauses where it is one sentence."""
    parts = re.split(r"(?<=[.?!])\s+", text)
    parts = parts if len(parts) > 1 else re.split(r"(?<=,)\s+", text)
    return " ".join(random.sample(parts, len(parts)))


DISGUISES: dict[str, tuple[Disguise, str]] = {
    "verbatim": (lambda text, random: text, "100"),
    "whitespace": (_spaced, "100"),
    "swapped": (_swapped, ">= 95"),
    "reordered": (_reordered, ""),
}


def _planted(texts: dict[str, list[str]], items: int) -> Iterator[tuple[str, str, int, str]]:
    """(disguise, benchmark, item, text); an item that a disguise does not change is left out of it."""
    random = Random(13)
    for name, all_of_them in texts.items():
        for kind, (disguise, _) in DISGUISES.items():
            for item in random.sample(range(len(all_of_them)), min(items, len(all_of_them))):
                text = disguise(all_of_them[item], random)
                if kind == "verbatim" or text != all_of_them[item]:
                    yield kind, name, item, text


def _mixed(planted: list[tuple[str, str, int, str]], rows: int, lake: str) -> Receipt:
    """The planted questions, spread over problems of the proving ground; row `i` of `planted` is question `p<i>`."""
    made = [{"row_id": f"p{i}", "question": text} for i, (*_, text) in enumerate(planted)]
    made += [{"row_id": f"g{i}", "question": library.draw_problem(i).question} for i in range(rows - len(made))]
    Random(8).shuffle(made)
    shards = [made[start : start + SHARD_ROWS] for start in range(0, rows, SHARD_ROWS)]
    parts = tuple(open_store(lake).put(conform(shard, questions.SCHEMA, "bench")) for shard in shards)
    return Receipt(step="questions", key="0" * 64, inputs=(), rows_in=rows, kept=rows, parts=parts)


def _worked(stage: FindOverlaps, table: Receipt, lake: str) -> tuple[list[Receipt], float, float]:
    """The receipts of all shards; seconds from the first to the last, and CPU seconds of all."""
    with ProcessPoolExecutor(WORKERS, get_context("spawn"), _warm, (stage,)) as pool:
        list(pool.map(time.sleep, [3.0] * WORKERS))  # so that both have read the benchmarks before the first shard
        started = time.monotonic()
        jobs = [pool.submit(_timed, stage, table, i, lake) for i in range(len(table.parts))]
        receipts, cpu = zip(*(job.result() for job in jobs), strict=True)
        return list(receipts), time.monotonic() - started, sum(cpu)


def _timed(stage: FindOverlaps, table: Receipt, index: int, lake: str) -> tuple[Receipt, float]:
    before = time.process_time()
    return worker.run_shard(stage, None, table.parts[index], lake), time.process_time() - before


def _warm(stage: FindOverlaps) -> None:
    list(stage.rows([{"row_id": "0", "question": "Why?"}], None))


def _recall(planted: list[tuple[str, str, int, str]], matches: list[Row], kept: set[str]) -> Iterator[Figure]:
    """Found: told as a match of the very item that it is a copy of."""
    found = {(row["question_id"], row["benchmark"], row["item"]) for row in matches}
    for kind, (_, target) in DISGUISES.items():
        copies = [(f"p{i}", name, item) for i, (of, name, item, _) in enumerate(planted) if of == kind]
        share = 100 * sum(copy in found for copy in copies) / len(copies)
        ids = {row_id for row_id, *_ in copies}
        note = f"{len(copies):,} copies, {len(ids - kept):,} of them dropped; told by {_by_rule(matches, ids)}"
        yield Figure(f"recall.{kind}", round(share, 2), "%", target, note)


def _by_rule(matches: list[Row], ids: set[str]) -> str:
    """How many of these questions each rule tells."""
    told = {rule: len(ids & {m["question_id"] for m in matches if m["rule"] == rule}) for rule in get_args(OverlapRule)}
    return ", ".join(f"{rule} {n:,}" for rule, n in told.items() if n) or "none"


def _others(matches: list[Row], kept: set[str], others: int) -> Figure:
    """Questions that nobody planted: what is told of them, and how many of them are dropped."""
    ids = {row["question_id"] for row in matches if row["question_id"].startswith("g")}
    note = (
        f"of {others:,} problems of the proving ground, {len(ids - kept):,} dropped; told by {_by_rule(matches, ids)}"
    )
    return Figure("other_matches", len(ids), "rows", "", note)


def _alarms(stage: FindOverlaps, texts: dict[str, list[str]]) -> Figure:
    """Real questions that are told without one of the listed overlaps, which plain sets of n-grams find again."""
    train = [json.loads(line)["question"] for line in TRAIN.read_text().splitlines()]
    rows = [{"row_id": f"{i}", "question": text} for i, text in enumerate(train)]
    told = [row for row in stage.rows(rows, None) if isinstance(row, dict)]
    items = {
        gram
        for each in texts.values()
        for text in each
        for gram in ngrams(normalize_words(text), stage.contamination_ngram)
    }
    sharing = {
        i
        for i, text in enumerate(train)
        if not items.isdisjoint(ngrams(normalize_words(text), stage.contamination_ngram))
    }
    false = [m for m in told if (int(m["question_id"]), m["benchmark"], m["item"]) not in TRUE]
    listed = "; ".join(f"{m['question_id']} and {m['benchmark']} {m['item']}: {m['ngram']}" for m in told)
    note = f"{len(rows):,} questions, {len(sharing)} share {stage.contamination_ngram} words with an item: {listed}"
    return Figure("false_alarms", len(false), "rows", "0", note)
