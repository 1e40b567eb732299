"""DuckDB views of a lake. They show committed shards and published datasets only, never files without a receipt.

<dataset>               the current version of each published dataset
step.<name>             every committed row of each step, e.g. `step.verify`
receipts                one row for each receipt
funnel                  one row for each step of each current dataset; if nothing is published under a name, of the last
                        run that a gate stopped (without a version)
gold_doubts             golds in doubt of each current dataset; if nothing is published under a name, of every run
rejects, quarantine     rows that were rejected or failed for good, with the reason
"""

import json
import tempfile
import uuid
from collections.abc import Iterable

import duckdb
import pyarrow as pa

from infra.lake.file_errors import root_cause
from infra.lake.store import Store
from schemas.errors import QuestmillError
from schemas.receipts import Manifest, Part, Receipt, StepCount
from schemas.tables import gold_doubts, quarantine, rejects

USAGE_COLUMNS = [
    ("prompt_tokens", pa.int64()),
    ("completion_tokens", pa.int64()),
    ("estimated_tokens", pa.int64()),
    ("usd", pa.float64()),
    ("gpu_seconds", pa.float64()),
]
FUNNEL_SCHEMA = pa.schema(
    [
        ("dataset", pa.string()),
        ("version", pa.string()),
        ("step", pa.string()),
        ("position", pa.int32()),
        ("shards", pa.int32()),
        ("rows_in", pa.int64()),
        ("kept", pa.int64()),
        ("rejected", pa.int64()),
        ("quarantined", pa.int64()),
        ("rows_out", pa.int64()),
        ("seconds", pa.float64()),
        *USAGE_COLUMNS,
    ]
)
RECEIPTS_SCHEMA = pa.schema(
    [
        ("step", pa.string()),
        ("key", pa.string()),
        ("code", pa.string()),
        ("rows_in", pa.int64()),
        ("kept", pa.int64()),
        ("rejected", pa.int64()),
        ("quarantined", pa.int64()),
        ("seconds", pa.float64()),
        *USAGE_COLUMNS,
    ]
)


def connect(store: Store) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection that can read `store`. It reads a store that is not local through fsspec."""
    con = duckdb.connect()
    con.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
    con.execute("SET enable_progress_bar = false")
    # By default DuckDB spills to `.tmp` in the working folder, where two processes delete each other's files.
    con.execute("SET temp_directory = ?", [f"{tempfile.gettempdir()}/questmill-{uuid.uuid4().hex}"])
    if not store.is_local:
        con.register_filesystem(store.fs)
    return con


def create_view(con: duckdb.DuckDBPyConnection, name: str, store: Store, parts: Iterable[Part]) -> None:
    """Create the view `name` (quoted for SQL) of exactly the rows of `parts`."""
    create_files_view(con, name, [store.object_url(part) for part in parts])


def create_files_view(con: duckdb.DuckDBPyConnection, name: str, urls: list[str]) -> None:
    """Create the view `name` of the Parquet files `urls`. Raises `QuestmillError` if one is missing or damaged."""
    try:
        con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {read_parquet_sql(urls, 'union_by_name')}")
    except (duckdb.Error, OSError) as error:
        raise QuestmillError(
            f"view {name} cannot be read: {root_cause(error)}; restore the file, or delete it and the receipts "
            "that name it and run again"
        ) from error


def read_parquet_sql(urls: Iterable[str], *options: str) -> str:
    """SQL for the rows of Parquet files; `options` names the options of DuckDB's `read_parquet` to switch on."""
    url_list = ", ".join("'" + url.replace("'", "''") + "'" for url in urls)
    return "read_parquet(" + ", ".join([f"[{url_list}]", *(f"{option} = true" for option in options)]) + ")"


def read_parts_sql(store: Store, parts: Iterable[Part]) -> str:
    """SQL for the rows of `parts`, with the additional columns `filename` and `file_row_number`."""
    urls = [store.object_url(part) for part in parts]
    return read_parquet_sql(urls, "filename", "file_row_number", "union_by_name")


