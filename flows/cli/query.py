"""What a person asks of a lake: an SQL query, and the state of runs, datasets and funnels."""

import decimal
import io
import itertools
import json
import math
import sys
from collections.abc import Iterable
from typing import Any, cast

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from infra.lake import catalog
from infra.lake.store import Store, reason
from schemas.errors import BadInput, QuestmillError
from schemas.receipts import Manifest, StepCount

NUMBERS = ("rows", "rows in", "kept", "shards", "seconds", "tokens")
"""Columns of `status` that are aligned to the right."""
ROWS_SHOWN = 50
"""Rows of a table on a terminal; the formats for pipes are never cut."""


def query(store: Store, sql: str, form: str | None) -> int:
    """Run `sql` over the lake's views and print the result: a table, or csv, json (one object a line), parquet.

    A column whose name was there before gets a number: `a`, `a_1`.
    """
    con = catalog.lake(store)  # what is missing or damaged is told here, by name
    form = form or ("table" if sys.stdout.isatty() else "csv")
    try:
        relation = con.sql(sql)
        if relation is None:
            return 0
        if form == "table":
            relation.show(max_rows=ROWS_SHOWN)
        else:
            _pipe(relation, form)
    except pa.ArrowException as error:
        raise BadInput(f"query: {error}; cast the column in the query, or ask for another --format") from error
    except duckdb.Error as error:
        if store.root in str(error):
            raise QuestmillError(f"query: the lake is damaged: {reason(error)}; restore the file") from error
        raise BadInput(f"query: {str(error).strip()}\nviews: {', '.join(_views(con))}") from error
    return 0


def _pipe(relation: duckdb.DuckDBPyRelation, form: str) -> None:
    reader = relation.to_arrow_reader(10_000)
    names = _distinct(reader.schema.names)
    batches = (batch.rename_columns(names) for batch in reader)
    schema = pa.schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)])
    if form == "parquet":
        with pq.ParquetWriter(pa.PythonFile(_Pipe(), mode="w"), schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    elif form == "csv":
        flat = pa.schema([pa.field(f.name, pa.string()) if _nested(f.type) else f for f in schema])
        with pyarrow.csv.CSVWriter(pa.PythonFile(sys.stdout.buffer, mode="w"), flat) as writer:
            for batch in batches:
                writer.write_batch(pa.RecordBatch.from_arrays([*map(_flat, batch.columns)], schema=flat))
    else:
        for batch in batches:
            for row in batch.to_pylist():
                print(_json(row))


def _distinct(names: list[str]) -> list[str]:
    """`names`, with a number at each that was there before."""
    found: list[str] = []
    for name in names:
        tries = itertools.chain([name], (f"{name}_{n}" for n in itertools.count(1)))
        found.append(next(t for t in tries if t not in found and (t == name or t not in names)))
    return found


def _nested(kind: pa.DataType) -> bool:
    """Whether CSV has no form for `kind` of its own."""
    return bool(pa.types.is_nested(kind) or pa.types.is_interval(kind))


def _flat(column: pa.Array) -> pa.Array:
    """`column` as CSV can hold it: what is nested as JSON text."""
    if not _nested(column.type):
        return column
    plain = [_plain(value) for value in column.to_pylist()]
    return pa.array([v if v is None or isinstance(v, str) else _json(v) for v in plain], pa.string())


def _json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """What JSON has for a value of Arrow; it has no NaN and no infinity."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, pa.MonthDayNano):
        return f"P{value.months}M{value.days}DT{value.nanoseconds / 1e9:g}S"
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if value is None or isinstance(value, bool | int | str) else str(value)


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
    for folder, paths in itertools.groupby(store.paths("runs"), key=lambda path: path.rpartition("/")[0]):
        events = {path.rpartition("/")[2]: _event(store, path) for path in paths}
        if started := events.pop("started.json", None):
            states = [event["state"] for event in events.values()]
            state = ", ".join(states) or "unfinished; the same command continues it"
            found.append([folder.split("/")[1], started["recipe"], started["time"], state])
    return sorted(found, key=lambda run: run[2], reverse=True)


def _event(store: Store, path: str) -> dict[str, str]:
    """What a run has written down about itself."""
    try:
        return cast(dict[str, str], json.loads(store.read(path) or b""))
    except ValueError as error:
        raise QuestmillError(f"{store.locate(path)} is damaged: {reason(error)}; delete it") from error


def _funnel(manifest: Manifest) -> Table:
    columns = [
        "step",
        "shards",
        "rows in",
        "kept",
        "rejected",
        "quarantined",
        "seconds",
        "tokens",
    ]
    rows = [
        [
            count.step,
            f"{count.shards:,}",
            f"{count.rows_in:,}",
            f"{count.kept:,}",
            _reasons(count.rejected),
            _reasons(count.quarantined),
            f"{count.seconds:,.1f}",
            f"{count.spent.tokens:,}",
            _price(count),
        ]
        for count in manifest.ledger
    ]
    return _table(f"funnel of {manifest.dataset} {manifest.version}", [*columns, "price per kept row"], rows)


def _price(count: StepCount) -> str:
    """`41.3 tokens, 0.000012 USD`; `-` for a step that asks no model."""
    spent, kept = count.spent, max(1, count.kept)
    parts = [f"{spent.tokens / kept:,.1f} tokens"] if spent.tokens else []
    parts += [f"{spent.usd / kept:,.6f} USD"] if spent.usd else []
    parts += [f"{spent.gpu_seconds / kept:,.4f} GPU s"] if spent.gpu_seconds else []
    return ", ".join(parts) or "-"


def _reasons(counts: dict[str, int]) -> str:
    """`7: null answer 5, null response 2`."""
    if not counts:
        return "0"
    return f"{sum(counts.values()):,}: " + ", ".join(f"{reason} {n:,}" for reason, n in counts.items())


def _table(title: str, columns: list[str], rows: Iterable[list[str]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in NUMBERS else "left")
    for row in rows:
        table.add_row(*row)
    return table
