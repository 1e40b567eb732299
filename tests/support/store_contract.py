"""What every store must do; a suite per kind of store subclasses this and says where its lake lies."""

import hashlib
import threading

import duckdb
import pyarrow as pa
import pytest

from infra.lake import catalog
from infra.lake.store import Store
from schemas.errors import BadInput, QuestmillError
from schemas.receipts import Manifest, Part, Receipt

TABLE = pa.table({"row_id": ["a", "b"], "n": [1, 2]})


def make_receipt(key: str = "k1", seconds: float = 0.0, parts: tuple[Part, ...] = ()) -> Receipt:
    return Receipt(step="solve", key=key, inputs=("i",), rows_in=2, kept=2, parts=parts, seconds=seconds)


def make_manifest(version: str, rows: int = 2) -> Manifest:
    return Manifest(
        dataset="verified",
        version=version,
        content=version * 5,
        rows=rows,
        files=("verified-00001-of-00001.parquet",),
        parts=(),
        ledger=(),
        receipts=(),
        rows_of=(),
        recipe={},
        created="2026-01-01T00:00:00+00:00",
    )


class StoreContract:
    """Subclasses define the fixture `store`: an empty lake."""

    def test_an_empty_lake_can_be_read(self, store: Store) -> None:
        assert store.read_receipts() == [] and store.datasets.names() == [] and store.list_paths("runs") == []
        assert store.read_receipt("solve", "k") is None and store.datasets.read_manifest("verified") is None
        assert (
            store.datasets.version_history("verified") == []
            and store.datasets.current_version("verified") is None
            and store.read("no/file") is None
        )
        assert not store.exists()

    def test_it_can_be_reached_and_honours_exclusive_create(self, store: Store) -> None:
        assert store.check() and not store.exists(), "looking leaves nothing behind"
        assert store.check(write=True) and store.list_paths("doctor") == []

    def test_objects_are_named_by_their_bytes(self, store: Store) -> None:
        part = store.put(TABLE)
        data = store.read(f"objects/{part.digest}.parquet")
        assert data is not None and hashlib.sha256(data).hexdigest() == part.digest and len(data) == part.size
        assert store.get(part).equals(TABLE) and store.read_schema(part).names == ["row_id", "n"]

    def test_only_the_columns_asked_for_are_read(self, store: Store) -> None:
        assert store.get(store.put(TABLE), ["n"]).column_names == ["n"]

    def test_the_same_rows_put_twice_are_one_object(self, store: Store) -> None:
        assert store.put(TABLE) == store.put(TABLE) and len(store.list_paths("objects")) == 1

    def test_a_damaged_object_is_refused(self, store: Store) -> None:
        liar = Part(digest="0" * 64, rows=2, size=3)
        store.write(f"objects/{liar.digest}.parquet", b"not these bytes")
        with pytest.raises(QuestmillError, match=r"object 0+ of .* is damaged.* run again"):
            store.get(liar)

    def test_a_missing_object_is_named(self, store: Store) -> None:
        with pytest.raises(QuestmillError, match=r"object f+ of .* is missing; restore it"):
            store.get(Part(digest="f" * 64, rows=2, size=3))

    def test_a_receipt_comes_back_as_found(self, store: Store) -> None:
        part = store.put(TABLE)
        assert not store.commit(make_receipt(parts=(part,))).was_cached
        again = store.read_receipt("solve", "k1")
        assert again is not None and again.was_cached and again.parts == (part,)

    def test_the_first_receipt_counts(self, store: Store) -> None:
        assert store.commit(make_receipt(seconds=1.0)).seconds == 1.0
        second = store.commit(make_receipt(seconds=2.0))
        assert second.seconds == 1.0 and second.was_cached

    def test_of_two_writers_at_once_exactly_one_wins(self, store: Store) -> None:
        for trial in range(4):
            start, committed = threading.Barrier(3), list[Receipt]()

            def write(
                seconds: float, key: str = f"t{trial}", go: threading.Barrier = start, to: list[Receipt] = committed
            ) -> None:
                go.wait()
                to.append(store.commit(make_receipt(key, seconds)))

            threads = [threading.Thread(target=write, args=(float(n),)) for n in range(1, 4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(r.was_cached for r in committed) == [False, True, True]
            assert len({r.seconds for r in committed}) == 1, "all see the winner's receipt"

    def test_receipts_are_listed_by_step_and_key(self, store: Store) -> None:
        for key in ("k2", "k3", "k1"):
            store.commit(make_receipt(key))
        assert [r.key for r in store.read_receipts()] == ["k1", "k2", "k3"]

    def test_receipts_are_read_by_name_in_order_and_a_missing_one_is_named(self, store: Store) -> None:
        for key in ("k1", "k2", "k3"):
            store.commit(make_receipt(key))
        assert [r.key for r in store.read_receipts_by_name(["solve/k3", "solve/k1"])] == ["k3", "k1"]
        with pytest.raises(QuestmillError, match=r"receipt solve/k9 of .* is missing; run again"):
            store.read_receipts_by_name(["solve/k1", "solve/k9", "solve/k3"])

    def test_a_column_is_not_taken_for_another_whose_name_begins_alike(self, store: Store) -> None:
        part = store.put(pa.table({"a": [1], "a.b": [2]}))
        assert store.get(part, ["a"]).column_names == ["a"]
        assert store.get(part, ["a.b", "a"]).to_pylist() == [{"a.b": 2, "a": 1}]

    def test_a_dataset_is_invisible_before_its_manifest_and_pointer(self, store: Store) -> None:
        store.datasets.write_part("verified", "v1", "verified-00001-of-00001.parquet", b"rows")
        assert (
            store.datasets.names() == []
            and store.datasets.read_manifest("verified") is None
            and store.datasets.read_manifest("verified", "v1") is None
        )
        store.datasets.publish(make_manifest("v1"))
        assert store.datasets.names() == ["verified"]
        current = store.datasets.read_manifest("verified")
        assert current is not None and current.version == "v1"

    def test_a_file_that_a_crashed_publish_left_stays_as_it_is(self, store: Store) -> None:
        assert store.datasets.write_part("verified", "v1", "one.parquet", b"first") == b"first"
        assert store.datasets.write_part("verified", "v1", "one.parquet", b"later") == b"first"

    def test_equal_content_published_twice_is_one_version(self, store: Store) -> None:
        first = store.datasets.publish(make_manifest("v1"))
        later = store.datasets.publish(first.model_copy(update={"created": "2027-01-01T00:00:00+00:00"}))
        assert later == first and store.datasets.version_history("verified") == ["v1"]

    def test_current_moves_forward_and_back(self, store: Store) -> None:
        for version in ("v1", "v2"):
            store.datasets.publish(make_manifest(version))
        assert store.datasets.current_version("verified") == "v2"
        store.datasets.set_current("verified", "v1")
        store.datasets.set_current("verified", "v1")
        assert store.datasets.current_version("verified") == "v1" and store.datasets.version_history("verified") == [
            "v1",
            "v2",
            "v1",
        ]

    def test_a_lost_pointer_does_not_stop_the_next(self, store: Store) -> None:
        for version in ("v1", "v2", "v3"):
            store.datasets.publish(make_manifest(version))
        store.fs.rm_file(f"{store.root}/datasets/verified/current/000002.json")
        store.datasets.publish(make_manifest("v4"))
        assert store.datasets.version_history("verified") == ["v1", "v3", "v4"]

    def test_of_two_that_publish_at_once_each_points_once(self, store: Store) -> None:
        versions = ("v1", "v2", "v3")
        for version in versions:
            store.write(f"datasets/verified/{version}/manifest.json", make_manifest(version).model_dump_json().encode())
        start = threading.Barrier(len(versions))

        def point(version: str) -> None:
            start.wait()
            store.datasets.set_current("verified", version)

        threads = [threading.Thread(target=point, args=(version,)) for version in versions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(store.datasets.version_history("verified")) == sorted(versions)

    def test_a_damaged_receipt_or_manifest_is_named(self, store: Store) -> None:
        store.write("receipts/solve/k1.json", b"{")
        for read in (lambda: store.read_receipt("solve", "k1"), store.read_receipts):
            with pytest.raises(QuestmillError, match=r"^receipts/solve/k1.json of .* is damaged: .*; restore it, or"):
                read()
        store.write("datasets/verified/v1/manifest.json", b"")
        with pytest.raises(QuestmillError, match=r"^datasets/verified/v1/manifest.json of .* is damaged: "):
            store.datasets.read_manifest("verified", "v1")

    def test_rolling_back_to_an_unknown_version_names_the_known_ones(self, store: Store) -> None:
        with pytest.raises(BadInput, match="dataset 'verified' has no version 'v1'; published: none"):
            store.datasets.set_current("verified", "v1")
        for version in ("v1", "v2"):
            store.datasets.publish(make_manifest(version))
        with pytest.raises(BadInput, match=r"dataset 'verified' has no version 'v9'; published: v1, v2$"):
            store.datasets.set_current("verified", "v9")

    def test_a_half_written_shard_is_invisible(self, store: Store) -> None:
        store.put(pa.table({"row_id": ["orphan"], "n": [0]}))
        seen = store.put(TABLE)
        store.commit(make_receipt(parts=(seen,)))
        con = catalog.open_catalog(store)
        assert con.sql("SELECT row_id, n FROM step.solve ORDER BY n").fetchall() == [("a", 1), ("b", 2)]
        with pytest.raises(duckdb.CatalogException):
            con.sql("SELECT * FROM verified")
