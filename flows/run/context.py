"""Says what a run needs from its surroundings: somebody who executes its steps, and a place for artifacts and warnings.

Under Prefect that is `flows.run.prefect_context`.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from infra.cluster.step_execution import StepExecution

if TYPE_CHECKING:
    from flows.run.progress import Progress


class RunContext(Protocol):
    """What executes the steps of a run and shows its artifacts."""

    recipe_name: str | None
    """Name of the recipe in commands; None: unknown."""

    def attach(self, progress: "Progress") -> None:
        """Take over the display of the run, to close it when the run ends."""

    def execute(self, step: StepExecution) -> None:
        """Begin a step. Returns at once; its results arrive in `step`."""

    def wait_for_paid_work(self) -> None:
        """Wait until every step has ended that a spent budget lets end."""

    def save_artifact(self, key: str, markdown: str) -> None:
        """Show a text beside the run."""

    def warn(self, line: str) -> None:
        """Write one line to the log of the run."""


ACTIVE_CONTEXT: ContextVar[RunContext | None] = ContextVar("active_context", default=None)
"""The context of runs that are opened here; None: Prefect's."""


def find_context() -> RunContext:
    """Return the active context, or that of the flow that Prefect runs."""
    if (context := ACTIVE_CONTEXT.get()) is not None:
        return context
    from flows.run.prefect_context import PrefectContext  # late: it takes a second to import

    return PrefectContext()
