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
from infra.lake.file_errors import root_cause
from infra.lake.store import Store
from schemas.errors import BadInput, QuestmillError
from schemas.receipts import Manifest, StepCount

NUMBER_COLUMNS = ("rows", "rows in", "kept", "shards", "seconds", "tokens")
"""Columns of `print_status` that are aligned to the right."""
MAX_ROWS_SHOWN = 50
"""Rows of a table on a terminal; the formats for pipes are never cut."""


def query(store: Store, sql: str, output_format: str | None) -> int:
    """Run `sql` over the lake's views and print the result: a table, or csv, json (one object a line), parquet.

    A column whose name was there before gets a number: `a`, `a_1`.
    """
    con = catalog.open_catalog(store)  # what is missing or damaged is told here, by name
    output_format = output_format or ("table" if sys.stdout.isatty() else "csv")
    try:
        relation = con.sql(sql)
        if relation is None:
            return 0
        if output_format == "table":
            relation.show(max_rows=MAX_ROWS_SHOWN)
        else:
            _write_result(relation, output_format)
    except pa.ArrowException as error:
        raise BadInput(f"query: {error}; cast the column in the query, or ask for another --format") from error
    except duckdb.Error as error:
        if store.root in str(error):
            raise QuestmillError(f"query: the lake is damaged: {root_cause(error)}; restore the file") from error
        raise BadInput(f"query: {str(error).strip()}\nviews: {', '.join(_list_views(con))}") from error
    return 0


def _write_result(relation: duckdb.DuckDBPyRelation, output_format: str) -> None:
    reader = relation.to_arrow_reader(10_000)
    names = _number_duplicates(reader.schema.names)
    batches = (batch.rename_columns(names) for batch in reader)
    schema = pa.schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)])
    if output_format == "parquet":
        with pq.ParquetWriter(pa.PythonFile(_StdoutFile(), mode="w"), schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    elif output_format == "csv":
        flat = pa.schema([pa.field(f.name, pa.string()) if _needs_json(f.type) else f for f in schema])
        with pyarrow.csv.CSVWriter(pa.PythonFile(sys.stdout.buffer, mode="w"), flat) as writer:
            for batch in batches:
                writer.write_batch(pa.RecordBatch.from_arrays([*map(_to_csv_column, batch.columns)], schema=flat))
    else:
        for batch in batches:
            for row in batch.to_pylist():
                print(_to_json(row))


def _number_duplicates(names: list[str]) -> list[str]:
    """`names`, with a number at each that was there before."""
    unique: list[str] = []
    for name in names:
        tries = itertools.chain([name], (f"{name}_{n}" for n in itertools.count(1)))
        unique.append(next(t for t in tries if t not in unique and (t == name or t not in names)))
    return unique


def _needs_json(kind: pa.DataType) -> bool:
    """Whether CSV has no form for `kind` of its own."""
    return bool(pa.types.is_nested(kind) or pa.types.is_interval(kind))


def _to_csv_column(column: pa.Array) -> pa.Array:
    """`column` as CSV can hold it: what is nested as JSON text."""
    if not _needs_json(column.type):
        return column
    values = [_to_json_value(value) for value in column.to_pylist()]
    return pa.array([v if v is None or isinstance(v, str) else _to_json(v) for v in values], pa.string())


def _to_json(value: Any) -> str:
    return json.dumps(_to_json_value(value), ensure_ascii=False, allow_nan=False)


def _to_json_value(value: Any) -> Any:
    """What JSON has for a value of Arrow; it has no NaN and no infinity."""
    if isinstance(value, dict):
        return {str(name): _to_json_value(each) for name, each in value.items()}
    if isinstance(value, pa.MonthDayNano):
        return f"P{value.months}M{value.days}DT{value.nanoseconds / 1e9:g}S"
    if isinstance(value, list | tuple):
        return [_to_json_value(each) for each in value]
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if value is None or isinstance(value, bool | int | str) else str(value)


class _StdoutFile(io.RawIOBase):
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


def _list_views(con: duckdb.DuckDBPyConnection) -> list[str]:
    tables = con.sql("SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL").fetchall()
    return [name if schema == "main" else f"{schema}.{name}" for schema, name in tables]


def print_status(store: Store) -> int:
    """Print runs, datasets with their current versions, and the funnel of each."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    manifests = [m for m in map(store.datasets.read_manifest, store.datasets.names()) if m is not None]
    runs = _list_runs(store)
    if not manifests and not runs:
        console.print(f"nothing in {store.url} yet; start with: questmill run verify --input attempts.jsonl")
        return 0
    console.print(_build_table("runs", ["run", "recipe", "started (UTC)", "state"], runs))
    columns = ["dataset", "version", "rows", "files", "published (UTC)", "content", "earlier versions"]
    console.print(_build_table("datasets", columns, (_dataset_row(store, m) for m in manifests)))
    for manifest in manifests:
        console.print(_build_funnel(manifest))
    return 0


def _dataset_row(store: Store, manifest: Manifest) -> list[str]:
    earlier = [v for v in dict.fromkeys(store.datasets.version_history(manifest.dataset)) if v != manifest.version]
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


def _list_runs(store: Store) -> list[list[str]]:
    """Newest first: what was run, and whether it was published, stopped by a gate, or left unfinished."""
    runs = []
    for folder, paths in itertools.groupby(store.list_paths("runs"), key=lambda path: path.rpartition("/")[0]):
        events = {path.rpartition("/")[2]: _read_event(store, path) for path in paths}
        if started := events.pop("started.json", None):
            states = [event["state"] for event in events.values()]
            state = ", ".join(states) or "unfinished; the same command continues it"
            runs.append([folder.split("/")[1], started["recipe"], started["time"], state])
    return sorted(runs, key=lambda run: run[2], reverse=True)


def _read_event(store: Store, path: str) -> dict[str, str]:
    """What a run has written down about itself."""
    try:
        return cast(dict[str, str], json.loads(store.read(path) or b""))
    except ValueError as error:
        raise QuestmillError(f"{store.locate(path)} is damaged: {root_cause(error)}; delete it") from error


def _build_funnel(manifest: Manifest) -> Table:
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
            _format_reasons(count.rejected),
            _format_reasons(count.quarantined),
            f"{count.seconds:,.1f}",
            f"{count.usage.tokens:,}",
            _format_price(count),
        ]
        for count in manifest.ledger
    ]
    return _build_table(f"funnel of {manifest.dataset} {manifest.version}", [*columns, "price per kept row"], rows)


def _format_price(count: StepCount) -> str:
    """`41.3 tokens, 0.000012 USD`; `-` for a step that asks no model."""
    usage, kept = count.usage, max(1, count.kept)
    parts = [f"{usage.tokens / kept:,.1f} tokens"] if usage.tokens else []
    parts += [f"{usage.usd / kept:,.6f} USD"] if usage.usd else []
    parts += [f"{usage.gpu_seconds / kept:,.4f} GPU s"] if usage.gpu_seconds else []
    return ", ".join(parts) or "-"


def _format_reasons(counts: dict[str, int]) -> str:
    """`7: null answer 5, null response 2`."""
    if not counts:
        return "0"
    return f"{sum(counts.values()):,}: " + ", ".join(f"{reason} {n:,}" for reason, n in counts.items())


def _build_table(title: str, columns: list[str], rows: Iterable[list[str]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in NUMBER_COLUMNS else "left")
    for row in rows:
        table.add_row(*row)
    return table
