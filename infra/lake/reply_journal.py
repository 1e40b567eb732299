"""Keeps the replies of a shard on disk as they arrive, so that after a crash almost no reply must be paid for again.

    journal/<key>/<writer>.jsonl            on a local store: one file that grows with each reply
    journal/<key>/<writer>-<n>.jsonl        on any other store: immutable segments

A line holds one sample of one row: `{"row": ..., "sample": ..., "reply": {...}}`. If a line cannot be read, its sample
is requested again.
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
"""Replies to make durable together. An fsync costs 200 us for a single reply, but 5 us for each of 64."""
FLUSH_SECONDS = 2.0
"""Most seconds until a reply is durable, if nothing fails. A power cut loses the replies of this time at most."""
CLOSE_ATTEMPTS = 3
"""How often `close` tries to make the last replies durable."""


class Journal:
    """The replies of one unfinished shard. Any thread may add to it; a forked child must open its own."""

    def __init__(
        self,
        store: Store,
        key: str,
        *,
        flush_replies: int = FLUSH_REPLIES,
        flush_seconds: float = FLUSH_SECONDS,
        sync: Callable[[int], None] = os.fsync,
    ) -> None:
        """Open the journal `key`: a stage's `journal_key`, or the fingerprint of the shard's work. Writes nothing.

        Replies are made durable after `flush_replies` of them, or after `flush_seconds`. On a local store `sync` does
        it.
        """
        self._store, self._key, self._folder = store, key, f"journal/{key}"
        self._flush_replies, self.flush_seconds = flush_replies, flush_seconds
        path = f"{self._folder}/{uuid.uuid4().hex}"
        self._sink = (
            AppendFile(Path(store.locate(f"{path}.jsonl")), sync) if store.is_local else SegmentFiles(store, path)
        )
        self._lock = threading.Lock()
        self._flush_lock = threading.Lock()  # never taken by `add`, because it is held while a disk or server is slow
        self._undurable_count = 0
        """Number of replies that are not durable yet."""
        self._closed = False

    def read_replies(self) -> dict[str, dict[int, Completion]]:
        """Row id -> sample index -> reply, from all writers of this key. Of two replies the first by file name counts.

        On a store that is not local, replies of the last `FLUSH_SECONDS` may be missing.
        """
        replies: dict[str, dict[int, Completion]] = {}
        for _, data in self._store.read_all(self._folder):
            for line in data.split(b"\n"):
                if line and (record := _decode_line(line)):
                    row, sample, reply = record
                    replies.setdefault(row, {}).setdefault(sample, reply)
        return replies

    def add(self, row: str, replies: Mapping[int, Completion]) -> None:
        """Add the replies of `row`, by sample index. On a local store they survive a crash of the process from now on.

        Does not wait for disk or network. Writes that fail are tried again, and `close` raises if they still fail.
        Raises `ValueError` if the journal is closed.
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
        """Make everything added so far durable. Raises the error if that fails. Does nothing once closed."""
        with self._flush_lock:
            if not self._closed:
                self._flush()

    def close(self) -> None:
        """Make everything durable. Raises `QuestmillError` if that fails `CLOSE_ATTEMPTS` times. May be called
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
                            f"{root_cause(error)}; they will be requested again"
                        ) from error
                    time.sleep(self.flush_seconds / 4)
        finally:
            self._unregister()

    def remove(self) -> None:
        """Close the journal and delete all files of this key, from all writers. Call it once the receipt is written."""
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
        with self._flush_lock:  # waits for a flush in progress
            self._sink.close()


def _encode_line(row: str, sample: int, reply: Completion) -> bytes:
    record = {"row": row, "sample": sample, "reply": reply.__dict__}
    if reply.logprobs is None or math.isfinite(sum(reply.logprobs)):  # orjson would write null for infinity and NaN
        with contextlib.suppress(orjson.JSONEncodeError):  # a lone surrogate
            return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    return json.dumps(record).encode() + b"\n"


def _decode_line(line: bytes) -> tuple[str, int, Completion] | None:
    """Row id, sample index and reply; None if the line is torn or damaged."""
    try:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            record = json.loads(line)  # reads lone surrogates, infinity and NaN, which orjson does not
        row, sample, reply = record["row"], record["sample"], Completion(**record["reply"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return (row, sample, reply) if isinstance(row, str) and isinstance(sample, int) else None
