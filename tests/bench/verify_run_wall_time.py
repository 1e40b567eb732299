"""Wall time of verifying 5,276 recorded solutions, first and again, start of Prefect and Dask included."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.support.results import Figure, questmill
from tests.support.recorded import SKIP_REASON, SOLUTIONS, write_attempts


def measure() -> Iterator[Figure]:
    """Seconds of the first run and of the same command again, and the shards that the second one worked."""
    if not SOLUTIONS.exists():
        print(f"verify_run_wall_time: skipped: {SKIP_REASON}")
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = write_attempts(Path(folder, "attempts.jsonl"))
        lake = ["--store", f"{folder}/lake"]
        seconds = []
        for _ in range(2):
            started = time.monotonic()
            told = questmill("run", "verify", "--input", f"{folder}/attempts.jsonl", *lake)
            seconds.append(round(time.monotonic() - started, 1))
        worked = sum("rows/s" in line for line in told.splitlines())
    yield Figure("first_run", seconds[0], "s", "<= 60", f"{rows:,} rows")
    yield Figure("rerun", seconds[1], "s", "<= 20", f"steps that worked a shard: {worked}")
