"""Dask's profiler, which may hang a worker for ever, is off in every worker that is started as it should be."""

import os
import re
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import dask
import distributed
import pytest

from infra.cluster import dask_cluster
from schemas.profile import LocalCluster, Profile
from tests.support.elsewhere import ROOT, running, scheduler, until

__all__ = ["scheduler"]  # a fixture
PATIENCE = "60s"
AFFECTED = sys.version_info[:3] < dask_cluster.FIXED_PYTHON_VERSIONS.get(sys.version_info[:2], (0,))


def profiled(dask_worker: Any) -> tuple[bool, list[str], set[int]]:
    """Of a worker: the setting, the periodic calls of the profiler, and its threads."""
    threads = {thread.ident for thread in threading.enumerate() if thread.name == "Profile"}
    calls = [name for name in dask_worker.periodic_callbacks if "profile" in name]
    return dask.config.get("distributed.worker.profile.enabled"), calls, threads


@pytest.mark.parametrize(
    "processes",
    [pytest.param(True, id="processes", marks=pytest.mark.system), pytest.param(False, id="threads")],
)
def test_no_worker_of_our_own_is_profiled(processes: bool) -> None:
    profile, before = Profile(cluster=LocalCluster(workers=2, processes=processes)), profile_threads()
    with dask_cluster.open_cluster(profile) as address, distributed.Client(address, timeout=PATIENCE) as client:
        found = client.run(profiled)
        assert len(found) == (2 if processes else 1)
        for enabled, calls, threads in found.values():
            assert (enabled, calls, threads - before) == (False, [], set())
        assert dask_cluster.hazard(client) == ""


@pytest.mark.system
def test_a_worker_that_replaces_a_killed_one_is_not_profiled() -> None:
    with (
        dask_cluster.open_cluster(Profile(cluster=LocalCluster(workers=1))) as address,
        distributed.Client(address, timeout=PATIENCE) as client,
    ):
        [(worker, process)] = client.run(os.getpid).items()
        os.kill(process, signal.SIGKILL)
        until(lambda: {*workers(client)} - {worker})
        until(lambda: worker not in workers(client))
        assert list(client.run(profiled).values()) == [(False, [], set())]


def profile_threads() -> set[int]:
    """Of this process, where other tests may have left some."""
    return {thread.ident or 0 for thread in threading.enumerate() if thread.name == "Profile"}


@pytest.mark.system
def test_the_documented_command_starts_workers_that_are_not_profiled_and_others_are_named(
    scheduler: str, tmp_path: Path
) -> None:
    [documented] = re.findall(r"^ +(.* dask worker .*)$", (ROOT / "docs/decisions.md").read_text(), re.MULTILINE)
    words = shlex.split(documented.replace("tcp://SCHEDULER:8786", scheduler))
    plain = ["dask", "worker", scheduler, "--nthreads", "1"]
    with distributed.Client(scheduler, timeout=PATIENCE) as client:
        with running([*words, "--no-dashboard"], tmp_path / "worker"):
            client.wait_for_workers(1, timeout=60)
            assert list(client.run(profiled).values()) == [(False, [], set())]
            assert dask_cluster.hazard(client) == "" and dask_cluster.list_resources(client) == {
                dask_cluster.COMPUTE_RESOURCE,
                dask_cluster.ASK_RESOURCE,
            }
        until(lambda: not workers(client))
        with running([*plain, "--no-dashboard"], tmp_path / "plain"):
            client.wait_for_workers(1, timeout=60)
            [worker] = workers(client)
            assert dask_cluster.hazard(client).startswith(
                f"worker {worker} (1 in all) may hang for ever: " if AFFECTED else ""
            )
            assert bool(dask_cluster.hazard(client)) == AFFECTED


def workers(client: distributed.Client) -> dict[str, Any]:
    """What the scheduler knows of its workers, by address."""
    return dict(client.scheduler_info(n_workers=-1)["workers"])
