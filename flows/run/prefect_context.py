"""Runs the steps of a recipe as tasks of a Prefect flow, and shows its artifacts there."""

import re

from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger

from flows.run.dask_runner import DaskRunner
from flows.run.progress import Progress
from infra.cluster.step_execution import StepExecution


class PrefectContext:
    """What executes the steps of a run, and where its artifacts and warnings are shown."""

    shows_artifacts = True

    def __init__(self) -> None:
        """Raises RuntimeError outside a flow of Prefect's that runs with `dask_runner`, as every recipe does."""
        context = FlowRunContext.get()
        if context is None or not isinstance(context.task_runner, DaskRunner):
            raise RuntimeError("a run is opened in a recipe: @flow(name=...) of flows.run.recipe_flow")
        self.runner: DaskRunner = context.task_runner
        self.recipe_name = context.flow.name if context.flow is not None else None

    def open_progress(self, run: str) -> Progress:
        """Open the display of the run, which is closed when the flow ends."""
        self.runner.progress = Progress(run)
        return self.runner.progress

    def execute(self, step: StepExecution) -> None:
        """Begin a step. Returns at once; its results arrive in `step`."""
        self.runner.execute(step)

    def expect_gate(self) -> None:
        """Prepare for a gate, because one is near."""
        self.runner.expect_gate()

    def wait_for_paid_work(self) -> None:
        """Wait until every step has ended that a spent budget lets end."""
        self.runner.executor.wait()

    def save_artifact(self, key: str, markdown: str) -> None:
        """Show a text beside the run."""
        create_markdown_artifact(key=format_artifact_key(key), markdown=markdown)

    def warn(self, line: str) -> None:
        """Write one line to the log of the run."""
        get_run_logger().warning(line)


def format_artifact_key(name: str) -> str:
    """A key that Prefect accepts: lower-case letters, digits and dashes."""
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")  # matches "_", " ", not "a"
