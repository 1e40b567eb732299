"""Blank rows through ScaleQuest's ten steps on a fake engine: what a row costs when its model costs nothing.

The steps are: write, language, exact duplicates, near-duplicates, solvability, fail rate, sampling by difficulty,
solutions (one a question), rewards, selection; then the gate and the publication. `QUESTMILL_BENCH_ROWS` names the
numbers of rows, `100000,300000,1000000` unless set, and `QUESTMILL_BENCH_SHARD_ROWS` the rows of a shard.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.support.process_tree import run_measured
from tests.bench.support.results import ROOT, Figure

STEPS = 10
MODULE = "tests.bench.support.run_fake_scalequest"


def measure() -> Iterator[Figure]:
    """The figures of each size, then how wall time and memory grow from size to size."""
    sizes = [int(size) for size in os.environ.get("QUESTMILL_BENCH_ROWS", "100000,300000,1000000").split(",")]
    shard_rows = int(os.environ.get("QUESTMILL_BENCH_SHARD_ROWS", "512"))
    measured = []
    for rows in sizes:
        told = run_at(rows, shard_rows)
        measured.append(told)
        yield from figures(told)
    for one, other in pairwise(measured):
        for what, name in (("seconds", "wall time"), ("cpu", "CPU time"), ("bytes", "bytes"), ("messages", "messages")):
            growth = (other[what] / one[what]) / (other["rows"] / one["rows"])
            note = f"{name} from {one['rows']:,} to {other['rows']:,} rows, by linear growth"
            yield Figure(f"slope.{what}.rows_{other['rows']}", round(growth, 3), "times", "<= 1.1", note)


def figures(told: dict[str, Any]) -> Iterator[Figure]:
    """The figures of one size."""
    rows, name = told["rows"], f"rows_{told['rows']}"
    row_steps = rows * STEPS
    note = f"{rows:,} blank rows x {STEPS} steps, shards of {told['shard_rows']} rows, {told['published']:,} published"
    yield Figure(f"speed.{name}", round(rows / told["seconds"]), "rows/s", "", f"{note}; wall time of the whole flow")
    yield Figure(f"cpu.{name}", round(told["cpu"] / row_steps * 1e6), "us", "", "per row and step, of all processes")
    yield Figure(f"bytes.{name}", round(told["bytes"] / row_steps, 1), "B", "", f"per row and step; {told['largest']}")
    yield Figure(f"objects.{name}", round(told["objects"] / row_steps, 5), "objects", "", "per row and step")
    yield Figure(f"messages.{name}", round(told["messages"] / row_steps, 5), "messages", "", "per row and step, sent")
    peaks = {kind: round(peak) for kind, peak in told["peaks"].items()}
    yield Figure(f"driver_memory.{name}", peaks["driver"], "MiB", "<= 500", f"driver and scheduler; all: {peaks}")
    yield Figure(f"worker_memory.{name}", peaks["worker"], "MiB", "", "largest worker")
    yield Figure(f"slowest.{name}", told["slowest"], "", "", "seconds of each step, summed over its shards")


def run_at(rows: int, shard_rows: int) -> dict[str, Any]:
    """Run `rows` rows in a lake of their own; what it took."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", MODULE, str(rows), str(shard_rows), folder]
        run = run_measured(command, cwd=ROOT).require_success()
        told = json.loads(Path(folder, "run.json").read_text())
        sizes, counts = Counter[str](), Counter[str]()
        for path in Path(folder).rglob("*"):
            if path.is_file():
                kind = path.relative_to(folder).parts[0]
                sizes[kind] += path.stat().st_size
                counts[kind] += 1
    seconds = sorted(((step["seconds"], step["step"]) for step in told["steps"]), reverse=True)
    return {
        "rows": rows,
        "shard_rows": shard_rows,
        "published": told["rows"],
        "seconds": told["seconds"],
        "messages": told["messages"],
        "bytes": sum(sizes.values()),
        "objects": sum(counts.values()),
        "largest": ", ".join(f"{kind} {size / rows:.0f} B a row" for kind, size in sizes.most_common(3)),
        "slowest": ", ".join(f"{step} {round(value)}" for value, step in seconds),
        "peaks": run.peak_rss_by_role,
        "cpu": run.cpu,
    }
