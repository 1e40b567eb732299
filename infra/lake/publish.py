"""Publishes committed shards as a dataset: checks the ledger, compacts, writes the manifest and moves the pointer."""

import datetime
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from infra.lake.ledger import balance, describe_cut_off, describe_earlier_work, find_upstream
from infra.lake.store import Store, encode_parquet, open_store
from schemas.arrow import is_measured
from schemas.identity import fingerprint
from schemas.receipts import Manifest, Part, Receipt

CONTENT_VERSION = 1
"""Part of the key of every remembered content. Raise it when `hash_content` reads rows in another way than before."""
PART_ROWS = 100_000
"""Rows in a published file. Few large files are faster: 20 files of 5,000 rows answer a query 30 times faster than
2,000 files of 50."""


def run_publish_by_name(
    dataset: str,
    steps: list[list[str]],
    used: set[str],
    recipe: dict[str, Any],
    report: str | None,
    lake: str,
) -> Manifest:
    """Like `run_publish`, for receipts by their names (`step/key`): those of a long run are too many to send.

    `used` names the receipts whose rows other code made, which the lake does not keep. Raises `QuestmillError` if a
    receipt is missing.
    """
    store = open_store(lake)
    receipts = [
        [
            receipt.model_copy(update={"earlier_work": "used"}) if receipt.name in used else receipt
            for receipt in store.read_receipts_by_name(names)
        ]
        for names in steps
    ]
    return run_publish(dataset, receipts, recipe, report, lake)


def run_publish(
    dataset: str, steps: list[list[Receipt]], recipe: dict[str, Any], report: str | None, lake: str
) -> Manifest:
    """Publish the parts of the last step. Raises `LedgerError`, and publishes nothing, if rows are unaccounted for.

    The manifest's ledger and receipts cover only the steps that the rows come from. A version is defined by its rows:
    if equal rows were published before, perhaps by another recipe, that manifest is kept and returned. The run's own
    record then says what this run was based on.
    """
    store = open_store(lake)
    steps = find_upstream(steps)
    ledger = balance(steps)
    parts = [part for receipt in steps[-1] for part in receipt.parts]
    content = _find_content(store, parts)
    version = content[:12]
    if (published := store.datasets.read_manifest(dataset, version)) is not None:
        folder = f"datasets/{dataset}/{version}"
        if not {f"{folder}/{name}" for name in published.files} <= {*store.list_paths(folder)}:
            store.begin_work(f"a look at {folder}, of which a file is gone")
        return store.datasets.publish(published)
    store.begin_work(f"publish {dataset}")
    files = list(_compact(store, dataset, version, parts))
    manifest = Manifest(
        dataset=dataset,
        version=version,
        content=content,
        rows=sum(p.rows for p in parts),
        files=tuple(name for name, _ in files),
        parts=tuple(part for _, part in files),
        ledger=ledger,
        receipts=tuple(sorted(f"{r.step}/{r.key}" for step in steps for r in step)),
        rows_of=tuple(f"{r.step}/{r.key}" for r in steps[-1]),
        recipe=recipe,
        report=report,
        warnings=(
            *(lines["used"] for lines in map(describe_earlier_work, steps) if "used" in lines),
            *filter(None, map(describe_cut_off, steps)),
        ),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    return store.datasets.publish(manifest)


def _find_content(store: Store, parts: list[Part]) -> str:
    """The digest of the rows of `parts`. It is remembered by their digests, because reading all rows takes long."""
    path = f"contents/{fingerprint('content', CONTENT_VERSION, [part.digest for part in parts])}"
    if (remembered := store.read(path)) is not None:
        return remembered.decode()
    store.begin_work("the digest of the rows")
    content = hash_content(table for table in map(store.get, parts))
    store.write(path, content.encode())
    return content


def hash_content(tables: Iterator[pa.Table]) -> str:
    """The sha256, in hex, of columns, types and rows in order, as canonical JSON. Measured columns are left out."""
    digest = hashlib.sha256()
    for number, table in enumerate(tables):
        fields = [field for field in table.schema if not is_measured(field)]
        names = [field.name for field in fields]
        if number == 0:
            digest.update(json.dumps([(field.name, str(field.type)) for field in fields]).encode() + b"\n")
        for row in table.select(names).to_pylist():
            digest.update(json.dumps(row, sort_keys=True, ensure_ascii=True, default=str).encode() + b"\n")
    return digest.hexdigest()


def _compact(store: Store, dataset: str, version: str, parts: list[Part]) -> Iterator[tuple[str, Part]]:
    """Write the rows of `parts` to files of `PART_ROWS` rows and yield their names. Memory holds one file's rows."""
    total = max(1, -(-sum(p.rows for p in parts) // PART_ROWS))
    for number, table in enumerate(_regroup(map(store.get, parts)), start=1):
        name = f"{dataset}-{number:05}-of-{total:05}.parquet"
        data = store.datasets.write_part(dataset, version, name, encode_parquet(table))
        yield name, Part(digest=hashlib.sha256(data).hexdigest(), rows=table.num_rows, size=len(data))


def _regroup(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of `PART_ROWS` rows. The last may be shorter; without any rows there is one empty
    table."""
    pending = None
    for table in tables:
        pending = table if pending is None else pa.concat_tables([pending, table])
        while pending.num_rows > PART_ROWS:
            yield pending.slice(0, PART_ROWS).combine_chunks()
            pending = pending.slice(PART_ROWS)
    if pending is not None:
        yield pending.combine_chunks()
