"""Replies on disk before they are rows: written as they arrive, so that a killed process pays next to nothing again.

    journal/<key>/<writer>.jsonl            on a local store: appended to, reply by reply
    journal/<key>/<writer>-<n>.jsonl        on any other: immutable segments

A line is one sample of one row: `{"row": ..., "sample": ..., "reply": {...}}`. A line that cannot be read is *owed*:
its sample is asked for again.
"""

import contextlib
import json
import math
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson

from infra.lake.file_errors import root_cause
from infra.lake.flush_thread import flush_thread
from infra.lake.journal_files import AppendFile, SegmentFiles
from infra.lake.store import Store
from schemas.engine import Completion
from schemas.errors import QuestmillError

FLUSH_REPLIES = 64
"""Replies that are made durable together: an fsync for each would cost 200 us, for each of 64 it is 5 us."""
FLUSH_SECONDS = 2.0
"""Longest time until a reply is durable, where nothing fails; a power cut loses no more than that."""
CLOSE_ATTEMPTS = 3
"""How often `close` tries to write what could not be written before."""


class Journal:
    """Replies of one shard that is still being asked. Any thread may add to it; a forked child opens its own."""

    def __init__(
        self,
        store: Store,
        key: str,
        *,
        flush_replies: int = FLUSH_REPLIES,
        flush_seconds: float = FLUSH_SECONDS,
        sync: Callable[[int], None] = os.fsync,
    ) -> None:
        """`key` is the fingerprint of the shard's work. Nothing is written before the first `add`.

        `flush_replies` replies are made durable together, or those of `flush_seconds`; `sync` is how, on a local store.
        """
        self._store, self._key, self._folder = store, key, f"journal/{key}"
        self._flush_replies, self.flush_seconds = flush_replies, flush_seconds
        path = f"{self._folder}/{uuid.uuid4().hex}"
        self._sink = (
            AppendFile(Path(store.locate(f"{path}.jsonl")), sync) if store.is_local else SegmentFiles(store, path)
        )
        self._lock = threading.Lock()
        self._flush_lock = threading.Lock()  # never taken by `add`: it is held as long as a disk or a server takes
        self._undurable_count = 0
        """Replies that are not durable yet."""
        self._closed = False

    def read_replies(self) -> dict[str, dict[int, Completion]]:
        """Row id -> sample index -> reply, of all writers of this key; of two replies the first by file name counts.

        On a store that is not local, what was added less than `FLUSH_SECONDS` ago may be missing.
        """
        replies: dict[str, dict[int, Completion]] = {}
        for _, data in self._store.read_all(self._folder):
            for line in data.split(b"\n"):
                if line and (record := _decode_line(line)):
                    row, sample, reply = record
                    replies.setdefault(row, {}).setdefault(sample, reply)
        return replies

    def add(self, row: str, replies: Mapping[int, Completion]) -> None:
        """Write `read_replies` by sample index; from here on, on a local store, they outlive this process.

        Waits for no disk and no network: what cannot be written is tried again, and `close` says so in the end.
        """
        data = b"".join([_encode_line(row, sample, reply) for sample, reply in replies.items()])
        with self._lock:
            if not data:
                return
            if self._closed:
                raise ValueError(f"journal {self._key} is closed: a reply of row {row} came too late")
            self._sink.add(data)
            before, self._undurable_count = self._undurable_count, self._undurable_count + len(replies)
            if before < self._flush_replies <= self._undurable_count:
                flush_thread(os.getpid()).schedule(self, 0.0)
            elif before == 0:
                flush_thread(os.getpid()).schedule(self, self.flush_seconds)

    def flush(self) -> None:
        """Make durable what was added so far, or raise what stands in the way; a closed journal sees to itself."""
        with self._flush_lock:
            if not self._closed:
                self._flush()

    def close(self) -> None:
        """Make everything durable. Raises `QuestmillError` where that fails `CLOSE_ATTEMPTS` times. May be called
        twice."""
        with self._lock:
            self._closed = True
        try:
            for attempts_left in reversed(range(CLOSE_ATTEMPTS)):
                try:
                    with self._flush_lock:
                        return self._flush()
                except Exception as error:
                    if not attempts_left:
                        raise QuestmillError(
                            f"journal {self._key}: {self._undurable_count} replies could not be kept in "
                            f"{self._store.url}: "
                            f"{root_cause(error)}; they will be asked for again"
                        ) from error
                    time.sleep(self.flush_seconds / 4)
        finally:
            self._unregister()

    def remove(self) -> None:
        """Close, and delete all files of this key, of all writers: to be called once the receipt is there."""
        with self._lock:
            self._closed = True
        self._unregister()
        self._undurable_count = 0
        self._store.remove(self._folder)

    def _flush(self) -> None:
        with self._lock:
            taken, self._undurable_count = self._undurable_count, 0
        if not taken:
            return
        try:
            self._sink.flush()
        except BaseException:
            with self._lock:
                self._undurable_count += taken
            raise

    def _unregister(self) -> None:
        flush_thread(os.getpid()).forget(self)
        with self._flush_lock:  # a flush that is under way ends first
            self._sink.close()


def _encode_line(row: str, sample: int, reply: Completion) -> bytes:
    record = {"row": row, "sample": sample, "reply": reply.__dict__}
    if reply.logprobs is None or math.isfinite(sum(reply.logprobs)):  # orjson would write null for the others
        with contextlib.suppress(orjson.JSONEncodeError):  # a lone surrogate
            return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    return json.dumps(record).encode() + b"\n"


def _decode_line(line: bytes) -> tuple[str, int, Completion] | None:
    """Row, sample and reply; None where the line is torn or damaged."""
    try:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            record = json.loads(line)  # which knows lone surrogates, infinity and NaN
        row, sample, reply = record["row"], record["sample"], Completion(**record["reply"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return (row, sample, reply) if isinstance(row, str) and isinstance(sample, int) else None
