"""What is published is what was worked: balanced, in order, in few files, and one version for equal rows."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from infra.lake.ledger import balance, describe_cut_off, find_upstream
from infra.lake.publish import PART_ROWS, hash_content, run_publish
from infra.lake.store import Store, open_store
from schemas.arrow import measured, required
from schemas.errors import LedgerError
from schemas.input import Source
from schemas.receipts import Manifest, Part, Receipt
from tests.support.pipeline import Compare, make_attempt, run_stage, seed, write_jsonl

SCHEMA = pa.schema([required("row_id", pa.string()), required("n", pa.int64()), measured("milliseconds", pa.float32())])


def part(name: str, rows: int) -> Part:
    return Part(digest=name, rows=rows, size=1)


def receipt(step: str, inputs: Sequence[str], rows_in: int, parts: Sequence[Part], **counts: object) -> Receipt:
    known = {"kept": rows_in} | counts
    return Receipt.model_validate(
        {"step": step, "key": "k" * 64, "inputs": tuple(inputs), "rows_in": rows_in, "parts": tuple(parts), **known}
    )


SEED = receipt("seed", ["file"], 6, [part("s1", 4), part("s2", 2)])
FIRST = receipt("ask", ["s1"], 4, [part("a1", 3)], kept=3, rejected={"short": 1})
SECOND = receipt("ask", ["s2"], 2, [part("a2", 1)], kept=1, quarantined={"silent": 1})


def test_the_funnel_adds_up_over_shards() -> None:
    seeded, asked = balance([[SEED], [FIRST, SECOND]])
    assert (seeded.shards, seeded.rows_in, seeded.rows_out) == (2, 6, 6)
    assert (asked.rows_in, asked.kept, asked.rejected, asked.quarantined) == (6, 4, {"short": 1}, {"silent": 1})
    assert asked.rows_in == asked.kept + sum(asked.rejected.values()) + sum(asked.quarantined.values())


@pytest.mark.parametrize(
    ("samples", "cut_off", "line"),
    [
        ((80, 20), (20, 0), None),
        ((80, 20), (20, 1), "step ask: 21 of 100 samples (21%) were cut off at max_tokens 64 or 512; raise its "),
        ((5, 1000), (5, 0), None),
        ((4, 0), (4, 0), "step ask: 4 of 4 samples (100%) were cut off at max_tokens 64 or 512; raise its "),
    ],
)
def test_a_step_of_which_more_than_a_fifth_of_the_samples_were_cut_off_is_named(
    samples: tuple[int, int], cut_off: tuple[int, int], line: str | None
) -> None:
    step = [
        one.model_copy(update={"details": {"samples": str(n), "cut_off": str(cut), "max_tokens": limit}})
        for one, n, cut, limit in zip((FIRST, SECOND), samples, cut_off, ("512", "64"), strict=True)
    ]
    assert describe_cut_off(step) == (line and line + "sampling.max_tokens")
    assert describe_cut_off([SEED, FIRST]) is None, "receipts of earlier releases count no samples"


def test_a_receipt_that_does_not_balance_is_refused() -> None:
    broken = SECOND.model_copy(update={"kept": 2})
    expected = r"step ask, shard kkkkkkkkkkkk: 2 rows in are not 2 kept \+ 0 rejected \+ 1 quarantined; nothing was pub"
    with pytest.raises(LedgerError, match=expected):
        balance([[SEED], [FIRST, broken]])


def test_rows_invented_between_two_steps_are_refused() -> None:
    invented = receipt("ask", ["s2"], 3, [part("a2", 3)])
    with pytest.raises(LedgerError, match=r"step ask, shard k+: its inputs hold 2 rows, not 3; nothing was published"):
        balance([[SEED], [FIRST, invented]])


def test_a_shard_that_nobody_worked_is_refused() -> None:
    with pytest.raises(LedgerError, match="step seed: no later step worked on 2 of its rows; nothing was published"):
        balance([[SEED], [FIRST]])


THIRD = receipt("tell", ["s1"], 4, [part("t1", 4)])
FOURTH = receipt("tell", ["s2"], 2, [part("t2", 2)])


def test_of_two_datasets_of_one_run_each_stands_on_the_steps_that_its_rows_come_from() -> None:
    other, ours = [FIRST, SECOND], [THIRD, FOURTH]
    assert [count.step for count in balance(find_upstream([[SEED], other, ours]))] == ["seed", "tell"]
    assert find_upstream([[SEED], ours, other]) == [[SEED], other]


def test_what_was_left_out_upstream_is_refused_whatever_else_read_it() -> None:
    half = find_upstream([[SEED], [FIRST, SECOND], [THIRD]])
    assert half == [[SEED], [THIRD]]
    with pytest.raises(LedgerError, match="step seed: no later step worked on 2 of its rows; nothing was published"):
        balance(half)
    joined = receipt("join", ["s1", "s2"], 6, [part("j", 6)]).model_copy(update={"other_inputs": ("t1",)})
    with pytest.raises(LedgerError, match="step tell: no later step worked on 2 of its rows"):
        balance(find_upstream([[SEED], [FIRST, SECOND], [THIRD, FOURTH], [joined]]))


def test_a_part_that_two_tables_share_makes_neither_of_them_a_piece_of_the_other() -> None:
    filtered = [receipt("filter", ["s1"], 4, [part("s1", 4)]), receipt("filter", ["s2"], 2, [part("f2", 1)])]
    assert find_upstream([[SEED], filtered, [THIRD, FOURTH]]) == [[SEED], [THIRD, FOURTH]]


def test_a_ledger_that_does_not_balance_publishes_nothing(tmp_path: Path, lake: str) -> None:
    attempted = seed(
        Source(input=(write_jsonl(tmp_path / "a.jsonl", [make_attempt(n) for n in range(8)]),), shard_rows=4), lake
    )
    judged = run_stage(Compare(), attempted, lake)
    for steps in (
        [attempted, judged[:1]],
        [attempted, [judged[0], judged[1].model_copy(update={"rows_in": 5, "kept": 5})]],
        [attempted, [judged[0], judged[1].model_copy(update={"kept": 3})]],
    ):
        with pytest.raises(LedgerError, match="nothing was published"):
            run_publish("verdicts", steps, {}, None, lake)
    assert open_store(lake).list_paths("datasets") == []
    assert run_publish("verdicts", [attempted, judged], {}, None, lake).rows == 8


# -- content ----------------------------------------------------------------------------------------------------------


def table(numbers: Sequence[int], milliseconds: float = 0.0, schema: pa.Schema = SCHEMA) -> pa.Table:
    rows = [{"row_id": f"r{n:07}", "n": n, "milliseconds": milliseconds} for n in numbers]
    return pa.Table.from_pylist(rows, schema=schema)


def test_the_content_hash_ignores_milliseconds_and_nothing_else() -> None:
    def content(*tables: pa.Table) -> str:
        return hash_content(iter(tables))

    plain = table([1, 2])
    assert content(plain) == content(table([1, 2], 9.5)) == content(table([1]), table([2])), "time and shards"
    others = [
        table([2, 1]),
        table([1, 3]),
        table([1]),
        plain.set_column(1, required("n", pa.int32()), plain["n"].cast(pa.int32())),
        plain.rename_columns(["row_id", "m", "milliseconds"]),
        plain.append_column("extra", pa.array([None, None])),
        plain.slice(0, 0),
        plain.slice(0, 0).drop_columns(["n"]),
        plain.replace_schema_metadata(None).cast(pa.schema([f.with_metadata(None) for f in SCHEMA])),
    ]
    assert len({content(other) for other in [plain, *others]}) == 1 + len(others)


def published(store: Store, tables: Sequence[pa.Table], dataset: str = "numbers") -> Manifest:
    """Publish `tables` as the shards of one seed."""
    parts = tuple(store.put(each) for each in tables)
    rows = sum(p.rows for p in parts)
    made = receipt("seed", ["file"], rows, parts)
    return run_publish(dataset, [[made]], {"n": rows}, None, store.url)


def numbers(store: Store, manifest: Manifest) -> list[list[int]]:
    """The column `n` of every published file."""
    read = [store.fs.cat_file(f"{store.root}/datasets/numbers/{manifest.version}/{f}") for f in manifest.files]
    return [pa.parquet.read_table(pa.BufferReader(data))["n"].to_pylist() for data in read]


@pytest.mark.parametrize("shard", [PART_ROWS // 2 - 1, PART_ROWS + 1], ids=["small shards", "large shards"])
def test_shards_are_compacted_into_full_files_in_order(shard: int, lake: str) -> None:
    total = PART_ROWS + 1
    store = open_store(lake)
    manifest = published(store, [table(range(i, min(i + shard, total))) for i in range(0, total, shard)])
    files = numbers(store, manifest)
    assert [len(each) for each in files] == [PART_ROWS, 1] == [p.rows for p in manifest.parts]
    assert manifest.files == tuple(f"numbers-{i:05}-of-00002.parquet" for i in (1, 2))
    assert [n for each in files for n in each] == list(range(total))


def test_exactly_one_file_of_rows_and_no_rows_are_one_file_each(lake: str) -> None:
    store = open_store(lake)
    for rows in (PART_ROWS, 0):
        manifest = published(store, [table(range(rows))])
        assert manifest.files == ("numbers-00001-of-00001.parquet",) and manifest.rows == rows
        assert [len(each) for each in numbers(store, manifest)] == [rows]


def test_equal_content_is_one_version_and_the_first_manifest_stays(lake: str) -> None:
    store = open_store(lake)
    first = published(store, [table([1, 2])])
    assert published(store, [table([1], 7.0), table([2], 8.0)]) == first
    assert store.datasets.version_history("numbers") == [first.version] and first.version == first.content[:12]


def test_a_file_that_a_crashed_publish_left_is_the_one_the_manifest_names(lake: str) -> None:
    store = open_store(lake)
    manifest = published(store, [table([1, 2], 7.0)])
    left = store.read(f"datasets/numbers/{manifest.version}/{manifest.files[0]}")
    other = open_store(f"{lake}-2")
    other.datasets.write_part("numbers", manifest.version, manifest.files[0], left or b"")
    assert published(other, [table([1, 2], 8.0)]).parts == manifest.parts


def test_new_content_is_a_new_version_and_can_be_rolled_back(lake: str) -> None:
    store = open_store(lake)
    first, second = published(store, [table([1])]), published(store, [table([2])])
    assert store.datasets.read_manifest("numbers") == second
    store.datasets.set_current("numbers", first.version)
    assert store.datasets.read_manifest("numbers") == first
    assert published(store, [table([2])]) == second == store.datasets.read_manifest("numbers"), (
        "publishing again moves forward"
    )
    assert store.datasets.version_history("numbers") == [first.version, second.version, first.version, second.version]
