"""The files of a journal: one file that grows on a local store, immutable segments on any other store."""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from infra.lake.exclusive_create import flush_folder
from infra.lake.store import Store


class AppendFile:
    """One file of a local store that grows: the kernel gets each line at once, and `flush` puts it on the disk."""

    def __init__(self, path: Path, sync: Callable[[int], None]) -> None:
        self._path, self._sync = path, sync
        self._lock = threading.Lock()
        self._unwritten = bytearray()
        """Bytes that could not be written: disk full, no permission, no folder."""
        self._descriptor = -1
        self._folders_flushed = False
        self._sync_error: OSError | None = None
        """Error of a sync that failed. It is kept, because the next sync would not report the loss again."""

    def add(self, data: bytes) -> None:
        """Append `data`. An error is ignored here: `flush` tries again."""
        with self._lock, contextlib.suppress(OSError):
            self._unwritten += data
            self._write()

    def flush(self) -> None:
        """Put everything added so far on the disk. Raises `OSError` if that fails."""
        with self._lock:
            self._write()
        if self._sync_error:
            raise self._sync_error
        try:
            self._sync(self._descriptor)
        except OSError as error:
            self._sync_error = error
            raise
        if not self._folders_flushed:
            for folder in self._path.parents[:3]:
                flush_folder(folder)
            self._folders_flushed = True

    def close(self) -> None:
        """Close the file. May be called twice."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def _write(self) -> None:
        if self._descriptor < 0:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        while self._unwritten:
            del self._unwritten[: os.write(self._descriptor, self._unwritten)]


class SegmentFiles:
    """Small immutable files of a store that cannot append. Lines wait in memory until `flush` writes a new file."""

    def __init__(self, store: Store, path: str) -> None:
        self._store, self._path = store, path
        self._lock = threading.Lock()
        self._unwritten = bytearray()
        self._number = 0

    def add(self, data: bytes) -> None:
        """Keep `data` in memory until the next `flush`."""
        with self._lock:
            self._unwritten += data

    def flush(self) -> None:
        """Write everything added so far as one file. Raises the store's error if that fails."""
        with self._lock:
            data = bytes(self._unwritten)
        self._number += 1  # every retry uses a new file: a failed write may have left anything
        self._store.write(f"{self._path}-{self._number:06}.jsonl", data)
        with self._lock:
            del self._unwritten[: len(data)]

    def close(self) -> None:
        """Do nothing: no file is held open."""
