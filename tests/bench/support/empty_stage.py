"""A stage that does nothing, apart from the flow that runs it: a worker that imports it must not import Prefect."""

from schemas.outcomes import Row
from schemas.steps import Filter


class KeepAll(Filter):
    """Keeps every row."""

    number: int = 0

    def reject_reason(self, row: Row) -> str | None:
        return None
