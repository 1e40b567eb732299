"""Opens the Dask cluster of a profile when a flow runs, and closes it afterwards; importing this opens nothing."""

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
    # Verifiers and engines start child processes, which a daemonic worker must not do.
    "distributed.worker.daemon": False,
    # Workers are forks of one process that has imported everything, which saves each of them 1 s of imports.
    "distributed.worker.multiprocessing-method": "forkserver",
    # A killed worker is replaced and its shard repeated; a shard that kills several workers in turn is at fault.
    "distributed.scheduler.allowed-failures": 3,
    "distributed.comm.timeouts.connect": "30s",
    # Parsing and writing a shard may hold the interpreter lock for a while.
    "distributed.admin.tick.limit": "30s",
    # Dask looks 50 times a second whether its loops are late, and twice a second at the system, for its dashboard. Both
    # took 23 of the 37 ms of CPU a second that scheduler and one worker need to wait.
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.worker.memory.terminate": 0.98,
    # The profiler reads the frames of all threads 100 times a second, which may hang a worker forever (see
    # `FIXED_PYTHON_VERSIONS`).
    "distributed.worker.profile.enabled": False,
}

FIXED_PYTHON_VERSIONS = {(3, 11): (3, 11, 8), (3, 12): (3, 12, 2)}
"""By minor version, the first Python whose `sys._current_frames()` never waits for a garbage collection (gh-106883)."""

PROFILER_HANG_WARNING = (
    "worker {0} ({1} in all) may hang for ever: its Python deadlocks with Dask's profiler; start workers with "
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False dask worker ..., or on Python 3.11.8, 3.12.2 or newer"
)
"""Warning with places for the address of one worker that may hang, and for the number of such workers."""


@contextmanager
def open_cluster(profile: Profile, preload: Sequence[str] = ("infra.cluster.worker",)) -> Iterator[Any]:
    """Yield what a Dask client connects to: a local cluster opened here, or the address of a running one.

    `preload`: modules that the local cluster's worker processes have already imported when they start.
    """
    if isinstance(profile.cluster, RemoteCluster):
        yield profile.cluster.address
        return
    with dask.config.set(DASK_SETTINGS):
        distributed.utils.get_mp_context().set_forkserver_preload([*preload])
        resource_tracker.ensure_running()  # starting it inside the block would unblock interrupts
        with block_interrupts():
            local_cluster = _start_local(profile.cluster)
        with local_cluster as cluster:
            yield cluster


COMPUTE_RESOURCE, ASK_RESOURCE = "compute", "ask"
"""Worker resources that a running task takes: a core, or only a thread that waits for a server."""


def _start_local(spec: LocalCluster) -> distributed.LocalCluster:
    cores = 1 if spec.processes else spec.workers
    return distributed.LocalCluster(
        n_workers=spec.workers if spec.processes else 1,
        threads_per_worker=cores + spec.max_waiting_shards,
        resources={COMPUTE_RESOURCE: cores, ASK_RESOURCE: spec.max_waiting_shards},
        processes=spec.processes,
        memory_limit=spec.memory_limit,
        dashboard_address="127.0.0.1:0",  # None: port 8787 of all interfaces, and a warning at a second run
        host="127.0.0.1" if spec.processes else None,
        silence_logs=50,
    )


def list_resources(client: distributed.Client) -> set[str]:
    """Return the resources that every worker offers; a task that needs another one would wait forever."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return set.intersection(*(set(worker["resources"]) for worker in workers)) if workers else set()


def hazard(client: distributed.Client) -> str:
    """Return a warning that names a worker which Dask's profiler may hang forever; empty if there is none.

    Workers that `open_cluster` starts are never affected.
    """
    may_hang = client.run(_may_hang, on_error="ignore")
    workers = sorted(worker for worker, hangs in may_hang.items() if hangs)
    return PROFILER_HANG_WARNING.format(workers[0], len(workers)) if workers else ""


def _may_hang() -> bool:
    """Whether Dask's profiler may hang this process."""
    version = sys.version_info[:3]
    is_fixed = version >= FIXED_PYTHON_VERSIONS.get(version[:2], version)
    return bool(dask.config.get("distributed.worker.profile.enabled")) and not is_fixed
