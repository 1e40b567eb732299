"""Where a journal's lines go: one file that is appended to on a local store, immutable segments on any other."""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from infra.lake.exclusive_create import flush_folder
from infra.lake.store import Store


class AppendFile:
    """One file of a local store, appended to: in the hands of the kernel at once, on the disk by `flush`."""

    def __init__(self, path: Path, sync: Callable[[int], None]) -> None:
        self._path, self._sync = path, sync
        self._lock = threading.Lock()
        self._unwritten = bytearray()
        """What the kernel did not take: no room, no permission, no folder."""
        self._descriptor = -1
        self._folders_flushed = False
        self._sync_error: OSError | None = None
        """Why the disk may lack something; the next sync would not say so again."""

    def add(self, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._unwritten += data
            self._write()

    def flush(self) -> None:
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
    """Small immutable files of a store that cannot append; replies wait in memory until `flush` has written them."""

    def __init__(self, store: Store, path: str) -> None:
        self._store, self._path = store, path
        self._lock = threading.Lock()
        self._unwritten = bytearray()
        self._number = 0

    def add(self, data: bytes) -> None:
        with self._lock:
            self._unwritten += data

    def flush(self) -> None:
        with self._lock:
            data = bytes(self._unwritten)
        self._number += 1  # a new one for every try: of one that failed nobody knows what is there
        self._store.write(f"{self._path}-{self._number:06}.jsonl", data)
        with self._lock:
            del self._unwritten[: len(data)]

    def close(self) -> None:
        """Nothing is held open."""
