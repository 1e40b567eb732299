"""One thread in each process that makes journals durable, regularly and at the end of the process."""

import atexit
import contextlib
import functools
import logging
import math
import os
import threading
import time
from typing import Protocol

from infra.lake.file_errors import root_cause


class Flushable(Protocol):
    """The part of a journal that the thread uses."""

    flush_seconds: float
    """Seconds after which a flush that failed is tried again."""

    def flush(self) -> None:
        """Make everything added so far durable. Raises the error if that fails."""


class FlushThread:
    """Flushes the journals of one process in a thread. The thread ends when no journal is open."""

    def __init__(self, process: int) -> None:
        self._owner_pid = process
        self._condition = threading.Condition()
        self._due: dict[Flushable, float] = {}
        """When each open journal must be flushed, in seconds of the monotonic clock; infinity: nothing is due."""
        self._thread: threading.Thread | None = None
        # Two hooks: when `atexit` runs, the threads of an object store's client have ended and it cannot resolve names
        # any more, so the first hook runs before. Replies added after the first hook are flushed by the second.
        getattr(threading, "_register_atexit", atexit.register)(self._flush_at_exit)
        atexit.register(self._flush_at_exit)

    def schedule(self, journal: Flushable, within: float) -> None:
        """Have `journal` flushed `within` seconds from now."""
        with self._condition:
            self._due[journal] = min(self._due.get(journal, math.inf), time.monotonic() + within)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="questmill-journal", daemon=True)
                with contextlib.suppress(RuntimeError):  # the process is ending, and `_flush_at_exit` will run
                    self._thread.start()
            self._condition.notify()

    def forget(self, journal: Flushable) -> None:
        """Stop flushing `journal`, because it is closed."""
        with self._condition:
            if self._due.pop(journal, None) is not None:
                self._condition.notify()

    def _run(self) -> None:
        while journal := self._wait_for_next():
            try:
                journal.flush()
            except Exception:
                with self._condition:
                    if journal in self._due:
                        self._due[journal] = time.monotonic() + journal.flush_seconds

    def _wait_for_next(self) -> Flushable | None:
        """Wait until a journal is due and return it; None if no journal is open."""
        with self._condition:
            while self._due:
                journal, due = min(self._due.items(), key=lambda item: item[1])
                wait = due - time.monotonic()
                if wait <= 0:
                    self._due[journal] = math.inf
                    return journal
                self._condition.wait(None if math.isinf(wait) else wait)
            self._thread = None
            return None

    def _flush_at_exit(self) -> None:
        """Flush all journals at the end of the process. A forked child leaves those of its parent alone."""
        for journal in list(self._due) if os.getpid() == self._owner_pid else []:
            try:
                journal.flush()
            except Exception as error:
                logging.getLogger(__name__).warning("a journal could not be kept: %s", root_cause(error))


@functools.cache
def flush_thread(process: int) -> FlushThread:
    """The flush thread of this process. A forked child needs its own, because a fork copies locks but no threads."""
    return FlushThread(process)
