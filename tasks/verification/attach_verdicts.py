"""Joins verdicts to their attempts: one row for each attempt with a verdict, in the order of the input."""

from typing import ClassVar

from schemas.steps import Merge


class AttachVerdicts(Merge):
    """Attempts with their verdicts. An attempt whose verdict is in quarantine is rejected as `no verdict`."""

    label: ClassVar[str] = "attach_verdicts"
    inputs: ClassVar[tuple[str, ...]] = ("attempts", "verdicts")

    def sql(self) -> str:
        """Row ids sort by source file and row, so the published order is the order of the input."""
        return """
            SELECT attempts.*, verdicts.* EXCLUDE (row_id),
                   CASE WHEN verdicts.row_id IS NULL THEN 'no verdict' END AS reject
            FROM attempts LEFT JOIN verdicts USING (row_id)
            ORDER BY attempts.row_id
        """
