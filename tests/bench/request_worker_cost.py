"""What a row costs the worker that asks about it: CPU, rows a second, memory; the server answers at once."""

import os
import tempfile
from collections.abc import Iterator

from tests.bench.support.mock_servers import asked, served
from tests.bench.support.results import Figure


def measure() -> Iterator[Figure]:
    """CPU of journal, parsing and Parquet included; the start of the process is not."""
    client, server, *_ = [*sorted(os.sched_getaffinity(0)), None]
    with served(core=server) as stub:
        runs = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as lake:
                runs.append(asked(url=stub.url, lake=lake, rows=5000, shard_rows=500, core=client))
        cpu = min(run["cpu"] for run in runs) / 5000 * 1000
        speed = 5000 / min(run["seconds"] for run in runs)
        yield Figure("cpu_per_row", round(cpu, 3), "ms CPU/row", "<= 0.6", "5,000 rows, best of 3")
        yield Figure("speed", round(speed), "rows/s", ">= 2000", "on one core, the server on another")
        peaks = []
        for rows in (10_000, 100_000):
            with tempfile.TemporaryDirectory() as lake:
                peaks.append(asked(url=stub.url, lake=lake, rows=rows, shard_rows=500)["peak"])
    yield Figure(
        "memory_growth", round(peaks[1] / peaks[0], 3), "x", "<= 1.15", "peak of 100,000 rows over that of 10,000"
    )
    yield Figure("peak_memory", round(peaks[1]), "MiB", "<= 350", "of the worker process")
