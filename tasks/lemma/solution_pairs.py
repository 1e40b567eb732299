"""Pairs a right and a wrong solution of the same question."""

from typing import ClassVar

from schemas.steps import Merge


class PairSolutions(Merge):
    """Pairs each error with a right solution of its question: one of the student's, or else a correction by restart.

    Equal errors were dropped earlier. If there are several right solutions, a hash spreads them over the errors.
    """

    label: ClassVar[str] = "pair_solutions"
    inputs: ClassVar[tuple[str, ...]] = ("errors", "attempts", "corrections")

    def sql(self) -> str:
        """Only corrections by Fresh & Restart are used: those by Fix & Continue are incomplete without their prefix."""
        return """
            WITH right_ones AS (
                SELECT question_id, response AS solution, 'attempt' AS chosen_by, 1 AS rank
                FROM attempts WHERE verdict = 'correct'
                UNION
                SELECT question_id, trajectory[correction_start + 1 : correction_end], 'correction', 2
                FROM corrections WHERE strategy = 'fresh_restart'
            ),
            paired AS (
                SELECT errors.row_id, solution, chosen_by, row_number() OVER (
                    PARTITION BY errors.row_id ORDER BY rank, md5(errors.row_id || solution), solution
                ) AS place
                FROM errors JOIN right_ones USING (question_id)
            )
            SELECT errors.row_id, question_id, question, answer, solution AS chosen, response AS rejected,
                chosen_by, source, type, wrong_start, wrong_end,
                CASE WHEN solution IS NULL THEN 'nothing right to compare with' END AS reject
            FROM errors LEFT JOIN (SELECT * FROM paired WHERE place = 1) AS best USING (row_id) ORDER BY row_id
        """
