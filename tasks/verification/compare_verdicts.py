"""Compares the verdicts of two verifiers on the same attempts, to show what another verifier changes."""

from typing import ClassVar

from schemas.steps import Merge


class CompareVerdicts(Merge):
    """How the verdict on each attempt changed, with both verdicts and their rules. The texts are not copied."""

    label: ClassVar[str] = "compare_verdicts"
    inputs: ClassVar[tuple[str, ...]] = ("attempts", "before", "after")

    def sql(self) -> str:
        """An attempt without a verdict on one side, because it is in quarantine there, does not pass on that side."""
        sides = ", ".join(
            f"{side}.verdict AS verdict_{side}, {side}.rule AS rule_{side}, "
            f"{side}.verifier || ' ' || {side}.verifier_version AS verifier_{side}"
            for side in ("before", "after")
        )
        return f"""
            SELECT row_id, CASE
                    WHEN before.verdict IS NOT DISTINCT FROM after.verdict THEN 'same'
                    WHEN after.verdict = 'correct' THEN 'gained'
                    WHEN before.verdict = 'correct' THEN 'lost'
                    ELSE 'other'
                END AS change, {sides}
            FROM (SELECT row_id FROM attempts) LEFT JOIN before USING (row_id) LEFT JOIN after USING (row_id)
            ORDER BY row_id
        """
