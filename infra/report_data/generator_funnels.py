"""Computes a funnel for each generator: how many of its rows each step received, and what became of them.

A row id starts with its generator's name and a colon. Rows of input files have no generator. See `schemas/row_ids.py`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

import duckdb

from infra.lake.catalog import read_parts_sql, unique_parts
from infra.lake.store import Store
from schemas.receipts import Part, Receipt, StepCount, Usage
from schemas.row_ids import generator_sql, is_file_prefix, parent_id_sql

NO_GENERATOR = ""
"""Name that stands for rows without a generator."""

RowCounts = Counter[str]
"""Number of rows by generator."""
OutcomeCounts = Counter[tuple[str, int, str]]
"""Number of input rows by generator, fate (0 kept, 1 rejected, 2 quarantined) and reason."""


def build_funnels(
    con: duckdb.DuckDBPyConnection, store: Store, receipts: list[Receipt], steps: Iterable[str]
) -> dict[str, tuple[StepCount, ...]]:
    """One funnel for each generator, in the order of `steps`; empty if no row id names a generator.

    The costs of a shard are divided among its generators in proportion to their rows.
    """
    if all(receipt.inputs for receipt in receipts):  # without a seed of empty rows, all rows come from files
        return {}
    parts = unique_parts(part for receipt in receipts for part in receipt.parts)
    row_counts = _count_rows(con, store, parts)
    if not any(name for count in row_counts.values() for name in count):
        return {}
    lines: dict[str, list[StepCount]] = defaultdict(list)
    for step in dict.fromkeys(steps):
        step_receipts = [receipt for receipt in receipts if receipt.step == step]
        input_counts = [_count_inputs(receipt, row_counts) for receipt in step_receipts]
        mixed = [receipt for receipt, count in zip(step_receipts, input_counts, strict=True) if len(count) > 1]
        outcome_counts = _count_from_receipts(step_receipts, input_counts) + (
            _count_from_rows(con, store, mixed, parts) if mixed else Counter()
        )
        for name in sorted({name for count in input_counts for name in count}):
            lines[name].append(_make_step_count(name, step_receipts, input_counts, row_counts, outcome_counts))
    return {name: tuple(lines[name]) for name in sorted(lines, key=lambda name: (name == NO_GENERATOR, name))}


def _count_rows(con: duckdb.DuckDBPyConnection, store: Store, parts: list[Part]) -> dict[str, RowCounts]:
    """The number of rows by generator in each object, by the object's digest."""
    row_counts: dict[str, RowCounts] = {part.digest: Counter() for part in parts}
    if not parts:
        return row_counts
    for path, prefix, rows in con.execute(
        f"SELECT filename, {generator_sql()} AS prefix, count(*) FROM {read_parts_sql(store, parts)} GROUP BY ALL"
    ).fetchall():
        digest = path.rpartition("/")[2].removesuffix(".parquet")
        row_counts[digest][_generator_name(prefix)] += rows
    return row_counts


def _generator_name(prefix: str) -> str:
    return NO_GENERATOR if is_file_prefix(prefix) else prefix


def _count_inputs(receipt: Receipt, row_counts: dict[str, RowCounts]) -> RowCounts:
    """The input rows of a receipt by generator. If the step reads no table, they are counted by the generator of its
    output rows."""
    if input_counts := [row_counts[digest] for digest in receipt.inputs if digest in row_counts]:
        return sum(input_counts, Counter())
    count = sum((row_counts[part.digest] for part in receipt.parts), Counter[str]())
    return Counter(dict.fromkeys(count, receipt.rows_in)) if len(count) == 1 else count


