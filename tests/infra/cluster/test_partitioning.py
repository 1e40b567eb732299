"""A merge whose inputs are partitioned among workers gives the same objects as the merge in one worker."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cluster import partitioning, worker
from infra.cluster.partitioning import Partitioning
from infra.lake.store import Store, open_store
from schemas.code_policy import CodePolicy
from schemas.errors import QuestmillError
from schemas.receipts import Part, Receipt
from schemas.steps import PartitionedMerge
from tasks.dedup.near import DropNearDuplicates
from tasks.dedup.published import DropPublished

SCHEMA = pa.schema([("row_id", pa.string()), ("question", pa.string())])
STORY = "Tom has {} red marbles and {} blue ones in a {}. He {} {} of them to Ann. How many marbles are left in the {}?"
VERB, THING, NUMBER = (st.sampled_from(w) for w in (["gives", "hands"], ["box", "big box", "bag"], ["4", "5", "four"]))
TEXTS = st.one_of(
    st.builds(STORY.format, NUMBER, NUMBER, THING, VERB, NUMBER, THING),
    st.sampled_from(["What is 1 + 2?", "what is 1 + 2", "Is it so?", "IS IT SO!", "", "?"]),
    st.text("ab 1,.-?", max_size=12),
)
SHARD_ROWS = 3


def put_table(store: Store, ids: Sequence[str], texts: Sequence[str], step: str) -> list[Receipt]:
    """A table of shards of two rows, in the order given."""
    table = pa.table([pa.array(ids, pa.string()), pa.array(texts, pa.string())], schema=SCHEMA)
    shards = [table.slice(at, 2).combine_chunks() for at in range(0, max(1, len(ids)), 2)]
    parts = [store.put(shard) for shard in shards]
    return [
        Receipt(step=step, key=f"{step}{at}", inputs=(), rows_in=part.rows, kept=part.rows, parts=(part,))
        for at, part in enumerate(parts)
    ]


def plan(merge: PartitionedMerge, tables: list[list[Receipt]], lake: str) -> Partitioning | None:
    return partitioning.plan_partitioning(merge, tables, SHARD_ROWS, CodePolicy(), lake)


def merge_partitioned(merge: PartitionedMerge, tables: list[list[Receipt]], lake: str, repeats: int = 1) -> Receipt:
    """What a run does with many workers, one call after the other; `repeats` is how often each call is made."""
    planned = plan(merge, tables, lake)
    if planned is not None:
        shared = planned.without_parts()
        for _ in range(repeats):
            for group in reversed(planned.groups):
                partitioning.distribute_rows(group, merge, shared, lake)
        for _ in range(repeats):
            for number in range(planned.partitions):
                partitioning.prepare_partition(number, merge, shared, lake)
        planned = shared
    return worker.run_merge(merge, tables, SHARD_ROWS, lake, partitioning=planned)


def result(receipt: Receipt) -> Any:
    return receipt.model_dump(include={"key", "parts", "rejects", "rows_in", "kept", "rejected", "inputs"})


@pytest.fixture(scope="module")
def lakes() -> Callable[[], list[str]]:
    numbers = iter(range(10**6))
    return lambda: [f"memory://partitioned-{next(numbers)}" for _ in range(2)]


@settings(max_examples=12, deadline=None)
@given(st.lists(TEXTS, max_size=14), st.integers(3, 6), st.randoms(use_true_random=False))
def test_partitions_give_the_same_objects_as_one_pass(
    lakes: Callable[[], list[str]], texts: list[str], partition_rows: int, rng: Any
) -> None:
    one, other = lakes()
    ids = [f"{n:03}" for n in range(len(texts))]
    shuffled = rng.sample(ids, len(ids))
    whole = worker.run_merge(
        DropNearDuplicates(), [put_table(open_store(one), shuffled, texts, "write")], SHARD_ROWS, one
    )
    tables = [put_table(open_store(other), shuffled, texts, "write")]
    divided = merge_partitioned(DropNearDuplicates(partition_rows=partition_rows), tables, other)
    assert result(whole) == result(divided)
    assert not open_store(other).list_paths("partitions")


@settings(max_examples=8, deadline=None)
@given(st.lists(TEXTS, max_size=10), st.lists(TEXTS, max_size=10), st.integers(5, 8))
def test_published_questions_are_found_in_partitions_too(
    lakes: Callable[[], list[str]], new: list[str], old: list[str], partition_rows: int
) -> None:
    receipts = []
    for lake, merge in zip(
        lakes(),
        (DropPublished(dataset="old"), DropPublished(dataset="old", partition_rows=partition_rows)),
        strict=True,
    ):
        store = open_store(lake)
        tables = [
            put_table(store, [f"{letter}{n:03}" for n in range(len(texts))], texts, letter)
            for letter, texts in (("n", new), ("o", old))
        ]
        receipts.append(merge_partitioned(merge, tables, lake))
    assert result(receipts[0]) == result(receipts[1])


TEN = [STORY.format(n, 2, "box", "gives", 1, "box") for n in (3, 4, 3, 5, 6, 7, 8, 9, 5, 4)]
MERGE = DropNearDuplicates(partition_rows=4)


@pytest.fixture
def questions(lake: str) -> list[list[Receipt]]:
    return [put_table(open_store(lake), [f"{n:03}" for n in range(10)], TEN, "write")]


def test_rows_are_partitioned_only_where_there_are_many(questions: list[list[Receipt]], lake: str) -> None:
    planned = plan(MERGE, questions, lake)
    assert planned is not None and planned.partitions == 3
    assert [sum(part.rows for part in group.parts) for group in planned.groups] == [4, 4, 2]
    assert plan(DropNearDuplicates(partition_rows=10), questions, lake) is None


def test_the_number_of_rows_of_a_worker_changes_no_key(questions: list[list[Receipt]], lake: str) -> None:
    divided = merge_partitioned(MERGE, questions, lake)
    assert divided.rejected == {"near duplicate": 3}
    assert worker.run_merge(DropNearDuplicates(), questions, SHARD_ROWS, lake).was_cached
    assert plan(MERGE, questions, lake) is None, "the merge is done"


def test_calls_that_are_made_twice_change_nothing(questions: list[list[Receipt]], lake: str) -> None:
    assert merge_partitioned(MERGE, questions, lake, repeats=2).kept == 7


def test_partitions_may_lie_in_a_bucket_or_in_a_folder(s3_lake: str, tmp_path: Path) -> None:
    for lake in (s3_lake, str(tmp_path / "lake")):
        tables = [put_table(open_store(lake), [f"{n:03}" for n in range(10)], TEN, "write")]
        assert merge_partitioned(MERGE, tables, lake).rejected == {"near duplicate": 3}
        assert not open_store(lake).list_paths("partitions")


def test_a_run_that_was_killed_continues_where_it_stopped(questions: list[list[Receipt]], lake: str) -> None:
    store, planned = open_store(lake), plan(MERGE, questions, lake)
    assert planned is not None
    for group in planned.groups:
        partitioning.distribute_rows(group, MERGE, planned, lake)
    partitioning.prepare_partition(0, MERGE, planned, lake)
    written = {path: store.fs.info(store.locate(path))["created"] for path in store.list_paths("partitions")}
    assert len(written) == 4
    again = plan(MERGE, questions, lake)
    assert again == planned
    for group in again.groups:
        partitioning.distribute_rows(group, MERGE, again, lake)
    for number in range(3):
        partitioning.prepare_partition(number, MERGE, again, lake)
    assert {path: store.fs.info(store.locate(path))["created"] for path in written} == written
    assert worker.run_merge(MERGE, questions, SHARD_ROWS, lake, partitioning=again).kept == 7


def test_a_run_that_finds_the_merge_done_by_another_one_takes_its_receipt(
    questions: list[list[Receipt]], lake: str
) -> None:
    planned = plan(MERGE, questions, lake)
    assert planned is not None
    with pytest.raises(QuestmillError, match=r"partitions/.* lacks a file"):
        partitioning.prepare_partition(0, MERGE, planned, lake)
    done = merge_partitioned(MERGE, questions, lake)
    for group in planned.groups:
        partitioning.distribute_rows(group, MERGE, planned, lake)
    for number in range(3):
        partitioning.prepare_partition(number, MERGE, planned, lake)
    assert not open_store(lake).list_paths("partitions"), "nothing is written for a merge that is done"
    again = worker.run_merge(MERGE, questions, SHARD_ROWS, lake, partitioning=planned)
    assert result(again) == result(done) and again.was_cached


def test_rows_of_one_hash_are_in_one_partition(questions: list[list[Receipt]], lake: str) -> None:
    store, planned = open_store(lake), plan(MERGE, questions, lake)
    assert planned is not None
    for group in planned.groups:
        partitioning.distribute_rows(group, MERGE, planned, lake)
    places: dict[str, set[int]] = {}
    for number in range(planned.partitions):
        for row in partitioning.read_partition(store, planned, "questions", number).to_pylist():
            places.setdefault(row["question"], set()).add(number)
    assert sorted(places) == sorted(set(TEN)) and all(len(numbers) == 1 for numbers in places.values())
    assert len(set.union(*places.values())) > 1


def test_parts_are_grouped_by_their_rows() -> None:
    parts = [Part(digest=str(n), rows=rows, size=1) for n, rows in enumerate((3, 3, 9, 0, 1))]
    groups = list(partitioning.group_parts({"a": parts, "b": parts[:1]}, 6))
    assert [(g.number, g.table, [p.rows for p in g.parts]) for g in groups] == [
        (0, "a", [3, 3]),
        (1, "a", [9]),
        (2, "a", [0, 1]),
        (3, "b", [3]),
    ]


@pytest.mark.system
@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, max_size=40), st.integers(1, 10), st.randoms(use_true_random=False))
def test_any_number_of_partitions_gives_the_same_clusters(texts: list[str], partition_rows: int, rng: Any) -> None:
    """Like the first test, for more rows, more partitions and texts in any order."""
    ids = [f"{n:03}" for n in range(len(texts))]
    receipts = []
    for merge in (DropNearDuplicates(), DropNearDuplicates(partition_rows=partition_rows)):
        lake = f"memory://any-{rng.random()}"
        shuffled = rng.sample([*zip(ids, texts, strict=True)], len(ids))
        table = put_table(open_store(lake), [i for i, _ in shuffled], [text for _, text in shuffled], "write")
        receipts.append(merge_partitioned(merge, [table], lake))
    one, other = receipts
    assert (one.parts, one.rejects, one.rejected) == (other.parts, other.rejects, other.rejected)
