"""A run sees other datasets as they were at its first start."""

from flows.run.history import pinned_manifest
from infra.lake.store import open_store
from schemas.receipts import Manifest


def test_a_run_keeps_the_version_that_was_current_at_its_first_start(lake: str) -> None:
    store = open_store(lake)
    nothing = dict.fromkeys(("files", "parts", "ledger", "receipts", "rows_of"), ())
    first, second = (
        Manifest(dataset="problems", version=name, content=name, rows=0, recipe={}, created="", **nothing)
        for name in ("1", "2")
    )
    assert pinned_manifest(store, "earliest", "problems") is None
    store.datasets.publish(first)
    assert pinned_manifest(store, "earliest", "problems") is None, "what is there may be its own rows"
    assert pinned_manifest(store, "later", "problems") == first
    store.datasets.publish(second)
    assert pinned_manifest(store, "later", "problems") == first
