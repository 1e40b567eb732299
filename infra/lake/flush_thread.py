"""The one thread of a process that makes journals durable, in time and at the end of the process."""

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
    """What the thread sees of a journal."""

    flush_seconds: float

    def flush(self) -> None:
        """Make durable what was added so far, or raise what stands in the way."""


class FlushThread:
    """The one thread of a process that makes replies durable. It ends when no journal is open."""

    def __init__(self, process: int) -> None:
        self._owner_pid = process
        self._condition = threading.Condition()
        self._due: dict[Flushable, float] = {}
        """Open journals, and when each must be flushed: seconds of the monotonic clock, or infinity."""
        self._thread: threading.Thread | None = None
        # Once the process ends, a client of an object store can resolve no name any more: its threads are gone before
        # `atexit` comes. What is added after the first of the two is seen to by the second.
        getattr(threading, "_register_atexit", atexit.register)(self._flush_at_exit)
        atexit.register(self._flush_at_exit)

    def schedule(self, journal: Flushable, within: float) -> None:
        """Let `journal` be flushed `within` seconds from now."""
        with self._condition:
            self._due[journal] = min(self._due.get(journal, math.inf), time.monotonic() + within)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="questmill-journal", daemon=True)
                with contextlib.suppress(RuntimeError):  # the process is ending: `_flush_at_exit` comes
                    self._thread.start()
            self._condition.notify()

    def forget(self, journal: Flushable) -> None:
        """Forget `journal`."""
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
        """The next journal to flush, once its time has come; None where no journal is open."""
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
        """Keep what can be kept at the end of the process; a forked child leaves its parent's alone."""
        for journal in list(self._due) if os.getpid() == self._owner_pid else []:
            try:
                journal.flush()
            except Exception as error:
                logging.getLogger(__name__).warning("a journal could not be kept: %s", root_cause(error))


@functools.cache
def flush_thread(process: int) -> FlushThread:
    """Of this process: a fork copies no thread, and locks as they were."""
    return FlushThread(process)
