"""The lake: immutable objects, receipts that commit them, and published datasets, on any fsspec url.

    objects/<sha256>.parquet            rows, named by their own bytes; written first
    receipts/<step>/<key>.json          the commit: written second, by exclusive create
    journal/<key>/...                   replies of an unfinished shard; removed once its receipt is written
    inputs/<key>.json                   what the check of an input file has found, so that it is checked once
    contents/<key>                      the digest of rows that were published, by the digests of their parts
    partitions/<key>/...                rows of an unfinished merge by partition; removed once its receipt is written
    reports/<suite>/<key>.md            the results of a gate
    reports/<name>/<version>.html       the report of a published version
    runs/<run>/...                      records of a run: what was run, when, and how it ended
    pins/<run>/<dataset>                the published version that a run compares its rows with
    datasets/<name>/...                 published datasets, see `infra/lake/datasets.py`

Nothing is renamed, locked or overwritten, so a rerun completes a lake after a crash between any two writes.
"""

import contextlib
import contextvars
import ctypes
import functools
import hashlib
import io
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from infra.lake.datasets import Datasets
from infra.lake.file_store import FileStore
from schemas.errors import QuestmillError
from schemas.receipts import Part, Receipt

M_ARENA_MAX = -8
"""Parameter of glibc's `mallopt` (malloc.h): the number of heaps."""
pa.set_memory_pool(pa.system_memory_pool())  # needed if Arrow was imported before `infra/__init__.py` ran
with contextlib.suppress(AttributeError, OSError):  # glibc only, which by default keeps a heap for each thread
    ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


class Store(FileStore):
    """One lake. It is cheap to open, and several threads and processes may use it at once."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.datasets = Datasets(self)

    def begin_work(self, what: str) -> None:
        """Called before work begins that no receipt or record has shown to be done. A dry run refuses it."""

    # -- objects ------------------------------------------------------------------------------------------------

    def put(self, table: pa.Table) -> Part:
        """Write `table` as one object, unless an object with the same bytes exists."""
        return self.put_bytes(encode_parquet(table), table.num_rows)

    def put_bytes(self, data: bytes, rows: int) -> Part:
        """Write the Parquet bytes `data`, which hold `rows` rows, as one object."""
        part = Part(digest=hashlib.sha256(data).hexdigest(), rows=rows, size=len(data))
        self.write(_object_path(part), data)
        return part

    def get(self, part: Part, columns: list[str] | None = None) -> pa.Table:
        """The rows of one object. Raises `QuestmillError` if it is missing, or if its bytes do not match its digest."""
        data = self.read(_object_path(part))
        if data is None or hashlib.sha256(data).hexdigest() != part.digest:
            problem = "is missing" if data is None else "is damaged: its bytes have another digest"
            raise QuestmillError(
                f"object {part.digest} of {self.url} {problem}; restore it, or delete it and the receipts that name it "
                f"and run again"
            )
        # Not `read_table`, which plans a scan of a dataset: 0.5 ms for a small object, where reading it takes 0.15.
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            table = file.read(columns, use_threads=False)
        return table if columns is None else table.select(columns)

    def read_schema(self, part: Part) -> pa.Schema:
        """The columns of one object, with their metadata."""
        with self.open(_object_path(part)) as file:
            return pq.read_schema(file)

    def object_url(self, part: Part) -> str:
        """The path or url under which DuckDB reads the object."""
        return self.locate(_object_path(part))

    # -- receipts -----------------------------------------------------------------------------------------------

    def read_receipt(self, step: str, key: str) -> Receipt | None:
        """The committed receipt; None if the work has not been done yet."""
        receipt = self.read_record(Receipt, _receipt_path(step, key))
        return None if receipt is None else receipt.model_copy(update={"was_cached": True})

    def commit(self, receipt: Receipt) -> Receipt:
        """Write the receipt, which makes the work visible. If another worker was first, its receipt is returned."""
        path = _receipt_path(receipt.step, receipt.key)
        if self.write(path, receipt.model_dump_json(indent=1).encode()):
            return receipt
        winner = self.read_receipt(receipt.step, receipt.key)
        assert winner is not None, f"{path} was there a moment ago"
        return winner

    def read_receipts(self) -> list[Receipt]:
        """Every receipt of the lake, sorted by step and key."""
        return [self.parse_record(Receipt, path, data) for path, data in self.read_all("receipts")]

    def read_receipts_by_name(self, names: Sequence[str]) -> list[Receipt]:
        """The receipts with these names (`step/key`), in order. Raises `QuestmillError` if one is missing."""
        paths = [_receipt_path(*name.split("/")) for name in names]
        receipts = [self.parse_record(Receipt, path, data) for path, data in self.read_many(paths)]
        if len(receipts) < len(names):
            (missing, *_) = set(names) - {receipt.name for receipt in receipts}
            raise QuestmillError(f"receipt {missing} of {self.url} is missing; run again, which works its shard again")
        return receipts

    def has_receipts(self) -> bool:
        """Whether any work has been committed to this lake."""
        return bool(self.fs.exists(self._full_path("receipts")))


def _object_path(part: Part) -> str:
    return f"objects/{part.digest}.parquet"


def _receipt_path(step: str, key: str) -> str:
    return f"receipts/{step}/{key}.json"


def encode_parquet(table: pa.Table) -> bytes:
    """`table` as Parquet bytes. Equal tables give equal bytes."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


_replacement: contextvars.ContextVar[Store | None] = contextvars.ContextVar("store", default=None)


def open_store(url: str) -> Store:
    """The store at `url`. Each process opens it only once."""
    replacement = _replacement.get()
    return replacement if replacement is not None and replacement.url == url.rstrip("/") else _open_once(url)


@contextlib.contextmanager
def replace_store(store: Store) -> Iterator[None]:
    """Let `open_store` return `store` for its url, inside `with` and in this thread."""
    before = _replacement.set(store)
    try:
        yield
    finally:
        _replacement.reset(before)


@functools.cache
def _open_once(url: str) -> Store:
    return Store(url)
