"""Writes what a merge returns as objects, column by column: only rejected rows ever become Python objects."""

import io
import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.lake.store import Store
from schemas.arrow import conform, is_user_column
from schemas.errors import LedgerError
from schemas.receipts import Part, Receipt
from schemas.tables import rejects

REJECTS_PER_GROUP = 50_000
"""Rejected rows that are held as text at once; they are compressed together."""


class MergeWriter:
    """Cuts the rows of a merge into shards, and sets the rejected ones apart. It holds one shard of rows at a time."""

    def __init__(self, store: Store, step: str, columns: Sequence[pa.Field], shard_rows: int) -> None:
        """`columns` are those of the batches that are added. Of them `reject` is left out, and the user's come last."""
        self.store, self.step, self.shard_rows = store, step, shard_rows
        self.names = [field.name for field in columns]
        own = [place for place, field in enumerate(columns) if field.name != "reject"]
        self.kept = sorted(own, key=lambda place: is_user_column(columns[place]))
        self.schema = pa.schema([columns[place] for place in self.kept])
        self.waiting = self.schema.empty_table()
        """Kept rows that are in no shard yet."""
        self.parts: list[Part] = []
        self.kept_count = 0
        self.rejected: Counter[str] = Counter()
        """Number of rejected rows by reason."""
        self.rejects = _RejectsFile()
        self.last_id: str | None = None
        self.is_ascending = True
        """Whether each row id so far was greater than the one before, so that no row came twice."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the next rows of the merge."""
        if not batch.num_rows:
            return
        self._check_order(batch.column(self.names.index("row_id")))
        if "reject" in self.names:
            reasons = batch.column(self.names.index("reject")).cast(pa.string())
            is_rejected = pc.fill_null(pc.not_equal(reasons, ""), False)
            self._add_rejects(batch.filter(is_rejected).to_pylist())
            batch = batch.filter(pc.invert(is_rejected))
        self.kept_count += batch.num_rows
        columns = [batch.column(place) for place in self.kept]
        self.waiting = pa.concat_tables([self.waiting, pa.Table.from_arrays(columns, schema=self.schema)])
        while self.waiting.num_rows >= self.shard_rows:
            self._write_shard(self.waiting.slice(0, self.shard_rows))
            self.waiting = self.waiting.slice(self.shard_rows)

    def finish(self, key: str, inputs: tuple[str, ...], rows_in: int, started: float, con: Any, query: str) -> Receipt:
        """Make the receipt. Raises `LedgerError` if rows were lost or doubled.

        `con` and `query` are those that returned the rows. They are counted by another query if they were not in the
        order of their ids.
        """
        if self.waiting.num_rows or not self.parts:
            self._write_shard(self.waiting)
        kept, rejected = self.kept_count, dict(sorted(self.rejected.items()))
        if not self.is_ascending:
            kept, rejected = _count_ids(con, query, "reject" in self.names)
        receipt = Receipt(
            step=self.step,
            key=key,
            inputs=inputs,
            rows_in=rows_in,
            kept=kept,
            rejected=rejected,
            parts=tuple(self.parts),
            rejects=self.rejects.write(self.store),
            seconds=round(time.monotonic() - started, 3),
        )
        if not receipt.is_balanced:
            raise LedgerError(f"step {self.step}: {rows_in} rows in, but {kept} kept, {rejected} rejected")
        return receipt

    def _check_order(self, ids: pa.Array) -> None:
        in_order = pc.all(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py() in (True, None)
        follows = self.last_id is None or self.last_id < ids[0].as_py()
        self.is_ascending = self.is_ascending and in_order and follows
        self.last_id = ids[-1].as_py()

    def _add_rejects(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            reason = str(row.pop("reject"))
            text = json.dumps(row, ensure_ascii=False, default=str)
            self.rejected[reason] += 1
            self.rejects.add({"row_id": row["row_id"], "stage": self.step, "reason": reason, "row": text})

    def _write_shard(self, table: pa.Table) -> None:
        self.parts.append(self.store.put(table.combine_chunks()))


class _RejectsFile:
    """The object of rejected rows, of which only the bytes are held."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.buffer = io.BytesIO()
        self.writer: pq.ParquetWriter | None = None
        self.count = 0

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row | {"replies": None})
        self.count += 1
        if len(self.rows) == REJECTS_PER_GROUP:
            self._write_group()

    def write(self, store: Store) -> Part | None:
        """Write the object; None if no row was rejected."""
        if self.rows:
            self._write_group()
        if self.writer is None:
            return None
        self.writer.close()
        return store.put_bytes(self.buffer.getvalue(), self.count)

    def _write_group(self) -> None:
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.buffer, rejects.SCHEMA, compression="zstd")
        self.writer.write_table(conform(self.rows, rejects.SCHEMA, "rejects"))
        self.rows = []


def _count_ids(con: Any, query: str, has_reasons: bool) -> tuple[int, dict[str, int]]:
    """Count the distinct row ids that `query` returns: those kept, and those rejected by reason.

    A row that comes twice counts as kept if it is kept once.
    """
    reason = "CASE WHEN bool_and(coalesce(reject <> '', false)) THEN min(reject) END" if has_reasons else "NULL"
    counts = dict(
        con.sql(f"""
            SELECT reason, count(*) FROM (SELECT {reason} AS reason FROM ({query}) GROUP BY row_id) GROUP BY reason
            ORDER BY reason
        """).fetchall()
    )
    return counts.pop(None, 0), counts