def quote_identifier(name: str) -> str:
    """`name` as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def open_catalog(store: Store) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with all views of the lake."""
    con = connect(store)
    receipts = store.read_receipts()
    manifests = [m for m in map(store.datasets.read_manifest, store.datasets.names()) if m is not None]
    con.register("receipts", pa.Table.from_pylist([_receipt_row(r) for r in receipts], schema=RECEIPTS_SCHEMA))
    funnels = [row for manifest in manifests for row in funnel_rows(manifest)]
    for dataset, ledger in read_stopped_runs(store).items():
        funnels += _funnel_rows(dataset, None, ledger)
    con.register("funnel", pa.Table.from_pylist(funnels, schema=FUNNEL_SCHEMA))
    con.execute("CREATE SCHEMA step")
    for step in sorted({r.step for r in receipts}):
        parts = unique_parts(p for r in receipts if r.step == step for p in r.parts)
        if parts:
            create_view(con, f"step.{quote_identifier(step)}", store, parts)
    for name, schema in (("rejects", rejects.SCHEMA), ("quarantine", quarantine.SCHEMA)):
        parts = unique_parts(p for r in receipts if (p := r.rejects if name == "rejects" else r.quarantine) is not None)
        if parts:
            create_view(con, name, store, parts)
        else:
            con.register(name, schema.empty_table())
    create_gold_doubts_view(con, store, receipts, manifests)
    for manifest in manifests:
        folder = f"datasets/{manifest.dataset}/{manifest.version}"
        create_files_view(
            con, quote_identifier(manifest.dataset), [store.locate(f"{folder}/{name}") for name in manifest.files]
        )
    return con


def create_gold_doubts_view(
    con: duckdb.DuckDBPyConnection, store: Store, receipts: Iterable[Receipt], manifests: Iterable[Manifest]
) -> None:
    """Create the view `gold_doubts`: golds in doubt of the datasets of `manifests`, and of runs whose dataset is not
    among them. Those of earlier versions are in `step.gold_doubts`."""
    receipts, manifests = list(receipts), list(manifests)
    found = [receipt for receipt in receipts if receipt.step == gold_doubts.STEP]
    if not found:
        con.register("gold_doubts", gold_doubts.SCHEMA.empty_table())
        return
    names = ", ".join(f"'{manifest.dataset}'" for manifest in manifests)
    parts_by_condition = {f"dataset NOT IN ({names})" if names else "true": found} | {
        f"dataset = '{manifest.dataset}'": _select_doubts(found, receipts, manifest) for manifest in manifests
    }
    selects = []
    for condition, chosen in parts_by_condition.items():
        if parts := unique_parts(part for receipt in chosen for part in receipt.parts):
            rows = read_parquet_sql([store.object_url(part) for part in parts])
            selects.append(f"SELECT * FROM {rows} WHERE doubt IN {gold_doubts.DOUBTS} AND {condition}")
    con.execute(f"CREATE VIEW gold_doubts AS {' UNION BY NAME '.join(selects)}")


def _select_doubts(found: Iterable[Receipt], receipts: Iterable[Receipt], manifest: Manifest) -> list[Receipt]:
    """The receipts of `found` that read attempts and verdicts of a published version."""
    names = set(manifest.receipts)
    written = {part.digest for r in receipts if f"{r.step}/{r.key}" in names for part in r.parts}
    return [receipt for receipt in found if written.issuperset((*receipt.inputs, *receipt.other_inputs))]


def unique_parts(parts: Iterable[Part]) -> list[Part]:
    """`parts` without repeats: shards with equal rows are the same object."""
    return list({part.digest: part for part in parts}.values())


def funnel_rows(manifest: Manifest) -> list[dict[str, object]]:
    """One row for each step: how many rows it received and what became of them."""
    return _funnel_rows(manifest.dataset, manifest.version, manifest.ledger)


def read_stopped_runs(store: Store) -> dict[str, tuple[StepCount, ...]]:
    """The funnel of the last run that a gate stopped, for each dataset of which nothing is published.

    Raises `QuestmillError` if the record of such a run is damaged.
    """
    ledgers: dict[str, tuple[str, list[dict[str, object]]]] = {}
    published = set(store.datasets.names())
    for path in store.list_paths("runs"):
        if not path.endswith("/ended.json"):
            continue
        try:
            event = json.loads(store.read(path) or b"")
        except ValueError as error:
            raise QuestmillError(f"{store.locate(path)} is damaged: {root_cause(error)}; delete it") from error
        start, name = path.split("/")[-2], event.get("dataset")
        if "ledger" in event and name not in published and start >= ledgers.get(name, ("", []))[0]:
            ledgers[name] = (start, event["ledger"])
    return {name: tuple(map(StepCount.model_validate, ledger)) for name, (_, ledger) in sorted(ledgers.items())}


def _funnel_rows(dataset: str, version: str | None, ledger: Iterable[StepCount]) -> list[dict[str, object]]:
    return [
        {
            "dataset": dataset,
            "version": version,
            "position": position,
            **count.model_dump(exclude={"rejected", "quarantined", "usage"}),
            **count.usage.model_dump(),
            "rejected": sum(count.rejected.values()),
            "quarantined": sum(count.quarantined.values()),
        }
        for position, count in enumerate(ledger)
    ]


def _receipt_row(receipt: Receipt) -> dict[str, object]:
    return {
        **receipt.model_dump(include={"step", "key", "code", "rows_in", "kept", "seconds"}),
        **receipt.usage.model_dump(),
        "rejected": sum(receipt.rejected.values()),
        "quarantined": sum(receipt.quarantined.values()),
    }
