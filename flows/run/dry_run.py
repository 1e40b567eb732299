"""Looks up whether a run has anything to do: calls the recipe with a lake that refuses work, without Prefect and Dask.

What such a run prints and records is what it would print and record as a flow.
"""

import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from flows.run.progress import Progress
from infra.cluster.step_execution import Shard, StepExecution
from infra.lake.dry_store import DryStore, WorkOwed, open_dry_store
from infra.lake.store import replace_store
from schemas.errors import GateFailed

LOOKUPS_AT_ONCE = 32
"""Look-ups in a remote lake that wait at the same time."""


class HeldBackProgress:
    """The progress of a run, which is shown once it is known that nothing is owed."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.changes: list[Callable[[Progress], None]] = []

    def add_step(self, step: StepExecution) -> None:
        """Show another step."""
        self.changes.append(lambda progress: progress.add_step(step))
        self.changes.append(Progress.refresh)

    def print_line(self, text: str) -> None:
        """Print one line."""
        self.changes.append(lambda progress: progress.print_line(text))

    def remaining(self) -> str:
        """Describe the rows left to do: none."""
        return ""

    def show(self) -> None:
        """Show everything."""
        progress = Progress(self.run)
        for change in self.changes:
            change(progress)
        progress.close()


class DryRun:
    """Looks up the results of steps. It stands where a flow of Prefect's otherwise does."""

    shows_artifacts = False

    def __init__(self, recipe_name: str, store: DryStore) -> None:
        self.recipe_name: str | None = recipe_name
        self.store = store
        self.progress: HeldBackProgress | None = None

    def open_progress(self, run: str) -> HeldBackProgress:
        """Open the display of the run."""
        self.progress = HeldBackProgress(run)
        return self.progress

    def execute(self, step: StepExecution) -> None:
        """Look up what all calls of a step have returned; raises `WorkOwed` if one has not been made."""
        values = [value.part if isinstance(value, Shard) else value for value in step.inputs]
        calls = [partial(step.function, **{step.argument: value}, **step.constants) for value in values]
        if len(calls) == 1 or not self.store.is_remote:
            results = [call() for call in calls]
        else:
            with ThreadPoolExecutor(LOOKUPS_AT_ONCE) as pool:
                try:
                    results = list(pool.map(self._call, calls))
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        step.succeed(dict(enumerate(results)))

    def _call(self, call: Callable[[], Any]) -> Any:
        with replace_store(self.store):
            return call()

    def expect_gate(self) -> None:
        """Prepare nothing: a gate is looked up like any other step."""

    def wait_for_paid_work(self) -> None:
        """Wait for nothing: nothing is being paid for."""

    def save_artifact(self, key: str, markdown: str) -> None:
        """Show nothing: there is no flow run beside which a text could stand."""

    def warn(self, line: str) -> None:
        """Log nothing: the terminal shows the line."""

    def finish(self) -> None:
        """Record and show the run. Raises `WorkOwed` if another process came in between."""
        self.store.write_held_back()
        if self.progress is not None:
            self.progress.show()


_active: contextvars.ContextVar[DryRun | None] = contextvars.ContextVar("dry_run", default=None)


def active_dry_run() -> DryRun | None:
    """The dry run that calls the recipe, if one does."""
    return _active.get()


def find_result(flow: Any, recipe: Any, lake: str) -> Any:
    """Return what `flow(recipe)` would return, if all of its work is found in the lake; raises `WorkOwed` if not.

    A gate that stopped the run before stops it again: raises `GateFailed`. Any other error is left to the flow.
    """
    with open_dry_store(lake) as store, _activate(DryRun(flow.name, store)) as dry_run:
        try:
            result = flow.fn(recipe)
        except GateFailed:
            dry_run.finish()
            raise
        except WorkOwed:
            raise
        except Exception as error:
            raise WorkOwed(f"{type(error).__name__}: {error}") from error
        dry_run.finish()
        return result


@contextmanager
def _activate(dry_run: DryRun) -> Iterator[DryRun]:
    before = _active.set(dry_run)
    try:
        yield dry_run
    finally:
        _active.reset(before)
