"""Which corrections are published: no question too often, and the injected errors mixed as they were meant to be."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.row_ids import parent_id_sql
from schemas.steps import Merge

ERROR_ID = parent_id_sql("corrections.row_id")
"""SQL: the error that a correction is of."""
SAME_CORRECTIONS = f"""
    WITH told AS (
        SELECT row_id, strategy, {ERROR_ID} AS error,
            trim(lower(regexp_replace(substr(trajectory, correction_start + 1), '\\W+', ' ', 'g'))) AS said
        FROM corrections
    )
    SELECT fresh.row_id FROM told AS fresh JOIN told AS fixed USING (error, said)
    WHERE fresh.strategy = 'fresh_restart' AND fixed.strategy = 'fix_continue'
"""


class SelectCorrections(Merge):
    """Caps per question, and the mix of error types. An error stays or goes with all of its corrections."""

    label: ClassVar[str] = "select_corrections"
    inputs: ClassVar[tuple[str, ...]] = ("corrections", "counts", "drawn")

    per_question: int = Field(default=20, ge=1)
    """Corrections of one question; the paper publishes 5.9 on average, and at most 20 (`k_max`, section 4.4)."""
    limit_by_failure: bool = False
    """LEMMA-Hard: of each question the share of `per_question` in which the student failed, half of it for the
    student's own errors and half for injected ones."""
    both_strategies: bool = False
    """Publish only errors of which both strategies passed."""
    tolerance: float = Field(default=0.1, ge=0, le=1)
    """Largest total variation distance between the types of published injections and those that were to be made; what
    there is too much of is dropped. Types of which not one was made cannot be mended so, and do not count. 1: as it is.
    Not in the paper."""

    def prepare(self, con: Any) -> None:
        """`twins(row_id)`: restarts that say what their error's continuation says.

        `chosen(error, place, limit, turn)` of each error, and `allowed(type, most)` of each injected type."""
        con.execute(f"CREATE TEMP TABLE twins AS {SAME_CORRECTIONS}")
        con.execute(f"CREATE TEMP TABLE chosen AS {self._chosen_errors_sql()}")
        counts = dict(
            con.execute(
                "SELECT type, count(*) FROM chosen WHERE injected AND within GROUP BY ALL ORDER BY ALL"
            ).fetchall()
        )
        allowed = counts_within_tolerance(counts, target_shares(con), self.tolerance)
        con.register("allowed", pa.table({"type": [*allowed], "most": pa.array([*allowed.values()], pa.int64())}))

    def _chosen_errors_sql(self) -> str:
        """Errors in turn: of each source and type the first, then of each the second; who is first, chance decides."""
        group, limit = "question_id", str(self.per_question)
        if self.limit_by_failure:
            group, limit = "question_id, source", f"round({self.per_question} / 2 * failure)"
        return f"""
            WITH errors AS (
                SELECT {ERROR_ID} AS error, question_id, source, type, count(*) AS told,
                    count(DISTINCT strategy) AS strategies
                FROM corrections ANTI JOIN twins USING (row_id) GROUP BY ALL
            ),
            eligible AS (SELECT * FROM errors WHERE strategies = 2 OR NOT {self.both_strategies}),
            turned AS (
                SELECT *, row_number() OVER (PARTITION BY question_id, source, type ORDER BY md5(error)) AS turn
                FROM eligible
            ),
            placed AS (
                SELECT turned.*, failure, sum(told) OVER (
                    PARTITION BY {group} ORDER BY turn, md5(error || 'place')
                ) - told AS before
                FROM turned JOIN counts ON question_id = counts.row_id
            ),
            capped AS (SELECT *, before < {limit} AS within, source = 'injected' AS injected FROM placed)
            SELECT *, row_number() OVER (PARTITION BY injected, type, within ORDER BY turn, md5(error)) AS nth
            FROM capped
        """

    def sql(self) -> str:
        """An error that begins below the cap is published whole, so that the last one may exceed it by one row."""
        return f"""
            SELECT corrections.* EXCLUDE (response), counts.failure, CASE
                WHEN counts.row_id IS NULL THEN 'question left out'
                WHEN twins.row_id IS NOT NULL THEN 'the other strategy again'
                WHEN chosen.error IS NULL THEN 'one strategy only'
                WHEN NOT within THEN 'enough of this question'
                WHEN injected AND nth > most THEN 'enough of this type'
            END AS reject
            FROM corrections LEFT JOIN chosen ON {ERROR_ID} = chosen.error
                LEFT JOIN allowed ON chosen.type = allowed.type
                LEFT JOIN counts ON corrections.question_id = counts.row_id
                LEFT JOIN twins ON corrections.row_id = twins.row_id
            ORDER BY corrections.row_id
        """


def target_shares(con: Any) -> dict[str, float]:
    """The share of each type among the injections that were to be made, by the distributions of their questions."""
    sums = con.execute(
        "SELECT type, sum(share) FROM (SELECT unnest(types) AS type, unnest(shares) AS share FROM drawn) GROUP BY ALL"
    ).fetchall()
    total = sum(share for _, share in sums)
    return {kind: share / total for kind, share in sorted(sums)}


def counts_within_tolerance(counts: Mapping[str, int], target: Mapping[str, float], tolerance: float) -> dict[str, int]:
    """The most of each type that leave a mix at most `tolerance` from `target`, dropping as little as may be."""
    kept = dict(counts)
    reachable = sum(target.get(kind, 0) for kind in kept)
    if not reachable:
        return kept
    goal = {kind: target.get(kind, 0) / reachable for kind in kept}
    while (total := sum(kept.values())) > len(kept):
        excess = {kind: kept[kind] / total - goal[kind] for kind in kept}
        if sum(over for over in excess.values() if over > 0) <= tolerance:
            break
        largest_excess = max(excess, key=lambda kind: (excess[kind], kind))
        kept[largest_excess] -= max(1, int(kept[largest_excess] * excess[largest_excess] / 16))
    return kept
