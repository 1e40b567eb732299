"""Runs the steps of a flow on Dask: each is one task of Prefect's, in a thread of the flow, which follows its shards.

Prefect thus sees steps, and Dask sees shards. Workers know nothing of Prefect.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from tempfile import NamedTemporaryFile
from typing import Any, cast

import distributed
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.run.options import load_active_profile
from flows.run.progress import Progress
from flows.run.step_task import STEP_TASK, FollowedStep
from flows.run.timings import TIMINGS
from infra import engines, gates
from infra.cluster import budget, dask_cluster, stall_watch
from infra.cluster.dask_executor import DaskExecutor
from infra.cluster.step_execution import StepExecution
from infra.gate_process import GateProcess
from schemas.profile import LocalCluster

WORKER_MODULES = ("infra.cluster.worker", "infra.cluster.step_call", "infra.engines.http", "distributed.nanny")
"""Modules that every worker needs; beside them it needs those of the stages that the recipe has imported."""


class OpeningCluster:
    """The cluster of the active profile, which opens in a thread, and a process for gates beside its workers."""

    def __init__(self) -> None:
        self.profile = load_active_profile()
        has_processes = isinstance(self.profile.cluster, LocalCluster) and self.profile.cluster.processes
        self.gate_process = GateProcess() if has_processes else None
        """Checks gates on this machine; None: a worker checks them."""
        self.open_resources = ExitStack()
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="cluster")
        self.opening = self.pool.submit(self._open)

    @property
    def client(self) -> distributed.Client:
        """The client of the cluster, as soon as that is open."""
        return self.opening.result()

    def _open(self) -> distributed.Client:
        with TIMINGS.measure("cluster"):
            preload = [*WORKER_MODULES, *sorted(name for name in sys.modules if name.startswith("tasks."))]
            cluster = self.open_resources.enter_context(dask_cluster.open_cluster(self.profile, preload=preload))
            return self.open_resources.enter_context(distributed.Client(cluster, set_as_default=False))

    def close(self) -> None:
        """Close the cluster and end the process for gates."""
        with TIMINGS.measure("end of the cluster"):
            if self.gate_process is not None:
                self.gate_process.close()
            with suppress(Exception):  # who asked for the client was told
                self.opening.result()
            self.open_resources.close()
            self.pool.shutdown()


_opened_ahead: list[OpeningCluster] = []


@contextmanager
def open_cluster_ahead(gate_is_near: bool) -> Iterator[None]:
    """Open the cluster for the next flow, which runs inside `with`, while the flow itself still starts."""
    cluster = OpeningCluster()
    if gate_is_near and cluster.gate_process is not None:
        cluster.gate_process.start()
    _opened_ahead.append(cluster)
    try:
        yield
    finally:
        if cluster in _opened_ahead:  # the flow did not come so far
            _opened_ahead.remove(cluster)
            cluster.close()


class DaskRunner(ThreadPoolTaskRunner[Any]):
    """Owns the cluster, its client and the executor of the steps for the duration of one flow."""

    def __init__(self) -> None:
        super().__init__(max_workers=sys.maxsize)  # a step that is followed holds a thread and next to no CPU
        self.progress: Progress | None = None
        self.futures: list[PrefectFuture[Any]] = []
        self.open_resources = ExitStack()

    def duplicate(self) -> "DaskRunner":
        """Return a runner for another run of the flow."""
        return DaskRunner()

    def __enter__(self) -> "DaskRunner":
        """Begin to run steps."""
        TIMINGS.end("server, start of the flow")
        super().__enter__()
        return self

    @cached_property
    def cluster(self) -> OpeningCluster:
        """The cluster: one that was opened ahead, or one that opens now."""
        cluster = _opened_ahead.pop() if _opened_ahead else OpeningCluster()
        self.open_resources.callback(cluster.close)
        return cluster

    @cached_property
    def client(self) -> distributed.Client:
        """The client of the cluster, which is opened for the first step."""
        client = self.cluster.client
        if self.progress is not None and (hazard := dask_cluster.hazard(client)):
            self.progress.print_line(f"warning: {hazard}")
        return client

    @cached_property
    def executor(self) -> DaskExecutor:
        """The executor of the steps of this flow."""
        stall_watch.subscribe(self.client, self._tell_of_stall)
        return DaskExecutor(self.client, load_active_profile().stall_seconds)

    def expect_gate(self) -> None:
        """Start the process for gates, because a gate is near."""
        if self.cluster.gate_process is not None:
            self.cluster.gate_process.start()

    def execute(self, step: StepExecution) -> None:
        """Begin a step: its shards at Dask, and the task that follows them. Returns at once."""
        if step.function is gates.run_gate and self.cluster.gate_process is not None:
            self.cluster.gate_process.execute(step)
        else:
            self.executor.execute(step)
        task = STEP_TASK.with_options(task_run_name=step.name)
        self.futures.append(self.submit(task, {"followed": FollowedStep(step)}))

    def _tell_of_stall(self, stall: stall_watch.Stall) -> None:
        """Print which shard stalls; keep the stacks of its process in a file on this machine."""
        with NamedTemporaryFile(
            "w", prefix=f"questmill-stall-{stall.pid}-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(f"{stall.describe()}\n\n{stall.stacks}")
        if self.progress is not None:
            self.progress.print_line(f"warning: {stall.describe()}; what its threads do is in {file.name}")

    def __exit__(self, *error: Any) -> None:
        """Close what is open; the followers end only once the executor has told them that the run has ended."""
        with self.open_resources:
            try:
                if self.progress is not None:
                    self.progress.close()
                if "executor" in self.__dict__:
                    self.executor.close()
                if "cluster" in self.__dict__ and self.cluster.gate_process is not None:
                    self.cluster.gate_process.close()
            finally:
                super().__exit__(*error)
                engines.unload()  # the workers may be threads of this process
                budget.close_trackers()
        TIMINGS.begin("end of the flow")


dask_runner: TaskRunner[PrefectFuture[Any]] = cast(Any, DaskRunner())
"""Task runner of every recipe. It opens the cluster of the active profile when the flow runs its first step."""
