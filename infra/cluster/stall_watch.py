"""Notices calls on a worker that make no progress, whatever the cause, and tells the run what every thread is doing.

A thread of the worker looks at its calls. If no thread can run any more, because one holds the interpreter lock, the
interpreter itself writes the stacks to the worker's error output: `faulthandler` needs no lock.
"""

import faulthandler
import math
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import distributed

TOPIC = "questmill-stalls"
"""Topic of Dask under which workers tell of stalls."""
LOOKS_PER_LIMIT = 10
"""How often the thread looks at its calls within the limit."""
MAX_LOOK_SECONDS = 10.0
MAX_LOCKED_SECONDS = 120.0
"""Most seconds without a look after which the interpreter writes the stacks by itself: Dask replaces a worker whose
interpreter is locked for five minutes, and its calls are made again."""
MAX_STACK_CHARACTERS = 100_000
"""Most characters of stacks that are sent to the run."""


class Stall(NamedTuple):
    """A call that makes no progress."""

    step: str
    """Label of the step."""
    shard: int
    """Number of the shard in the step, from 0."""
    seconds: float
    """Seconds since it last made progress."""
    host: str
    pid: int
    stacks: str
    """What every thread of the process is doing, the innermost call first."""

    def describe(self) -> str:
        """Say in one line which shard stalls and where."""
        return (
            f"step {self.step}, shard {self.shard + 1:,}: no progress for {self.seconds:,.0f} s "
            f"in process {self.pid} on {self.host}"
        )


@dataclass(eq=False)
class _Call:
    step: str
    shard: int
    limit: float
    """Seconds without progress after which the call stalls."""
    report: Callable[[Stall], None]
    progress_at: float = field(default_factory=time.monotonic)
    """When it last made progress."""
    reports: int = 0
    """How often it was reported since then. Each time it must stall twice as long as before."""

    def is_due(self, now: float) -> bool:
        return now - self.progress_at >= math.ldexp(self.limit, self.reports)


class StallWatch:
    """Watches the calls of this process. Thread-safe."""

    def __init__(self) -> None:
        self.current = threading.local()
        self.calls: set[_Call] = set()
        self.changed = threading.Condition()
        self.pid = 0
        """The process that the thread which looks runs in: a fork has none."""

    @contextmanager
    def watch(self, step: str, shard: int, limit: float, report: Callable[[Stall], None]) -> Iterator[None]:
        """Watch what this thread does inside `with`; after `limit` seconds without progress, report it."""
        call = _Call(step, shard, limit, report)
        with self.changed:
            if self.pid != os.getpid():
                self.pid, self.calls = os.getpid(), set()
                threading.Thread(target=self._run, name="stall watch", daemon=True).start()
            self.calls.add(call)
            self.changed.notify()
        self.current.call = call
        try:
            yield
        finally:
            self.current.call = None
            with self.changed:
                self.calls.discard(call)

    def note_progress(self) -> None:
        """Note that the call of this thread has made progress: a row is done, or a reply is there."""
        if (call := getattr(self.current, "call", None)) is not None:
            call.progress_at, call.reports = time.monotonic(), 0

    def _run(self) -> None:
        while True:
            with self.changed:
                while not self.calls:
                    faulthandler.cancel_dump_traceback_later()
                    self.changed.wait()
                now, limit = time.monotonic(), min(call.limit for call in self.calls)
                due = [call for call in self.calls if call.is_due(now)]
                for call in due:
                    call.reports += 1
            _write_stacks_after(min(limit, MAX_LOCKED_SECONDS))
            for call in due:
                stacks = read_stacks()[:MAX_STACK_CHARACTERS]
                call.report(
                    Stall(call.step, call.shard, now - call.progress_at, socket.gethostname(), os.getpid(), stacks)
                )
            time.sleep(min(limit / LOOKS_PER_LIMIT, MAX_LOOK_SECONDS))


WATCH = StallWatch()
"""The watch of this process."""


def read_stacks() -> str:
    """What every thread of this process is doing."""
    with tempfile.TemporaryFile("w+") as file:  # `faulthandler` writes to a file of the system only
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read()


def _write_stacks_after(seconds: float) -> None:
    """Have the interpreter write the stacks to the error output unless this is called again within `seconds`."""
    if sys.__stderr__ is not None:
        faulthandler.dump_traceback_later(seconds, file=sys.__stderr__)


@contextmanager
def watch_task(step: str, limit: float) -> Iterator[None]:
    """Watch the Dask task of this thread, and tell the run of stalls. The task's key holds the number of its shard."""
    if not limit:
        yield
        return
    from distributed import get_worker  # late: a run with nothing to do needs no Dask

    worker = get_worker()
    key = worker.get_current_task()
    shard = key[1] if isinstance(key, tuple) else 0
    with WATCH.watch(step, shard, limit, lambda stall: worker.log_event(TOPIC, {"stall": stall})):
        yield


def subscribe(client: "distributed.Client", on_stall: Callable[[Stall], None]) -> None:
    """Call `on_stall` for every stall on the cluster, in a thread of the client's."""

    def pass_on(event: tuple[float, dict[str, Any]]) -> None:
        on_stall(Stall(*event[1]["stall"]))

    client.subscribe_topic(TOPIC, pass_on)
