"""Verifies a published dataset again: loads its attempts and verdicts, and reports which verdicts changed."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from flows.run.history import receipts_of_published, receipts_of_step
from flows.run.options import load_active_profile
from flows.run.run import Run, Table
from infra.lake import catalog
from infra.lake.store import open_store
from schemas.errors import BadInput
from schemas.markdown_table import format_table
from schemas.receipts import Receipt
from schemas.tables.verdict_changes import CHANGES


@dataclass(frozen=True)
class PublishedVerdicts:
    """A published version whose attempts can be verified again."""

    version: str
    attempt_receipts: list[Receipt]
    """Receipts of the attempts as they were read, without verdicts."""
    verdicts: Table
    """The published rows: the attempts with their earlier verdicts."""

    def load_attempts(self, run: Run) -> Table:
        """Add the attempts to `run` as its first step, as if it had read the files."""
        run.record_start()
        table = Table.from_receipts("seed", self.attempt_receipts)
        run.tables.append(table)
        run.progress.print_line(f"{'read':<14} {table.rows:,} attempts of version {self.version}")
        return table


def load_published_verdicts(dataset: str) -> PublishedVerdicts:
    """Load the current version of `dataset`; raises `BadInput` if `questmill run verify` did not publish it."""
    store = open_store(load_active_profile().store)
    manifest = store.datasets.read_manifest(dataset)
    if manifest is None:
        known = ", ".join(store.datasets.names()) or "none"
        raise BadInput(f"--dataset {dataset}: nothing is published under this name; give --input, or one of: {known}")
    seeds, last = receipts_of_step(store, manifest, "seed"), receipts_of_published(store, manifest)
    if not seeds or "verdict" not in store.read_schema(last[0].parts[0]).names:
        raise BadInput(
            f"--dataset {dataset}: was not made by `questmill run verify`; export it, and give the file with --input"
        )
    return PublishedVerdicts(manifest.version, seeds, Table.from_receipts(f"published {dataset}", last))


def report_changes(run: Run, before: str, changed: Table) -> None:
    """Print the number of rows for each change and for each pair of rules; save the same as an artifact."""
    parts = [part for shard in changed.shards if (part := shard.part) is not None]
    with closing(catalog.connect(run.store)) as con:
        catalog.create_view(con, "changed", run.store, catalog.unique_parts(parts))
        totals = dict(con.sql("SELECT change, count(*) FROM changed GROUP BY ALL").fetchall())
        moves = con.sql(
            "SELECT change, coalesce(verdict_before, 'none'), coalesce(rule_before, 'none'), "
            "coalesce(verdict_after, 'none'), coalesce(rule_after, 'none'), count(*) "
            "FROM changed WHERE change <> 'same' GROUP BY ALL ORDER BY 6 DESC, 1, 2, 3, 4, 5"
        ).fetchall()
    counts = ", ".join(f"{totals.get(change, 0):,} {change}" for change in CHANGES)
    run.progress.print_line(f"against {before}: {counts}")
    for change, verdict, rule, verdict_now, rule_now, rows in moves:
        run.progress.print_line(f"  {change:<8} {rows:>9,}  {verdict} by {rule} -> {verdict_now} by {rule_now}")
    run.context.save_artifact("changes", format_changes(before, counts, moves))


def format_changes(before: str, counts: str, moves: Iterable[tuple[object, ...]]) -> str:
    """Format the changes as a Markdown table."""
    columns = ["change", "before", "by", "now", "by", "rows"]
    return f"Against {before}: {counts}.\n\n{format_table(columns, moves, right_aligned=[5])}\n"
