"""A lake as a dry run sees it: what is there can be read, and nothing changes before everything was found done."""

import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from infra.lake.store import Store, replace_store
from schemas.receipts import Part, Receipt

LISTED_FROM = 4
"""Look-ups of a step from which on its receipts are listed, if the lake is remote; a missing one then costs nothing."""


class WorkOwed(Exception):
    """A dry run met work that is not done."""


class DryStore(Store):
    """A lake that refuses work and holds back small writes. Several threads may use it at once."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.held_back: dict[str, bytes] = {}
        """Files to write by path, if nothing is owed."""
        self.removals: list[str] = []
        """Folders to remove if nothing is owed."""
        self.lookups: Counter[str] = Counter()
        """Receipts that were looked for, by step."""
        self.listings: dict[str, frozenset[str]] = {}
        """Paths below a folder that was listed once."""
        self.receipts: dict[str, Receipt] = {}
        """Receipts that were found in a remote lake, by name: a publication reads those of its steps again."""
        self.lock = threading.Lock()

    @property
    def is_remote(self) -> bool:
        """Whether each request takes milliseconds."""
        return not (self.is_local or self.is_memory)

    def begin_work(self, what: str) -> None:
        """Raise `WorkOwed`."""
        raise WorkOwed(what)

    def put(self, table: pa.Table) -> Part:
        """Raise `WorkOwed`."""
        raise WorkOwed("an object")

    def commit(self, receipt: Receipt) -> Receipt:
        """Raise `WorkOwed`."""
        raise WorkOwed(receipt.step)

    def write(self, path: str, data: bytes) -> bool:
        """Hold back one file. Returns False if the path is taken."""
        if path in self.held_back or self.fs.exists(self._full_path(path)):
            return False
        self.held_back[path] = data
        return True

    def remove(self, folder: str) -> None:
        """Hold back a removal, if there is something to remove."""
        if os.path.isdir(self._full_path(folder)) if self.is_local else self._is_listed(folder):
            self.removals.append(folder)

    def read_existing(self, path: str) -> bytes:
        """The bytes at `path`, also if they are held back. Raises `FileNotFoundError` if nothing is there."""
        return self.held_back[path] if path in self.held_back else super().read_existing(path)

    def list_paths(self, folder: str) -> list[str]:
        """Paths of the files below `folder`, also of those held back, relative to the lake, sorted."""
        held_back = (path for path in self.held_back if path.startswith(f"{folder}/"))
        return sorted({*super().list_paths(folder), *held_back})

    def read_receipt(self, step: str, key: str) -> Receipt | None:
        """The committed receipt; None if the work has not been done yet."""
        self.lookups[step] += 1
        if self.is_remote and self.lookups[step] > LISTED_FROM:
            folder = f"receipts/{step}"
            if f"{folder}/{key}.json" not in self._list_once(folder):
                return None
        receipt = super().read_receipt(step, key)
        if self.is_remote and receipt is not None:
            self.receipts[receipt.name] = receipt
        return receipt

    def read_receipts_by_name(self, names: Sequence[str]) -> list[Receipt]:
        """The receipts with these names, in order. Raises `QuestmillError` if one is missing."""
        missing = iter(super().read_receipts_by_name([name for name in names if name not in self.receipts]))
        return [self.receipts.get(name) or next(missing) for name in names]

    def write_held_back(self) -> None:
        """Write and remove all that was held back, records of the run last.

        Raises `WorkOwed` if another process took a path in the meantime.
        """
        plain = Store(self.url)
        for path in sorted(self.held_back, key=lambda path: path.startswith("runs/")):
            if not plain.write(path, self.held_back[path]):
                raise WorkOwed(path)
        for folder in self.removals:
            plain.remove(folder)

    def _is_listed(self, folder: str) -> bool:
        top = folder.partition("/")[0]
        return any(path.startswith(f"{folder}/") for path in self._list_once(top))

    def _list_once(self, folder: str) -> frozenset[str]:
        with self.lock:
            if folder not in self.listings:
                self.listings[folder] = frozenset(super().list_paths(folder))
            return self.listings[folder]


@contextmanager
def open_dry_store(url: str) -> Iterator[DryStore]:
    """Inside `with`, and in this thread, `open_store(url)` returns the dry store that is yielded."""
    store = DryStore(url)
    with replace_store(store):
        yield store
