"""Many flows one after the other: none hangs, and a cluster that serves them all does not grow."""

import json
import os
import sys
import time
from pathlib import Path

import distributed
import psutil
import pytest

from tests.support.elsewhere import running, scheduler
from tests.support.forks import start_forked
from tests.support.runs import Command, make_attempts, wait_for_exit, write_jsonl

__all__ = ["scheduler"]  # a fixture

pytestmark = pytest.mark.soak
FLOWS_IN_A_PROCESS, FLOWS_IN_A_CLUSTER = 200, 20
MAX_GROWTH = 1.1
"""Memory of the scheduler after the last flow over that after the second."""


def test_two_hundred_flows_in_one_process_end(command: Command, tmp_path: Path) -> None:
    rows = list(make_attempts(20))
    for number in range(FLOWS_IN_A_PROCESS):
        path = write_jsonl(tmp_path / "few.jsonl", [row | {"number": number} for row in rows])
        began = time.monotonic()
        done = command("run", "verify", "--input", path, "--store", tmp_path / "lake", "--shard_rows", "4")
        assert done.code == 0, f"flow {number}: {done.err}"
        print(f"flow {number}: {time.monotonic() - began:.1f} s, {_megabytes(os.getpid()):.0f} MB", file=sys.stderr)


def test_a_cluster_that_has_served_twenty_flows_holds_no_more_than_after_two(
    api: str, scheduler: str, tmp_path: Path
) -> None:
    profile = tmp_path / "elsewhere.toml"
    profile.write_text(f'[cluster]\nkind = "remote"\naddress = {json.dumps(scheduler)}\n')
    unprofiled = "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False"
    rows, megabytes = list(make_attempts(300)), list[float]()
    with (
        running([unprofiled, "dask", "worker", scheduler, "--nthreads", "2", "--no-dashboard"], tmp_path / "worker"),
        distributed.Client(scheduler, timeout="60s") as client,
    ):
        client.wait_for_workers(1, timeout=60)
        pid = client.run_on_scheduler(os.getpid)
        for number in range(FLOWS_IN_A_CLUSTER):
            path = write_jsonl(tmp_path / f"{number}.jsonl", [row | {"number": number} for row in rows])
            words = ("--input", path, "--store", tmp_path / "lake", "--profile", profile, "--shard_rows", "2")
            done = wait_for_exit(start_forked("run", "verify", *words))
            assert done.code == 0, f"flow {number}: {done.err}"
            megabytes.append(_megabytes(pid))
            print(f"flow {number}: the scheduler holds {megabytes[-1]:.0f} MB", file=sys.stderr)
    assert megabytes[-1] <= MAX_GROWTH * megabytes[1], megabytes


def _megabytes(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 1e6
