"""SQL over the lake sees what was committed and nothing else, on every kind of store."""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from infra.lake import catalog
from infra.lake.store import Store, open_store
from schemas.errors import QuestmillError
from schemas.input import Source
from schemas.receipts import Manifest, Receipt, StepCount
from schemas.tables import gold_doubts
from tests.support.pipeline import Compare, make_attempt, read_rows, verify, write_jsonl

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def commit(store: Store, step: str, key: str, table: pa.Table, **more: Any) -> Receipt:
    part = store.put(table)
    n = table.num_rows
    return store.commit(Receipt(step=step, key=key, inputs=("i",), rows_in=n, kept=n, parts=(part,), **more))


def test_an_empty_lake_has_empty_tables(lake: str) -> None:
    con = catalog.open_catalog(open_store(lake))
    for table in ("receipts", "funnel", "rejects", "quarantine", "gold_doubts"):
        assert con.sql(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]


@pytest.fixture(params=["memory", "folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "a lake [1] of 'é' #5%")
    return str(request.getfixturevalue({"memory": "lake", "s3": "s3_lake"}[request.param]))


def test_a_whole_run_can_be_asked_about(url: str, tmp_path: Path) -> None:
    table = [make_attempt(n) for n in range(9)] + [make_attempt(9, response="broken"), make_attempt(10, answer=None)]
    source = Source(input=(write_jsonl(tmp_path / "a.jsonl", table),), shard_rows=4)
    manifest = verify(source, Compare(), url)
    con = catalog.open_catalog(open_store(url))
    assert con.sql("SELECT verdict, count(*) FROM verified GROUP BY 1 ORDER BY 1").fetchall() == [
        ("correct", 5),
        ("wrong", 4),
    ]
    assert con.sql("SELECT response FROM verified").fetchall() == [(str(n),) for n in range(9)]
    assert con.sql("SELECT step, rows_in, kept, rejected, quarantined FROM funnel ORDER BY position").fetchall() == [
        ("seed", 11, 10, 0, 1),
        ("compare", 10, 9, 0, 1),
        ("attach_verdicts", 10, 9, 1, 0),
    ]
    assert con.sql("SELECT stage, reason, error FROM quarantine ORDER BY stage").fetchall() == [
        ("compare", "stage failed", "ValueError: cannot be compared"),
        ("seed", "null answer", "column 'answer' is null"),
    ]
    assert con.sql("SELECT stage, reason, row->>'response' FROM rejects").fetchall() == [
        ("attach_verdicts", "no verdict", "broken")
    ]
    counted = con.sql(
        "SELECT step, sum(kept), bool_and(rows_in = kept + rejected + quarantined) FROM receipts GROUP BY 1"
    )
    assert sorted(counted.fetchall()) == [
        ("attach_verdicts", 9, True),
        ("compare", 9, True),
        ("gate", 9, True),
        ("seed", 10, True),
    ]
    assert len(manifest.receipts) == 5 and con.sql("SELECT count(*) FROM step.compare").fetchall() == [(9,)]


def test_objects_without_a_receipt_are_invisible(lake: str) -> None:
    store = open_store(lake)
    store.put(pa.table({"row_id": ["orphan"]}))
    commit(store, "solve", "k", pa.table({"row_id": ["seen"]}))
    assert catalog.open_catalog(store).sql("SELECT row_id FROM step.solve").fetchall() == [("seen",)]


def test_files_without_a_manifest_are_invisible(lake: str) -> None:
    store = open_store(lake)
    store.datasets.write_part("verified", "v1", "verified-00001-of-00001.parquet", b"half a file")
    with pytest.raises(duckdb.CatalogException, match="verified"):
        catalog.open_catalog(store).sql("SELECT * FROM verified")


def test_an_object_that_is_missing_or_damaged_is_one_line(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "lake"))
    path = Path(store.object_url(commit(store, "solve", "k", pa.table({"row_id": ["seen"]})).parts[0]))
    for damage in (path.unlink, lambda: path.write_bytes(b"not these bytes")):
        damage()
        with pytest.raises(
            QuestmillError, match=rf'^view step\."solve" cannot be read: .*{path.name}.*; restore the'
        ) as e:
            catalog.open_catalog(store)
        assert "\n" not in str(e.value)


def test_shards_with_equal_rows_are_read_once(lake: str) -> None:
    store = open_store(lake)
    for key in ("k1", "k2"):
        commit(store, "solve", key, pa.table({"row_id": ["same"]}))
    assert catalog.open_catalog(store).sql("SELECT count(*) FROM step.solve").fetchall() == [(1,)]


def test_a_step_whose_table_has_changed_shows_the_columns_of_both_versions(lake: str) -> None:
    store = open_store(lake)
    commit(store, "solve", "k1", pa.table({"row_id": ["old"], "n": [1], "gone": ["x"]}))
    commit(store, "solve", "k2", pa.table({"row_id": ["new"], "n": ["one"], "added": [0.5]}))
    con = catalog.open_catalog(store)
    found = con.sql("SELECT row_id, n, gone, added FROM step.solve ORDER BY row_id DESC").fetchall()
    assert found == [("old", "1", "x", None), ("new", "one", None, 0.5)]


def test_names_may_hold_quotes_and_spaces(lake: str) -> None:
    store = open_store(lake)
    data = store.read(f"objects/{store.put(pa.table({'row_id': ['a']})).digest}.parquet") or b""
    name = """it's "mine" """.strip()
    commit(store, name, "k", pa.table({"row_id": ["a"], 'the "n"': [1]}))
    store.datasets.write_part(name, "v", "one file.parquet", data)
    store.datasets.publish(
        Manifest(
            dataset=name,
            version="v",
            content="c",
            rows=1,
            files=("one file.parquet",),
            parts=(),
            ledger=(StepCount(step=name, shards=1, rows_in=1, kept=1, rows_out=1, seconds=0.0),),
            receipts=(),
            rows_of=(),
            recipe={},
            created="2026-01-01T00:00:00+00:00",
        )
    )
    con = catalog.open_catalog(store)
    assert con.sql('SELECT row_id FROM "it\'s ""mine"""').fetchall() == [("a",)]
    assert con.sql('SELECT "the ""n""" FROM step."it\'s ""mine"""').fetchall() == [(1,)]
    assert con.sql("SELECT dataset, step FROM funnel").fetchall() == [(name, name)]


def test_readers_see_the_version_that_current_points_at(lake: str, tmp_path: Path) -> None:
    store = open_store(lake)
    versions = []
    for n in (4, 6):
        path = write_jsonl(tmp_path / f"{n}.jsonl", [make_attempt(i) for i in range(n)])
        versions.append(verify(Source(input=(path,)), Compare(), lake).version)
    assert catalog.open_catalog(store).sql("SELECT count(*) FROM verified").fetchall() == [(6,)]
    store.datasets.set_current("verified", versions[0])
    assert catalog.open_catalog(store).sql("SELECT count(*) FROM verified").fetchall() == [(4,)]


def test_what_does_not_fit_into_memory_is_spilled_outside_the_working_folder(lake: str) -> None:
    con = catalog.connect(open_store(lake))
    con.execute("SET memory_limit = '30MB'; SET threads = 1")
    before = set(Path.cwd().iterdir())
    reader = con.sql("SELECT hash(i) AS h FROM range(5000000) t(i) ORDER BY h").to_arrow_reader(4096)
    assert reader.read_next_batch().num_rows and con.cursor().sql("FROM duckdb_temporary_files()").fetchall()
    assert set(Path.cwd().iterdir()) == before
    con.close()


def test_rows_of_a_receipt_are_those_of_its_view(lake: str) -> None:
    store = open_store(lake)
    receipt = commit(store, "solve", "k", pa.table({"row_id": ["a", "b"]}))
    shown = catalog.open_catalog(store).sql("FROM step.solve").fetchall()
    assert shown == [(row["row_id"],) for row in read_rows(store, [receipt])]


def test_golds_in_doubt_are_those_of_current_versions_and_of_runs_that_published_nothing(
    lake: str, tmp_path: Path
) -> None:
    store = open_store(lake)

    def commit_doubt(key: str, dataset: str, inputs: tuple[str, ...]) -> None:
        rows = [dict.fromkeys(gold_doubts.SCHEMA.names) | {"row_id": key, "dataset": dataset, "doubt": "prose"}]
        rows += [rows[0] | {"row_id": f"{key}-{doubt}", "doubt": doubt} for doubt in ("none", "confirmed", None)]
        part = store.put(pa.Table.from_pylist(rows, gold_doubts.SCHEMA))
        receipt = Receipt(step="gold_doubts", key=key, inputs=inputs[:1], rows_in=4, kept=4, parts=(part,))
        store.commit(receipt.model_copy(update={"other_inputs": inputs[1:]}))

    commit_doubt("stopped", "pool", ("gone", "verdicts"))
    con = catalog.open_catalog(store)
    assert con.sql("SELECT dataset, row_id FROM gold_doubts").fetchall() == [("pool", "stopped")]
    source = Source(input=(write_jsonl(tmp_path / "a.jsonl", [make_attempt(n) for n in range(3)]),), shard_rows=4)
    verify(source, Compare(), lake)
    parts = {r.step: r.parts[0].digest for r in store.read_receipts() if r.parts}
    commit_doubt("current", "verified", (parts["seed"], parts["compare"]))
    commit_doubt("of_others", "another", (parts["seed"], parts["compare"]))
    commit_doubt("earlier", "verified", (parts["seed"], "other verdicts"))
    con = catalog.open_catalog(store)
    assert con.sql("SELECT dataset, row_id FROM gold_doubts ORDER BY ALL").fetchall() == [
        ("another", "of_others"),
        ("pool", "stopped"),
        ("verified", "current"),
    ]
