"""Runs SQL queries over the lake, and prints the status of runs, datasets and funnels."""

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
"""Right-aligned columns of `print_status`."""
MAX_ROWS_SHOWN = 50
"""Most rows of a table on a terminal; csv, json and parquet are never cut."""


def query(store: Store, sql: str, output_format: str | None) -> int:
    """Run `sql` over the lake's views and print the result as a table, csv, json (an object per line) or parquet.

    A repeated column name gets a number: `a`, `a_1`. Raises `BadInput` for a wrong query, and `QuestmillError` if the
    lake is damaged.
    """
    con = catalog.open_catalog(store)  # reports missing and damaged files by name
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
        raise BadInput(f"query: {error}; cast the column in the query, or choose another --format") from error
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
    """Append a number to each name that occurred before."""
    unique: list[str] = []
    for name in names:
        tries = itertools.chain([name], (f"{name}_{n}" for n in itertools.count(1)))
        unique.append(next(t for t in tries if t not in unique and (t == name or t not in names)))
    return unique


def _needs_json(kind: pa.DataType) -> bool:
    """Whether values of `kind` must be written to CSV as JSON text."""
    return bool(pa.types.is_nested(kind) or pa.types.is_interval(kind))


def _to_csv_column(column: pa.Array) -> pa.Array:
    """Convert `column` for CSV: nested values become JSON text."""
    if not _needs_json(column.type):
        return column
    values = [_to_json_value(value) for value in column.to_pylist()]
    return pa.array([v if v is None or isinstance(v, str) else _to_json(v) for v in values], pa.string())


def _to_json(value: Any) -> str:
    return json.dumps(_to_json_value(value), ensure_ascii=False, allow_nan=False)


def _to_json_value(value: Any) -> Any:
    """Convert an Arrow value to its JSON equivalent; NaN and infinity become null."""
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
    """Standard output for a Parquet writer, which asks for the position; a pipe has none, so it is counted here."""

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
    """Print the runs, the datasets with their current versions, and the funnel of each."""
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
        console.print(_build_funnel(f"{manifest.dataset} {manifest.version}", manifest.ledger))
    for dataset, ledger in catalog.read_stopped_runs(store).items():
        console.print(_build_funnel(f"{dataset}, of which nothing is published: a gate stopped the run", ledger))
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
    """List the runs, newest first, and whether each was published, stopped by a gate, or left unfinished."""
    runs = []
    for folder, paths in itertools.groupby(store.list_paths("runs"), key=lambda path: path.rpartition("/")[0]):
        events = {path.rpartition("/")[2]: _read_event(store, path) for path in paths}
        if started := events.pop("started.json", None):
            states = [event["state"] for event in events.values()]
            state = ", ".join(states) or "unfinished; the same command continues it"
            runs.append([folder.split("/")[1], started["recipe"], started["time"], state])
    return sorted(runs, key=lambda run: run[2], reverse=True)


def _read_event(store: Store, path: str) -> dict[str, str]:
    """Read an event that a run recorded; raises `QuestmillError` if its file is damaged."""
    try:
        return cast(dict[str, str], json.loads(store.read(path) or b""))
    except ValueError as error:
        raise QuestmillError(f"{store.locate(path)} is damaged: {root_cause(error)}; delete it") from error


def _build_funnel(title: str, ledger: Iterable[StepCount]) -> Table:
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
            f"{count.usage.tokens:,}{count.usage.estimate_note}",
            _format_price(count),
        ]
        for count in ledger
    ]
    return _build_table(f"funnel of {title}", [*columns, "price per kept row"], rows)


def _format_price(count: StepCount) -> str:
    """Format the price of a kept row, e.g. `41.3 tokens, 0.000012 USD`; `-` for a step without a model."""
    usage, kept = count.usage, max(1, count.kept)
    parts = [f"{usage.tokens / kept:,.1f} tokens"] if usage.tokens else []
    parts += [f"{usage.usd / kept:,.6f} USD"] if usage.usd else []
    parts += [f"{usage.gpu_seconds / kept:,.4f} GPU s"] if usage.gpu_seconds else []
    return ", ".join(parts) or "-"


def _format_reasons(counts: dict[str, int]) -> str:
    """Format counts, e.g. `7: null answer 5, null response 2`."""
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
