"""What a person asks of a lake: an SQL query, and the state of runs, datasets and funnels."""

import io
import json
import sys
from collections.abc import Iterable
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from infra import catalog
from infra.store import Store
from schemas.errors import BadInput
from schemas.work import Manifest

NUMBERS = ("rows", "rows in", "kept", "shards", "seconds")
ROWS_SHOWN = 50
"""Rows of a table on a terminal; the formats for pipes are never cut."""


def query(store: Store, sql: str, form: str | None) -> int:
    """Run `sql` over the lake's views and print the result: a table, or csv, json (one object a line), parquet."""
    con = catalog.lake(store)
    form = form or ("table" if sys.stdout.isatty() else "csv")
    try:
        relation = con.sql(sql)
        if relation is None:
            return 0
        if form == "table":
            relation.show(max_rows=ROWS_SHOWN)
        else:
            _pipe(relation, form)
    except duckdb.Error as error:
        raise BadInput(f"query: {str(error).strip()}\nviews: {', '.join(_views(con))}") from error
    return 0


def _pipe(relation: duckdb.DuckDBPyRelation, form: str) -> None:
    reader = relation.to_arrow_reader(10_000)
    if form == "parquet":
        with pq.ParquetWriter(pa.PythonFile(_Pipe(), mode="w"), reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
        return
    if form == "csv":
        with pyarrow.csv.CSVWriter(pa.PythonFile(sys.stdout.buffer, mode="w"), reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
        return
    for batch in reader:
        for row in batch.to_pylist():
            print(json.dumps(row, ensure_ascii=False, default=str))


class _Pipe(io.RawIOBase):
    """Standard output as a Parquet writer wants it: it asks where it stands, which a pipe does not know."""

    position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.position += sys.stdout.buffer.write(data)
        return len(data)

    def tell(self) -> int:
        return self.position

    def flush(self) -> None:
        sys.stdout.buffer.flush()


def _views(con: duckdb.DuckDBPyConnection) -> list[str]:
    found = con.sql("SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL").fetchall()
    return [name if schema == "main" else f"{schema}.{name}" for schema, name in found]


def status(store: Store) -> int:
    """Print runs, datasets with their current versions, and the funnel of each."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    manifests = [m for m in map(store.manifest, store.datasets()) if m is not None]
    runs = _runs(store)
    if not manifests and not runs:
        console.print(f"nothing in {store.url} yet; start with: questmill run verify --input attempts.jsonl")
        return 0
    console.print(_table("runs", ["run", "recipe", "started (UTC)", "state"], runs))
    columns = ["dataset", "version", "rows", "files", "published (UTC)", "content", "earlier versions"]
    console.print(_table("datasets", columns, (_dataset(store, m) for m in manifests)))
    for manifest in manifests:
        console.print(_funnel(manifest))
    return 0


def _dataset(store: Store, manifest: Manifest) -> list[str]:
    earlier = [v for v in dict.fromkeys(store.history(manifest.dataset)) if v != manifest.version]
    size = f"{len(manifest.files)} ({sum(p.size for p in manifest.parts) / 1e6:,.1f} MB)"
    return [
        manifest.dataset,
        manifest.version,
        f"{manifest.rows:,}",
        size,
        manifest.created[:19],
        manifest.content[:12],
        ", ".join(earlier) or "-",
    ]


def _runs(store: Store) -> list[list[str]]:
    """Newest first: what was run, and whether it was published, stopped by a gate, or left unfinished."""
    found = []
    records = store.paths("runs")
    for path in records:
        if path.endswith("/started.json"):
            started = json.loads(store.read(path) or b"{}")
            ended = path.replace("/started.json", "/ended.json")
            state = "unfinished; the same command continues it"
            if ended in records:
                state = json.loads(store.read(ended) or b"{}")["state"]
            found.append([path.split("/")[1], started["recipe"], started["time"], state])
    return sorted(found, key=lambda run: run[2], reverse=True)


def _funnel(manifest: Manifest) -> Table:
    columns = ["step", "shards", "rows in", "kept", "rejected", "quarantined", "seconds"]
    rows = [
        [
            count.step,
            f"{count.shards:,}",
            f"{count.rows_in:,}",
            f"{count.kept:,}",
            _reasons(count.rejected),
            _reasons(count.quarantined),
            f"{count.seconds:,.1f}",
        ]
        for count in manifest.ledger
    ]
    return _table(f"funnel of {manifest.dataset} {manifest.version}", columns, rows)


def _reasons(counts: dict[str, int]) -> str:
    """`7: null answer 5, null response 2`."""
    if not counts:
        return "0"
    return f"{sum(counts.values()):,}: " + ", ".join(f"{reason} {n:,}" for reason, n in counts.items())


def _table(title: str, columns: list[str], rows: Iterable[list[str]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(
            column, justify="right" if column in ("rows", "rows in", "kept", "shards", "seconds") else "left"
        )
    for row in rows:
        table.add_row(*row)
    return table
