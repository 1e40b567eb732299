"""A call that makes no progress is named with the stacks of its process, whatever holds it up."""

import ctypes
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import distributed
import pytest

from infra.cluster import dask_cluster, stall_watch
from infra.cluster.dask_executor import DaskExecutor
from infra.cluster.stall_watch import WATCH, Stall, StallWatch
from infra.cluster.step_execution import StepExecution
from schemas.profile import LocalCluster, Profile
from tests.support.runs import ROOT, wait_until

LIMIT = 0.2
LONG = 60.0
RELEASED = threading.Event()


def wait_for_release(shard: str) -> str:
    """A call that stalls: nothing comes until it is released."""
    if shard == "stuck":
        RELEASED.wait(LONG)
    return shard


@pytest.fixture
def client() -> Iterator[distributed.Client]:
    profile = Profile(cluster=LocalCluster(workers=2, processes=False))
    RELEASED.clear()
    with (
        dask_cluster.open_cluster(profile) as address,
        distributed.Client(address, set_as_default=False) as client,
    ):
        yield client
    RELEASED.set()


def test_the_run_hears_which_shard_stalls_and_what_its_threads_do(client: distributed.Client) -> None:
    stalls: list[Stall] = []
    stall_watch.subscribe(client, stalls.append)
    executor = DaskExecutor(client, LIMIT)
    try:
        step = StepExecution("solve", wait_for_release, "shard", ["a", "stuck"], {}, rows=2)
        executor.execute(step)
        wait_until(lambda: len(stalls) >= 2, LONG)
        RELEASED.set()
        assert step.result_list() == ["a", "stuck"]
    finally:
        executor.close()
    assert {(stall.step, stall.shard) for stall in stalls} == {("solve", 1)}
    first, second = stalls[:2]
    assert first.seconds >= LIMIT and second.seconds >= 2 * LIMIT, "it is told again only after twice the time"
    assert "wait_for_release" in first.stacks and "tests" in first.stacks
    assert first.describe().startswith("step solve, shard 2: no progress for ") and str(first.pid) in first.describe()


def test_a_call_that_makes_progress_is_not_told() -> None:
    watch, stalls = StallWatch(), list[Stall]()
    with watch.watch("solve", 0, LIMIT, stalls.append):
        for _ in range(20):
            time.sleep(LIMIT / 5)
            watch.note_progress()
        assert stalls == []
        wait_until(lambda: bool(stalls), LONG)


def test_only_the_thread_that_stalls_is_told_and_after_its_end_nothing_is() -> None:
    watch, stalls, over = StallWatch(), list[Stall](), threading.Event()

    def work() -> None:
        with watch.watch("solve", 7, LIMIT, stalls.append):
            while not over.wait(LIMIT / 10):
                watch.note_progress()

    thread = threading.Thread(target=work)
    thread.start()
    with watch.watch("verify", 3, LIMIT, stalls.append):
        wait_until(lambda: bool(stalls), LONG)
    told = len(stalls)
    time.sleep(3 * LIMIT)
    over.set()
    thread.join()
    assert {(stall.step, stall.shard) for stall in stalls} == {("verify", 3)} and len(stalls) == told


def test_progress_outside_of_any_call_is_nothing() -> None:
    WATCH.note_progress()


LOCKED = """
import ctypes, time
from infra.cluster.stall_watch import WATCH
with WATCH.watch("solve", 0, 0.5, print):
    time.sleep(0.2)  # the thread that watches has begun
    ctypes.PyDLL(None).usleep(2_000_000)
"""


def test_the_stacks_are_written_although_the_interpreter_is_locked() -> None:
    """`PyDLL` keeps the interpreter lock, so no thread of Python's can run for two seconds."""
    told = subprocess.run([sys.executable, "-c", LOCKED], capture_output=True, text=True, cwd=ROOT, check=True).stderr
    assert "Timeout" in told and 'File "<string>", line 6 in <module>' in told


def hang_once(shard: str) -> str:
    """Locks the interpreter of the first process that it runs in, for good."""
    if not Path(shard).exists():
        Path(shard).touch()
        ctypes.PyDLL(None).sleep(1000)
    return "done"


@pytest.mark.system
def test_a_worker_whose_interpreter_is_locked_is_replaced_and_its_call_made_again(tmp_path: Path) -> None:
    profile = Profile(cluster=LocalCluster(workers=1))
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "5s"}),  # five minutes, unless told otherwise
        dask_cluster.open_cluster(profile) as address,
        distributed.Client(address, set_as_default=False) as client,
    ):
        executor = DaskExecutor(client, LONG)
        try:
            step = StepExecution("solve", hang_once, "shard", [str(tmp_path / "hung")], {}, rows=1)
            executor.execute(step)
            assert step.result_list() == ["done"]
        finally:
            executor.close()
