"""Submits the tasks of a run to Dask: task objects, the task runner, and the resources that a task occupies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

import dask
from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect_dask import DaskTaskRunner

from flows.run.options import load_active_profile
from flows.run.progress import Progress
from infra import engines, gates
from infra.cluster import budget, dask_cluster, train_worker, worker
from infra.lake import publish
from infra.report_data import dataset_summary

P = ParamSpec("P")
R = TypeVar("R")

PRELOADED_MODULES = ("flows.run.run",)
"""Modules that a worker process imports at its start: every recipe needs them, and flows reach it by reference."""


def _make_task(function: Callable[P, R]) -> Task[P, R]:
    """Make a Prefect task of `function`.

    `task(f)` instead of `@task def f` lets Dask pickle the function by reference, so that a worker keeps one engine.
    Receipts are the only cache: Prefect's own would outlive a deleted lake.
    """
    name = function.__name__.removeprefix("run_")
    return task(name=name, cache_policy=NO_CACHE, persist_result=False)(function)


SCAN_TASK = _make_task(worker.check_source)
SEED_TASK = _make_task(worker.run_seed)
EMPTY_ROWS_TASK = _make_task(worker.run_empty_rows)
SHARD_TASK = _make_task(worker.run_shard)
MERGE_TASK = _make_task(worker.run_merge)
TRAIN_TASK = _make_task(train_worker.run_train)
GATE_TASK = _make_task(gates.run_gate)
PUBLISH_TASK = _make_task(publish.run_publish)
SUMMARY_TASK = _make_task(dataset_summary.run_summary)


_is_io_bound: ContextVar[bool] = ContextVar("is_io_bound", default=False)


@contextmanager
def io_bound(value: bool) -> Iterator[None]:
    """Within this context, if `value` is true, tasks are submitted as those of a stage that only waits for a server."""
    token = _is_io_bound.set(value)
    try:
        yield
    finally:
        _is_io_bound.reset(token)


@contextmanager
def _open_cluster() -> Iterator[Any]:
    with dask_cluster.open_cluster(load_active_profile(), preload=PRELOADED_MODULES) as address:
        yield address


class DaskRunner(DaskTaskRunner):
    """Runs Dask for the duration of one flow. The progress display ends with the flow, however that ends."""

    progress: Progress | None = None
    resources: frozenset[str] | None = None

    def __exit__(self, *error: Any) -> None:
        if self.progress is not None:  # None in the copies that Prefect enters in every task
            self.progress.close()
            engines.unload()  # the workers may be threads of this process
            budget.close_trackers()
        super().__exit__(*error)

    def submit(self, task: Any, *arguments: Any, **options: Any) -> Any:
        """Submit one task. It occupies one core of its worker, unless its stage only waits for a server."""
        if self.resources is None:
            self.client.run_on_scheduler(budget.register_usage_handler)
            self.resources = frozenset(dask_cluster.list_resources(self.client))
            if self.progress is not None and (hazard := dask_cluster.hazard(self.client)):
                self.progress.print_line(f"warning: {hazard}")
        needed = dask_cluster.ASK_RESOURCE if _is_io_bound.get() else dask_cluster.COMPUTE_RESOURCE
        with dask.annotate(**({"resources": {needed: 1}} if needed in self.resources else {})):
            return super().submit(task, *arguments, **options)


dask_runner = DaskRunner(cluster_class=_open_cluster)
"""Task runner of every recipe. It opens the cluster of the active profile when the flow runs."""
