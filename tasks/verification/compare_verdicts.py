"""What another verifier changes: verdicts of before and of now, side by side."""

from typing import ClassVar

from schemas.steps import Merge


class CompareVerdicts(Merge):
    """The change of each attempt, with both verdicts and the rules behind them; the texts stay with the attempts."""

    label: ClassVar[str] = "compare_verdicts"
    inputs: ClassVar[tuple[str, ...]] = ("attempts", "before", "after")

    def sql(self) -> str:
        """An attempt that has no verdict on one side, for it is in quarantine there, is no pass on that side."""
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