def _count_from_receipts(receipts: list[Receipt], input_counts: list[RowCounts]) -> OutcomeCounts:
    """Count the outcomes of shards with rows of a single generator, from their receipts alone."""
    outcome_counts: OutcomeCounts = Counter()
    for receipt, count in zip(receipts, input_counts, strict=True):
        if len(count) == 1:
            [name] = count
            outcome_counts[name, 0, ""] += receipt.kept
            outcome_counts.update({(name, 1, reason): n for reason, n in receipt.rejected.items()})
            outcome_counts.update({(name, 2, reason): n for reason, n in receipt.quarantined.items()})
    return outcome_counts


def _count_from_rows(
    con: duckdb.DuckDBPyConnection, store: Store, receipts: list[Receipt], parts: list[Part]
) -> OutcomeCounts:
    """Count the outcomes of shards with rows of several generators, from the rows themselves.

    As in a receipt, an input row counts by the best fate of its outcomes. Its id is that of the outcome, or the
    outcome's id without the last part.
    """
    kept = unique_parts(part for receipt in receipts for part in receipt.parts)
    dropped = [
        unique_parts(part for r in receipts if (part := getattr(r, name)) is not None)
        for name in ("rejects", "quarantine")
    ]
    outcomes = " UNION ALL ".join(
        [f"SELECT row_id, 0 AS fate, '' AS reason, 0 AS place FROM {read_parts_sql(store, kept)}"]
        + [
            f"SELECT row_id, {fate} AS fate, reason, file_row_number AS place FROM {read_parts_sql(store, table)}"
            for fate, table in enumerate(dropped, start=1)
            if table
        ]
    )
    if sum(part.rows for table in (kept, *dropped) for part in table) != sum(receipt.rows_in for receipt in receipts):
        input_digests = {digest for receipt in receipts for digest in receipt.inputs}
        inputs = [part for part in parts if part.digest in input_digests]
        origin = f"coalesce(given.row_id, {parent_id_sql('outcomes.row_id')})"
        outcomes = (
            f"SELECT {origin} AS row_id, min(fate) AS fate, arg_min(reason, (fate, place)) AS reason FROM ({outcomes}) "
            f"AS outcomes LEFT JOIN (SELECT row_id FROM {read_parts_sql(store, inputs)}) AS given "
            "USING (row_id) GROUP BY 1"
        )
    outcome_counts: OutcomeCounts = Counter()
    for prefix, fate, reason, n in con.execute(
        f"SELECT {generator_sql()} AS prefix, fate, reason, count(*) FROM ({outcomes}) GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        outcome_counts[_generator_name(prefix), fate, reason] += n
    return outcome_counts


def _make_step_count(
    name: str,
    receipts: list[Receipt],
    input_counts: list[RowCounts],
    row_counts: dict[str, RowCounts],
    outcome_counts: OutcomeCounts,
) -> StepCount:
    """The funnel line of one step for the generator `name`."""
    spent, seconds = Usage(), 0.0
    for receipt, count in zip(receipts, input_counts, strict=True):
        if share := count[name] / max(1, count.total()):
            spent += _scale_usage(receipt.usage, share)
            seconds += receipt.seconds * share
    return StepCount(
        step=receipts[0].step,
        shards=sum(name in row_counts[part.digest] for receipt in receipts for part in receipt.parts),
        rows_in=sum(count[name] for count in input_counts),
        kept=outcome_counts[name, 0, ""],
        rejected={reason: n for (who, fate, reason), n in outcome_counts.items() if (who, fate) == (name, 1)},
        quarantined={reason: n for (who, fate, reason), n in outcome_counts.items() if (who, fate) == (name, 2)},
        rows_out=sum(row_counts[part.digest][name] for receipt in receipts for part in receipt.parts),
        seconds=round(seconds, 3),
        usage=spent,
    )


def _scale_usage(usage: Usage, share: float) -> Usage:
    return Usage(
        prompt_tokens=round(usage.prompt_tokens * share),
        completion_tokens=round(usage.completion_tokens * share),
        estimated_tokens=round(usage.estimated_tokens * share),
        usd=usage.usd * share,
        gpu_seconds=usage.gpu_seconds * share,
    )
