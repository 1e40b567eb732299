"""A dry store shows what is there, refuses work, and changes nothing before it is told that nothing is owed."""

import pyarrow as pa
import pytest

from infra.lake.dry_store import LISTED_FROM, DryStore, WorkOwed, open_dry_store
from infra.lake.store import Store, open_store
from schemas.receipts import Receipt


def receipt(number: int) -> Receipt:
    return Receipt(step="solve", key=f"{number:064}", inputs=(), rows_in=0, kept=0)


def test_inside_with_every_step_gets_the_dry_store_of_its_lake(lake: str) -> None:
    with open_dry_store(lake) as store:
        assert open_store(f"{lake}/") is store
        assert not isinstance(open_store(f"{lake}-other"), DryStore)
    assert not isinstance(open_store(lake), DryStore)


def test_work_is_refused_and_leaves_nothing_behind(lake: str) -> None:
    store = DryStore(lake)
    with pytest.raises(WorkOwed, match="solve"):
        store.begin_work("solve")
    with pytest.raises(WorkOwed):
        store.put(pa.table({"row_id": ["a"]}))
    with pytest.raises(WorkOwed):
        store.commit(receipt(1))
    store.write_held_back()
    assert Store(lake).list_paths("") == []


def test_small_writes_are_held_back_and_seen_by_the_dry_run_alone(lake: str) -> None:
    store, plain = DryStore(lake), Store(lake)
    plain.write("pins/a/there", b"1")
    plain.write("journal/key/1", b"reply")
    assert store.write("runs/a/started.json", b"{}") and store.write("pins/a/new", b"2")
    assert not store.write("pins/a/there", b"3") and not store.write("pins/a/new", b"4")
    store.remove("journal/key")
    store.remove("journal/none")
    assert store.read("pins/a/new") == b"2" and store.list_paths("pins") == ["pins/a/new", "pins/a/there"]
    assert plain.list_paths("") == ["journal/key/1", "pins/a/there"]
    store.write_held_back()
    assert plain.list_paths("") == ["pins/a/new", "pins/a/there", "runs/a/started.json"]


def test_a_path_that_another_process_took_in_the_meantime_is_owed_before_the_run_is_recorded(lake: str) -> None:
    store, plain = DryStore(lake), Store(lake)
    store.write("runs/a/started.json", b"{}")
    store.write("datasets/d/current/000002.json", b"mine")
    plain.write("datasets/d/current/000002.json", b"theirs")
    with pytest.raises(WorkOwed):
        store.write_held_back()
    assert plain.list_paths("runs") == []


def test_receipts_of_a_remote_lake_are_found_one_by_one_and_then_in_a_listing(s3_lake: str) -> None:
    store, plain = DryStore(s3_lake), Store(s3_lake)
    committed = [receipt(number) for number in range(2 * LISTED_FROM)]
    for each in committed:
        plain.commit(each)
    found = [store.read_receipt("solve", each.key) for each in committed]
    assert [each and each.key for each in found] == [each.key for each in committed]
    assert store.listings.keys() == {"receipts/solve"}
    plain.commit(receipt(99))
    assert store.read_receipt("solve", receipt(99).key) is None, "it came after the listing"
    assert DryStore(s3_lake).read_receipt("solve", receipt(99).key) is not None
