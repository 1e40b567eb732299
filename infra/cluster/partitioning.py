"""Partitions the inputs of a merge that are too large for one worker, so that many workers prepare it.

Each worker hashes some of the input rows and writes them as one file, with a row group for each partition. Then each
partition is prepared by one worker, which reads its row group of every such file, and writes what it found. The merge
itself is one call, which reads what was found. The files lie in `partitions/<key>/` of the lake. A file is complete if
it is there, so a call that is repeated does nothing; they are removed after the receipt of the merge is written.
"""

import io
from collections.abc import Iterator, Sequence
from typing import TypeGuard

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from infra.cluster.earlier_work import find_merge_work
from infra.lake import catalog
from infra.lake.store import Store, encode_parquet, open_store
from schemas.code_policy import CodePolicy
from schemas.errors import QuestmillError
from schemas.identity import FrozenModel, fingerprint
from schemas.receipts import Committed, Part
from schemas.steps import Merge, PartitionedMerge

COMBINING_MEMORY = "512MiB"
"""Memory of DuckDB for a merge whose inputs are partitioned."""
HASHED_ROWS = 10_000
"""Rows that are hashed at once."""
_MIXER = np.uint64(0x9E3779B97F4A7C15)


class RowGroup(FrozenModel):
    """Rows of one input that one worker distributes among the partitions."""

    number: int
    """Place among all of them."""
    table: str
    """Name of the input in the merge."""
    parts: tuple[Part, ...]
    """The rows."""


class Partitioning(FrozenModel):
    """How the inputs of one merge are partitioned."""

    step: str
    """Label of the merge."""
    merge_key: str
    """Key of the receipt of the merge."""
    key: str
    """Name of the folder of the files."""
    partitions: int
    """Number of partitions."""
    groups: tuple[RowGroup, ...]
    """All rows of the inputs."""

    @property
    def folder(self) -> str:
        """Path of the files in the lake."""
        return f"partitions/{self.key}"

    def rows_path(self, group: RowGroup) -> str:
        """Path of the distributed rows of `group`."""
        return f"{self.folder}/rows-{group.number:05}.parquet"

    def prepared_path(self, partition: int) -> str:
        """Path of what was found in a partition."""
        return f"{self.folder}/prepared-{partition:05}.parquet"

    def prepared_urls(self, store: Store) -> list[str]:
        """Where DuckDB reads what was found in all partitions."""
        return [store.locate(self.prepared_path(number)) for number in range(self.partitions)]

    def without_parts(self) -> "Partitioning":
        """The same, for calls that do not read the inputs."""
        return self.model_copy(update={"groups": tuple(g.model_copy(update={"parts": ()}) for g in self.groups)})


def is_partitioned(merge: Merge, rows: int) -> TypeGuard[PartitionedMerge]:
    """Whether inputs of `rows` rows in all are too large for one worker."""
    return isinstance(merge, PartitionedMerge) and rows > merge.partition_rows


def plan_partitioning(
    merge: PartitionedMerge, tables: Sequence[Sequence[Committed]], shard_rows: int, policy: CodePolicy, lake: str
) -> Partitioning | None:
    """Plan how the inputs of a merge are partitioned; None if they are few, or if the merge is done already."""
    store = open_store(lake)
    parts, work = find_merge_work(store, merge, tables, shard_rows, policy)
    rows = sum(part.rows for table in parts for part in table)
    partitioning = Partitioning(
        step=merge.label,
        merge_key=work.key,
        key=fingerprint(work.key, work.code, merge.partition_rows),
        partitions=max(1, -(-rows // merge.partition_rows)),
        groups=tuple(group_parts(dict(zip(merge.inputs, parts, strict=True)), merge.partition_rows)),
    )
    if work.done is not None:
        store.remove(partitioning.folder)  # a process may have ended before it could remove it
        return None
    store.begin_work(merge.label)
    return partitioning if is_partitioned(merge, rows) else None


def group_parts(tables: dict[str, list[Part]], most_rows: int) -> Iterator[RowGroup]:
    """Group the parts of each table so that a group has at most `most_rows` rows, unless one part has more."""
    number = 0
    for name, parts in tables.items():
        group, rows = list[Part](), 0
        for part in parts:
            if group and rows + part.rows > most_rows:
                yield RowGroup(number=number, table=name, parts=tuple(group))
                group, rows, number = [], 0, number + 1
            group.append(part)
            rows += part.rows
        if group:
            yield RowGroup(number=number, table=name, parts=tuple(group))
            number += 1


def distribute_rows(group: RowGroup, merge: PartitionedMerge, partitioning: Partitioning, lake: str) -> None:
    """Write the rows of `group` with a row group for each partition."""
    store, path = open_store(lake), partitioning.rows_path(group)
    if store.has_file(path) or _is_merged(store, partitioning):
        return
    columns = list(merge.partition_columns)
    table = pa.concat_tables(store.get(part, columns) for part in group.parts).combine_chunks()
    hashes = [merge.hash_rows(batch).to_numpy() for batch in table.to_batches(HASHED_ROWS)]
    mixed = np.concatenate([np.empty(0, np.uint64), *hashes]) * _MIXER >> np.uint64(32)
    partition = (mixed % np.uint64(partitioning.partitions)).astype(np.int64)
    order = np.argsort(partition, kind="stable")
    ends = np.searchsorted(partition[order], np.arange(partitioning.partitions), side="right")
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, table.schema, compression="zstd") as writer:
        for rows in np.split(order, ends[:-1]):
            writer.write_table(table.take(pa.array(rows)), row_group_size=max(1, len(rows)))
    store.write(path, buffer.getvalue())


def prepare_partition(number: int, merge: PartitionedMerge, partitioning: Partitioning, lake: str) -> None:
    """Prepare one partition of the merge, and write what was found."""
    store, path = open_store(lake), partitioning.prepared_path(number)
    if store.has_file(path):
        return
    con = catalog.connect(store)
    try:
        for name in merge.inputs:
            con.register(name, read_partition(store, partitioning, name, number))
    except FileNotFoundError as error:
        if _is_merged(store, partitioning):
            return
        raise QuestmillError(f"{store.locate(partitioning.folder)} lacks a file ({error}); run again") from error
    store.write(path, encode_parquet(merge.prepare_partition(con)))


def read_partition(store: Store, partitioning: Partitioning, name: str, number: int) -> pa.Table:
    """The rows of one input in one partition. Raises `FileNotFoundError` if a file is missing."""
    tables: list[pa.Table] = []
    for group in partitioning.groups:
        if group.table == name:
            with store.open(partitioning.rows_path(group)) as file:
                tables.append(pq.ParquetFile(file).read_row_group(number))
    return pa.concat_tables(tables)


def load_partitions(
    con: duckdb.DuckDBPyConnection, merge: PartitionedMerge, partitioning: Partitioning, store: Store
) -> bool:
    """Let `merge` combine what was found in all partitions, as views of `con`; False if the merge is done meanwhile.

    DuckDB may take `COMBINING_MEMORY`, and writes to disk what needs more.
    """
    con.execute(f"SET memory_limit = '{COMBINING_MEMORY}'")
    try:
        catalog.create_files_view(con, "partitions", partitioning.prepared_urls(store))
    except QuestmillError:
        if _is_merged(store, partitioning):
            return False
        raise
    merge.combine_partitions(con)
    return True


def _is_merged(store: Store, partitioning: Partitioning) -> bool:
    """Whether the merge is done, so that its files may be gone: another run may have finished it first."""
    return store.read_receipt(partitioning.step, partitioning.merge_key) is not None
