"""Reads and writes the history of runs in the lake: their starts, pinned versions, and published receipts."""

import datetime
import json
from collections.abc import Iterable
from typing import Any

from infra.lake.store import Store
from schemas.errors import QuestmillError
from schemas.markdown_table import format_table
from schemas.receipts import Manifest, Receipt, StepCount


class RunRecord:
    """Records one start of a run, for `questmill status`."""

    def __init__(self, store: Store, run: str) -> None:
        self.store = store
        self.path = f"runs/{run}/{_utc_now():%Y%m%dT%H%M%S.%f}"

    def record_event(self, event: str, facts: dict[str, Any]) -> None:
        """Record an event of this run with its time. A run without an end was killed or failed."""
        text = json.dumps({"time": f"{_utc_now():%Y-%m-%d %H:%M:%S}", **facts}, indent=1)
        self.store.write(f"{self.path}/{event}.json", text.encode())


def pinned_manifest(store: Store, run: str, dataset: str) -> Manifest | None:
    """Return the version of `dataset` that was current at the first start of `run`, or None if there was none.

    The version is pinned in the lake. A run that is continued, or started again after publishing, sees the same
    version; otherwise it would find its own rows there.
    """
    pin = f"pins/{run}/{dataset}"
    store.write(pin, (store.datasets.current_version(dataset) or "none").encode())
    version = (store.read(pin) or b"").decode()
    if version == "none":
        return None
    if (manifest := store.datasets.read_manifest(dataset, version)) is None:
        raise QuestmillError(f"dataset {dataset!r} no longer has version {version}; restore it, or delete {pin}")
    return manifest


def receipts_of_step(store: Store, manifest: Manifest, step: str) -> list[Receipt]:
    """Return the receipts of `step` that belong to a published version; raises `QuestmillError` if one is missing."""
    return _receipts_of(store, manifest, [name for name in manifest.receipts if name.split("/")[0] == step])


def receipts_of_published(store: Store, manifest: Manifest) -> list[Receipt]:
    """Return the receipts that hold the rows of a published version; raises `QuestmillError` if one is missing."""
    return _receipts_of(store, manifest, manifest.rows_of)


def _receipts_of(store: Store, manifest: Manifest, names: Iterable[str]) -> list[Receipt]:
    receipts = []
    for name in names:
        if (receipt := store.read_receipt(*name.split("/"))) is None:
            raise QuestmillError(
                f"dataset {manifest.dataset!r}: receipt {name} is missing, and some of its rows with it; "
                "restore it, or run its recipe again from the files"
            )
        receipts.append(receipt)
    return receipts


def format_funnel(ledger: tuple[StepCount, ...]) -> str:
    """Format the ledger as a Markdown table: rows in, kept, rejected and quarantined, and seconds, for each step."""
    columns = ["step", "rows in", "kept", "rejected", "quarantined", "seconds"]
    rows = [
        (
            count.step,
            f"{count.rows_in:,}",
            f"{count.kept:,}",
            f"{sum(count.rejected.values()):,}",
            f"{sum(count.quarantined.values()):,}",
            f"{count.seconds:,.1f}",
        )
        for count in ledger
    ]
    return format_table(columns, rows, right_aligned=range(1, len(columns))) + "\n"


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
