"""Selects the corrections to publish: caps them per question, and keeps the intended mix of injected errors."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.row_ids import parent_id_sql
from schemas.steps import Merge

ERROR_ID = parent_id_sql("corrections.row_id")
"""SQL of the id of the error that a correction belongs to."""
SAME_CORRECTIONS = f"""
    WITH texts AS (
        SELECT row_id, strategy, {ERROR_ID} AS error,
            trim(lower(regexp_replace(substr(trajectory, correction_start + 1), '\\W+', ' ', 'g'))) AS words
        FROM corrections
    )
    SELECT fresh.row_id FROM texts AS fresh JOIN texts AS fixed USING (error, words)
    WHERE fresh.strategy = 'fresh_restart' AND fixed.strategy = 'fix_continue'
"""


class SelectCorrections(Merge):
    """Limits the corrections per question and the mix of error types. An error is dropped with all its corrections."""

    label: ClassVar[str] = "select_corrections"
    inputs: ClassVar[tuple[str, ...]] = ("corrections", "counts", "drawn")

    per_question: int = Field(default=20, ge=1)
    """Most corrections of one question that are published. The paper has 5.9 on average and at most 20 (`k_max`,
    section 4.4)."""
    limit_by_failure: bool = False
    """Whether to limit corrections by how often the student fails at the question (LEMMA-Hard). The limit is
    `per_question` times the share of failed attempts: half for the student's own errors and half for injected ones."""
    both_strategies: bool = False
    """Whether to publish only errors for which the corrections of both strategies passed."""
    tolerance: float = Field(default=0.1, ge=0, le=1)
    """Largest total variation distance between the error types of published injections and the target, in [0, 1].
    Surplus injections are dropped. Types that were never injected do not count, since dropping others cannot restore
    them. 1: no limit. Not in the paper."""

    def prepare(self, con: Any) -> None:
        """Create three tables: `twins(row_id)`, the restarts that repeat the text of the same error's continuation;
        `chosen`, a row per error with its `within` and `nth`; and `allowed(type, most)`, a row per injected type."""
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
        """SQL that orders errors in turns: the first of each source and type, then the second of each. A hash decides
        which error of a type is first."""
        group, limit = "question_id", str(self.per_question)
        if self.limit_by_failure:
            group, limit = "question_id, source", f"round({self.per_question} / 2 * failure)"
        return f"""
            WITH errors AS (
                SELECT {ERROR_ID} AS error, question_id, source, type, count(*) AS rows_of_error,
                    count(DISTINCT strategy) AS strategies
                FROM corrections ANTI JOIN twins USING (row_id) GROUP BY ALL
            ),
            eligible AS (SELECT * FROM errors WHERE strategies = 2 OR NOT {self.both_strategies}),
            turned AS (
                SELECT *, row_number() OVER (PARTITION BY question_id, source, type ORDER BY md5(error)) AS turn
                FROM eligible
            ),
            placed AS (
                SELECT turned.*, failure, sum(rows_of_error) OVER (
                    PARTITION BY {group} ORDER BY turn, md5(error || 'place')
                ) - rows_of_error AS before
                FROM turned JOIN counts ON question_id = counts.row_id
            ),
            capped AS (SELECT *, before < {limit} AS within, source = 'injected' AS injected FROM placed)
            SELECT *, row_number() OVER (PARTITION BY injected, type, within ORDER BY turn, md5(error)) AS nth
            FROM capped
        """

    def sql(self) -> str:
        """An error that begins below the limit keeps all its corrections, so the limit may be exceeded by one row."""
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
    """The target share of each type among injections, from the distributions of their questions; sums to 1."""
    sums = con.execute(
        "SELECT type, sum(share) FROM (SELECT unnest(types) AS type, unnest(shares) AS share FROM drawn) GROUP BY ALL"
    ).fetchall()
    total = sum(share for _, share in sums)
    return {kind: share / total for kind, share in sorted(sums)}


def counts_within_tolerance(counts: Mapping[str, int], target: Mapping[str, float], tolerance: float) -> dict[str, int]:
    """The number of each type to keep so that the mix is at most `tolerance` from `target`, dropping few."""
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
