"""Where work happens: the Dask cluster of a profile, opened when a flow runs and closed after it, never at import."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

import dask
import distributed

from infra.cluster.signals import block_interrupts
from schemas.profile import LocalCluster, Profile, RemoteCluster

DASK_SETTINGS = {
    # Verifiers and engines start child processes, which a daemonic worker may not.
    "distributed.worker.daemon": False,
    # One process imports everything, and workers, replaced ones too, are forks of it: 1 s of imports saved for each.
    "distributed.worker.multiprocessing-method": "forkserver",
    # A killed worker is replaced and its shard worked again; a shard that kills worker after worker is at fault.
    "distributed.scheduler.allowed-failures": 3,
    "distributed.comm.timeouts.connect": "30s",
    # The parser and the writer of a shard may hold the interpreter for a while.
    "distributed.admin.tick.limit": "30s",
    "distributed.worker.memory.terminate": 0.98,
    # The profiler asks for the frames of all threads, 100 times a second, which hangs a worker for ever: see `SOUND`.
    "distributed.worker.profile.enabled": False,
}

SOUND = {(3, 11): (3, 11, 8), (3, 12): (3, 12, 2)}
"""By minor version, the first Python whose `sys._current_frames()` never waits for a garbage collection (gh-106883)."""

HANG = (
    "worker {0} ({1} in all) may hang for ever: its Python deadlocks with Dask's profiler; start workers by "
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False dask worker ..., or with Python 3.11.8, 3.12.2 or newer"
)


@contextmanager
def open_cluster(profile: Profile, preload: Sequence[str] = ("infra.cluster.worker",)) -> Iterator[Any]:
    """Yield what a Dask client connects to: a local cluster of our own, or the address of a running one.

    `preload`: modules that worker processes of our own start with.
    """
    if isinstance(profile.cluster, RemoteCluster):
        yield profile.cluster.address
        return
    with dask.config.set(DASK_SETTINGS):
        distributed.utils.get_mp_context().set_forkserver_preload([*preload])
        resource_tracker.ensure_running()  # multiprocessing's; where it starts, it lets interrupts through again
        with block_interrupts():
            local_cluster = _start_local(profile.cluster)
        with local_cluster as cluster:
            yield cluster


COMPUTE_RESOURCE, ASK_RESOURCE = "compute", "ask"
"""What a task takes of its worker while it runs: a core, or only a thread that waits for a server."""


def _start_local(spec: LocalCluster) -> distributed.LocalCluster:
    cores = 1 if spec.processes else spec.workers
    return distributed.LocalCluster(
        n_workers=spec.workers if spec.processes else 1,
        threads_per_worker=cores + spec.max_waiting_shards,
        resources={COMPUTE_RESOURCE: cores, ASK_RESOURCE: spec.max_waiting_shards},
        processes=spec.processes,
        memory_limit=spec.memory_limit,
        dashboard_address="127.0.0.1:0",  # None takes port 8787 of every network, and a second run warns about it
        host="127.0.0.1" if spec.processes else None,
        silence_logs=50,
    )


def list_resources(client: distributed.Client) -> set[str]:
    """Resources that every worker of the cluster offers; one that none offers would be waited for forever."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return set.intersection(*(set(worker["resources"]) for worker in workers)) if workers else set()


def hazard(client: distributed.Client) -> str:
    """Names workers that Dask's profiler may hang for ever (never those that `open_cluster` starts); empty where none
    is."""
    found = client.run(_endangered, on_error="ignore")
    workers = sorted(worker for worker, danger in found.items() if danger)
    return HANG.format(workers[0], len(workers)) if workers else ""


def _endangered() -> bool:
    """Whether this process is one of them."""
    version = sys.version_info[:3]
    return bool(dask.config.get("distributed.worker.profile.enabled")) and version < SOUND.get(version[:2], version)
