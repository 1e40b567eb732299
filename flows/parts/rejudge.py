"""Judging again: where the attempts and the verdicts of a published dataset lie, and what is said of the changes."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from prefect.artifacts import create_markdown_artifact

from flows.run.run import Run, Table, active_profile, receipts_of_published, stands_on
from infra.lake import catalog
from infra.lake.store import open_store
from schemas.errors import BadInput
from schemas.receipts import Receipt
from schemas.tables.verdict_changes import CHANGES


@dataclass(frozen=True)
class Recorded:
    """A published version that can be judged again."""

    version: str
    seeds: list[Receipt]
    """Of the attempts as they were read, without any verdict."""
    verdicts: Table
    """The published rows: attempts with the verdicts of then."""

    def attempts(self, run: Run) -> Table:
        """The attempts as the step of `run` that they are: its ledger begins with them, as if it had read the files."""
        run.began()
        table = Table.of("seed", self.seeds)
        run.tables.append(table)
        run.progress.note(f"{'read':<14} {table.rows:,} attempts of version {self.version}")
        return table


def recorded(dataset: str) -> Recorded:
    """The current version of `dataset`; raises `BadInput` where there is none that was made of files of attempts."""
    store = open_store(active_profile().store)
    manifest = store.manifest(dataset)
    if manifest is None:
        known = ", ".join(store.datasets()) or "none"
        raise BadInput(f"--dataset {dataset}: nothing is published under this name; give --input, or one of: {known}")
    seeds, last = stands_on(store, manifest, "seed"), receipts_of_published(store, manifest)
    if not seeds or "verdict" not in store.schema(last[0].parts[0]).names:
        raise BadInput(
            f"--dataset {dataset}: was not made by `questmill run verify`; export it, and give the file with --input"
        )
    return Recorded(manifest.version, seeds, Table.of(f"published {dataset}", last))


def tell(run: Run, before: str, changed: Table) -> None:
    """Print how many rows were gained and lost, and between which rules; keep the same as an artifact."""
    parts = [part for receipt, _ in changed.shards if isinstance(receipt, Receipt) for part in receipt.parts]
    with closing(catalog.connect(run.store)) as con:
        catalog.view(con, "changed", run.store, catalog.unique(parts))
        totals = dict(con.sql("SELECT change, count(*) FROM changed GROUP BY ALL").fetchall())
        moves = con.sql(
            "SELECT change, coalesce(verdict_before, 'none'), coalesce(rule_before, 'none'), "
            "coalesce(verdict_after, 'none'), coalesce(rule_after, 'none'), count(*) "
            "FROM changed WHERE change <> 'same' GROUP BY ALL ORDER BY 6 DESC, 1, 2, 3, 4, 5"
        ).fetchall()
    counts = ", ".join(f"{totals.get(change, 0):,} {change}" for change in CHANGES)
    run.progress.note(f"against {before}: {counts}")
    for change, verdict, rule, verdict_now, rule_now, rows in moves:
        run.progress.note(f"  {change:<8} {rows:>9,}  {verdict} by {rule} -> {verdict_now} by {rule_now}")
    create_markdown_artifact(key="changes", markdown=markdown(before, counts, moves))


def markdown(before: str, counts: str, moves: Iterable[tuple[object, ...]]) -> str:
    """The changes as a table for people."""
    lines = [
        f"Against {before}: {counts}.",
        "",
        "| change | before | by | now | by | rows |",
        "|---|---|---|---|---|--:|",
    ]
    return "\n".join([*lines, *("| " + " | ".join(map(str, move)) + " |" for move in moves)]) + "\n"
