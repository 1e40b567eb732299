"""Near-duplicates among 200,000 questions: what is found, what is wrongly merged, how fast and in how much memory.

A tenth of the questions are near-copies, made by `EDITS`; a tenth are copies with one number changed, or with two
numbers exchanged, which are other questions. The rest is drawn from the proving ground, without exact repeats.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.answers.final_answer import answer_key, final_answer
from tasks.dedup.near import DropNearDuplicates
from tasks.dedup.published import DropPublished
from tasks.proving_ground import library
from tests.bench.support.results import ROOT, Figure
from tests.support.recorded import SHARED_DATA

TRAIN = SHARED_DATA / "gsm8k" / "train.jsonl"
MATH = SHARED_DATA / "math" / "test.jsonl"
CHUNK = 5000
NUMBER = re.compile(r"(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)?(?![\w,]*\w)")
SYNONYMS = {
    **{"many": "much", "has": "owns", "are": "were", "costs": "sells for", "gives": "hands", "buys": "purchases"},
    **{"the": "this", "is": "equals", "left": "remaining", "and": "as well as", "total": "altogether", "all": "every"},
}

Rows = list[dict[str, Any]]


def measure() -> Iterator[Figure]:
    """The figures with a target on the proving ground, then the same on real text and against a published table."""
    yield from figures(planted(drawn(160_000), copies=20_000))
    if TRAIN.exists():
        real = [json.loads(line) for line in TRAIN.read_text().splitlines()]
        texts = [(row["question"], row["answer"].rpartition("####")[2].strip()) for row in real]
        found = judge(planted(texts, copies=len(texts) // 8))
        note = f"{found['rows']:,} questions of GSM8K's training set and planted ones; recall by edit: {found['edits']}"
        yield Figure("gsm8k.recall", found["recall"], "share", "", note)
        yield Figure("gsm8k.false_merges", found["false"], "%", "", f"{found['merged']} real ones merged")
    if MATH.exists():
        real = [json.loads(line) for line in MATH.read_text().splitlines()]
        texts = [(row["problem"], answer_key(final_answer(row["solution"]) or "")) for row in real]
        found = judge(planted(texts, copies=0))
        note = f"of {found['rows']:,} problems of MATH's test set; of them {found['answers']:.0%} have another answer"
        yield Figure("math.merged", found["merged"], "rows", "", note)


def figures(rows: Rows) -> Iterator[Figure]:
    """The figures with a target, and what `rows` show besides."""
    found, note = judge(rows), f"{len(rows):,} questions"
    yield Figure("recall", found["recall"], "share", ">= 0.98", f"{note}; by edit: {found['edits']}")
    yield Figure("false_merges", found["false"], "%", "<= 0.5", "of copies with other numbers")
    yield Figure(
        "merged_other_answer", found["answers"], "share", "", f"other answer, of {found['merged']} merged draws"
    )
    yield Figure("speed", found["speed"], "rows/s", ">= 20000", "wall time of the merge on 2 cores")
    yield Figure("cpu_speed", found["cpu"], "rows/CPU s", "", "the same by CPU time")
    yield Figure("peak_memory", found["peak"], "MiB", "<= 1536", "of the process")
    old = [row for row in rows if row["kind"] == "draw"]
    new = [row for row in rows if row["kind"] != "draw"]
    told = merged("published", new, old)
    copies = [told["rows"][row["row_id"]] for row in new if row["kind"] in EDITS]
    others = [told["rows"][row["row_id"]] for row in new if row["kind"] not in EDITS]
    note = f"{len(new):,} against {len(old):,}, {told['seconds']:.1f} s, {told['peak']:,.0f} MiB"
    yield Figure("published.recall", share(each["reject"] for each in copies), "share", "", note)
    origins = {row["row_id"]: row["origin"] for row in new}
    wrong = round(100 * share(each["cluster"] == origins[each["row_id"]] for each in others), 3)
    yield Figure("published.false_merges", wrong, "%", "", "of copies with other numbers, taken for their origin")


def drawn(count: int) -> list[tuple[str, str]]:
    """`count` different questions of the proving ground with their answers; the same every time."""
    made: dict[str, str] = {}
    with ProcessPoolExecutor() as pool:
        first = 0
        while len(made) < count:
            chunks = pool.map(_draw, range(first, first + max(CHUNK, count - len(made)), CHUNK))
            made |= {" ".join(question.split()): answer for chunk in chunks for question, answer in chunk}
            first += max(CHUNK, count)
    return list(made.items())[:count]


def _draw(first: int) -> list[tuple[str, str]]:
    problems = [library.draw_problem(seed, solvable=None) for seed in range(first, first + CHUNK)]
    return [(problem.question, problem.answer or "") for problem in problems]


def planted(texts: list[tuple[str, str]], copies: int) -> Rows:
    """`texts`, and of some of them a near-copy and of some a copy with other numbers, `copies` each, shuffled."""
    rng = Random(5)
    rows: Rows = [{"kind": "draw", "origin": n, "question": q, "answer": a} for n, (q, a) in enumerate(texts)]
    for other, makers in ((False, EDITS), (True, OTHERS)):
        waiting = rng.sample(range(len(texts)), len(texts))
        made = 0
        while made < copies:
            origin, kind = waiting.pop(), list(makers)[made % len(makers)]
            text = makers[kind](texts[origin][0], rng)
            if text is None or (text == texts[origin][0]):
                continue
            answer = "" if other else texts[origin][1]
            rows.append({"kind": kind, "origin": origin, "question": text, "answer": answer})
            made += 1
    places = rng.sample(range(len(rows)), len(rows))
    ids = [f"{place:09}" for place in places]
    named = [{**row, "row_id": ids[n], "origin": ids[row["origin"]]} for n, row in enumerate(rows)]
    return sorted(named, key=lambda row: str(row["row_id"]))


def _exchange(text: str, rng: Random) -> str | None:
    words = text.split()
    there = [n for n, word in enumerate(words) if word.lower() in SYNONYMS]
    if not there:
        return None
    n = rng.choice(there)
    return " ".join([*words[:n], SYNONYMS[words[n].lower()], *words[n + 1 :]])


def _drop(text: str, rng: Random) -> str | None:
    words = text.split()
    there = [n for n, word in enumerate(words) if word.isalpha() and word.lower() in (*SYNONYMS, "a", "of", "in", "to")]
    if not there:
        return None
    n = rng.choice(there)
    return " ".join([*words[:n], *words[n + 1 :]])


def _add(text: str, rng: Random) -> str | None:
    words = text.split()
    n = rng.randrange(len(words))
    return " ".join([*words[:n], rng.choice(["exactly", "then", "also", "now"]), *words[n:]])


def _dress(text: str, rng: Random) -> str | None:
    return rng.choice([text.upper(), text.lower()]).replace(". ", " ; ").replace("?", " ?!").replace(", ", " ")


def _move(text: str, rng: Random) -> str | None:
    """The last sentence to the front, where no number changes its place."""
    sentences = re.split(r"(?<=[.?!]) ", text)
    if len(sentences) < 3 or NUMBER.search(sentences[-1]):
        return None
    return " ".join([sentences[-1], *sentences[:-1]])


def _rewrite(text: str, rng: Random) -> str | None:
    """A number in another form."""
    found = [m for m in NUMBER.finditer(text) if m[0].isdigit()]
    if not found:
        return None
    number = rng.choice(found)
    small = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    form = small[int(number[0])] if int(number[0]) <= 10 else f"{int(number[0]):,}.00"
    return text[: number.start()] + form + text[number.end() :]


def _change(text: str, rng: Random) -> str | None:
    found = [m for m in NUMBER.finditer(text) if m[0].isdigit()]
    if not found:
        return None
    number = rng.choice(found)
    return text[: number.start()] + str(int(number[0]) + rng.randint(1, 9)) + text[number.end() :]


def _swap(text: str, rng: Random) -> str | None:
    """Two neighbouring numbers exchanged."""
    pairs = [(a, b) for a, b in pairwise(NUMBER.finditer(text)) if a[0] != b[0]]
    if not pairs:
        return None
    one, two = rng.choice(pairs)
    return text[: one.start()] + two[0] + text[one.end() : two.start()] + one[0] + text[two.end() :]


Edit = Callable[[str, Random], str | None]
EDITS: dict[str, Edit] = {
    **{"word exchanged": _exchange, "word dropped": _drop, "word added": _add},
    **{"case and punctuation": _dress, "question first": _move, "number rewritten": _rewrite},
}
OTHERS: dict[str, Edit] = {"number changed": _change, "numbers swapped": _swap}


def judge(rows: Rows) -> dict[str, Any]:
    """What the merge makes of planted `rows`: shares, rates, MiB; joined is what is in one cluster with its origin."""
    told = merged("near", rows)
    cluster = {row_id: row["cluster"] or row_id for row_id, row in told["rows"].items()}
    joined = {row["row_id"]: cluster[row["row_id"]] == cluster[row["origin"]] for row in rows}
    by_kind = {kind: share(joined[r["row_id"]] for r in rows if r["kind"] == kind) for kind in [*EDITS, *OTHERS]}
    answers = {row["row_id"]: row["answer"] for row in rows}
    firsts: dict[str, str] = {}
    draws = [row["row_id"] for row in rows if row["kind"] == "draw"]
    pairs = [(row_id, first) for row_id in draws if (first := firsts.setdefault(cluster[row_id], row_id)) != row_id]
    return {
        "rows": len(rows),
        "recall": share(joined[row["row_id"]] for row in rows if row["kind"] in EDITS),
        "false": round(100 * share(joined[row["row_id"]] for row in rows if row["kind"] in OTHERS), 3),
        "edits": ", ".join(f"{kind} {by_kind[kind]:.3f}" for kind in EDITS),
        "merged": len(pairs),
        "answers": share(answers[one] != answers[other] for one, other in pairs),
        "speed": round(len(rows) / told["seconds"]),
        "cpu": round(len(rows) / told["cpu"]),
        "peak": round(told["peak"]),
    }


def share(hits: Any) -> float:
    """Share of true ones, 0 of none."""
    listed = [bool(hit) for hit in hits]
    return round(sum(listed) / max(1, len(listed)), 4)


def merged(which: str, *tables: Rows) -> dict[str, Any]:
    """Run the merge over `tables` in a process of its own on two cores; `rows` by id, `seconds`, `cpu`, `peak`."""
    with tempfile.TemporaryDirectory() as folder:
        for number, table in enumerate(tables):
            columns = [{name: row[name] for name in ("row_id", "question")} for row in table]
            pq.write_table(pa.Table.from_pylist(columns), f"{folder}/{number}.parquet")
        command = [sys.executable, "-m", "tests.bench.near_duplicates", which, folder]
        told = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout
        rows = pq.read_table(f"{folder}/out.parquet").to_pylist()
    return {**json.loads(told), "rows": {row["row_id"]: row for row in rows}}


def work(which: str, folder: Path) -> dict[str, float]:
    """The merge as a worker runs it: Parquet in, `prepare`, SQL, Parquet out."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    merge = DropNearDuplicates() if which == "near" else DropPublished(dataset="before")
    con = duckdb.connect()
    for number, name in enumerate(merge.inputs):
        con.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder}/{number}.parquet')")
    wall, cpu = time.monotonic(), time.process_time()
    merge.prepare(con)
    found = con.sql(merge.sql()).to_arrow_reader(4096).read_all()
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    like = "cluster" if which == "near" else "known_as"
    kept = found.select(["row_id", like, "reject"]).rename_columns(["row_id", "cluster", "reject"])
    pq.write_table(kept, folder / "out.parquet")
    return {"seconds": wall, "cpu": cpu, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


if __name__ == "__main__":
    print(json.dumps(work(sys.argv[1], Path(sys.argv[2]))))
