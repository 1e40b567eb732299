"""What the lake knows of runs: records of their starts, pinned versions, receipts of what they published."""

import datetime
import json
from collections.abc import Iterable
from typing import Any

from infra.lake.store import Store
from schemas.errors import QuestmillError
from schemas.markdown_table import format_table
from schemas.receipts import Manifest, Receipt, StepCount


class RunRecord:
    """The record of one start of a run, for `questmill status`."""

    def __init__(self, store: Store, run: str) -> None:
        self.store = store
        self.path = f"runs/{run}/{_utc_now():%Y%m%dT%H%M%S.%f}"

    def record_event(self, event: str, facts: dict[str, Any]) -> None:
        """Record what became of this run; a run without an end was killed or failed."""
        text = json.dumps({"time": f"{_utc_now():%Y-%m-%d %H:%M:%S}", **facts}, indent=1)
        self.store.write(f"{self.path}/{event}.json", text.encode())


def pinned_manifest(store: Store, run: str, dataset: str) -> Manifest | None:
    """The version of `dataset` that was current when `run` was first started; None where nothing was published then.

    It is written down: a run that goes on, or is started again after it has itself published, sees what it saw at
    first, else it would find its own rows there.
    """
    pin = f"pins/{run}/{dataset}"
    store.write(pin, (store.datasets.current_version(dataset) or "none").encode())
    version = (store.read(pin) or b"").decode()
    if version == "none":
        return None
    if (manifest := store.datasets.read_manifest(dataset, version)) is None:
        raise QuestmillError(f"dataset {dataset!r} has no version {version} any more; restore it, or delete {pin}")
    return manifest


def receipts_of_step(store: Store, manifest: Manifest, step: str) -> list[Receipt]:
    """The receipts of one step that a published version was made of; raises `QuestmillError` where one is gone."""
    return _receipts_of(store, manifest, [name for name in manifest.receipts if name.split("/")[0] == step])


def receipts_of_published(store: Store, manifest: Manifest) -> list[Receipt]:
    """The receipts that hold the rows of a published version; raises `QuestmillError` where one is gone."""
    return _receipts_of(store, manifest, manifest.rows_of)


def _receipts_of(store: Store, manifest: Manifest, names: Iterable[str]) -> list[Receipt]:
    receipts = []
    for name in names:
        if (receipt := store.read_receipt(*name.split("/"))) is None:
            raise QuestmillError(
                f"dataset {manifest.dataset!r}: receipt {name} is gone, and with it a part of its rows; "
                "restore it, or run its recipe again from the files"
            )
        receipts.append(receipt)
    return receipts


def format_funnel(ledger: tuple[StepCount, ...]) -> str:
    """The funnel as a table for people."""
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
