"""Runs the steps of a flow on Dask: each is one task of Prefect's, in a thread of the flow, which follows its shards.

Prefect thus sees steps, and Dask sees shards. Workers know nothing of Prefect.
"""

import sys
from contextlib import ExitStack
from functools import cached_property
from tempfile import NamedTemporaryFile
from typing import Any, cast

import distributed
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.run.options import load_active_profile
from flows.run.progress import Progress
from flows.run.step_task import STEP_TASK, FollowedStep
from infra import engines
from infra.cluster import budget, dask_cluster, stall_watch
from infra.cluster.dask_executor import DaskExecutor
from infra.cluster.step_execution import StepExecution

WORKER_MODULES = ("infra.cluster.worker", "infra.cluster.step_call", "infra.engines.http", "distributed.nanny")
"""Modules that every worker needs; beside them it needs those of the stages that the recipe has imported."""


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

    @cached_property
    def client(self) -> distributed.Client:
        """The client of the cluster, which is opened for the first step."""
        preload = [*WORKER_MODULES, *sorted(name for name in sys.modules if name.startswith("tasks."))]
        cluster = self.open_resources.enter_context(dask_cluster.open_cluster(load_active_profile(), preload=preload))
        client = self.open_resources.enter_context(distributed.Client(cluster, set_as_default=False))
        if self.progress is not None and (hazard := dask_cluster.hazard(client)):
            self.progress.print_line(f"warning: {hazard}")
        return client

    @cached_property
    def executor(self) -> DaskExecutor:
        """The executor of the steps of this flow."""
        stall_watch.subscribe(self.client, self._tell_of_stall)
        return DaskExecutor(self.client, load_active_profile().stall_seconds)

    def execute(self, step: StepExecution) -> None:
        """Begin a step: its shards at Dask, and the task that follows them. Returns at once."""
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
            finally:
                super().__exit__(*error)
                engines.unload()  # the workers may be threads of this process
                budget.close_trackers()


dask_runner: TaskRunner[PrefectFuture[Any]] = cast(Any, DaskRunner())
"""Task runner of every recipe. It opens the cluster of the active profile when the flow runs its first step."""
