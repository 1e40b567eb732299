"""Near-duplicates among more questions than one worker compares at a time: memory, speed, and the result of one pass.

`QUESTMILL_BENCH_ROWS` is the number of questions, 2,000,000 unless set. `support/template_questions.py` writes them.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.support.deduplicate_questions import Found
from tests.bench.support.process_tree import run_measured
from tests.bench.support.results import ROOT, Figure

MODULE = [sys.executable, "-m", "tests.bench.support.deduplicate_questions"]


def measure() -> Iterator[Figure]:
    """The figures, each with the number of questions."""
    rows = int(os.environ.get("QUESTMILL_BENCH_ROWS", "2000000"))
    partition_rows = min(250_000, rows // 8)
    with tempfile.TemporaryDirectory() as folder:
        divided_lake, whole_lake = Path(folder, "divided"), Path(folder, "whole")
        run = run_measured([*MODULE, str(rows), str(partition_rows), str(divided_lake)], cwd=ROOT).require_success()
        divided = Found.model_validate_json(run.out.splitlines()[-1])
        merged = [part.digest for part in divided.parts]
        shutil.copytree(divided_lake, whole_lake, copy_function=os.link)
        shutil.rmtree(whole_lake / "receipts" / "drop_near_duplicates")
        for digest in merged:
            (whole_lake / "objects" / f"{digest}.parquet").unlink(missing_ok=True)
        alone = run_measured([*MODULE, str(whole_lake)], cwd=ROOT).require_success()
        whole = Found.model_validate_json(alone.out.splitlines()[-1])
    note = f"{rows:,} questions in partitions of {partition_rows:,} rows, {sum(divided.rejected.values()):,} dropped"
    is_same = (divided.parts, divided.rejected) == (whole.parts, whole.rejected)
    yield Figure("same_as_one_pass", float(is_same), "share", ">= 1", f"{note}: digests of all objects")
    yield Figure(
        "worker_memory", round(run.peak_rss_by_role["worker"]), "MiB", "<= 1024", f"{note}; most of a worker, resident"
    )
    yield Figure(
        "driver_memory", round(run.peak_rss_by_role["driver"]), "MiB", "", "driver and Dask's scheduler, resident"
    )
    yield Figure("speed", round(rows / divided.seconds), "rows/s", "", "wall time of the merge, 2 workers")
    yield Figure("one_pass_memory", round(whole.peak), "MiB", "", "the same merge in one process")
    yield Figure("one_pass_speed", round(rows / whole.seconds), "rows/s", "", "wall time in one process")
