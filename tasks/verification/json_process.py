"""Child processes that answer each line of JSON with one, a base class for their owners, and a pool of idle owners."""

import atexit
import json
import math
import os
import select
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MAX_ERROR_BYTES = 1000
"""Bytes kept of a child's standard error: the last ones."""


class Timeout(Exception):
    """The child did not answer in time."""


class ProcessDied(Exception):
    """The child ended."""


class JsonProcess:
    """One child process and the pipes to it, for one thread at a time. The caller must `close` it.

    Only the process that started it may use or end it: a fork inherits the object, but the pipes are its parent's.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._unread_bytes = b""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            start_new_session=True,  # a process group of its own, which a Ctrl-C in the terminal does not reach
            env=environment,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative if a signal ended the process; None while it runs."""
        return self._process.poll()

    def ask(self, message: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send a message and return the reply. Raises `Timeout` after `seconds`, or `ProcessDied`."""
        self.send(message)
        return self.receive(seconds)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message. Raises `ProcessDied`. A message longer than a pipe's 4 KiB blocks until the child reads."""
        assert self._process.stdin is not None
        data = memoryview(json.dumps(message).encode() + b"\n")
        try:
            while data:
                data = data[os.write(self._process.stdin.fileno(), data) :]
        except BrokenPipeError:
            raise ProcessDied(self._explain_exit()) from None

    def close(self) -> None:
        """End the child, with whatever it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._stderr):
            assert file is not None
            file.close()

    def receive(self, seconds: float) -> dict[str, Any]:
        """Return the next message. Raises `Timeout` after `seconds`, or `ProcessDied`."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        poller = select.poll()  # `select` fails past 1,024 open files
        poller.register(pipe, select.POLLIN)
        deadline = time.monotonic() + seconds
        while b"\n" not in self._unread_bytes:
            if not poller.poll(max(0, math.ceil((deadline - time.monotonic()) * 1e3))):
                raise Timeout(self._add_errors("it did not answer"))
            if not (chunk := os.read(pipe, 1 << 16)):
                raise ProcessDied(self._explain_exit())
            self._unread_bytes += chunk
        line, _, self._unread_bytes = self._unread_bytes.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _explain_exit(self) -> str:
        code = self._process.wait()
        return self._add_errors(f"it died of {signal.Signals(-code).name}" if code < 0 else f"it exited with {code}")

    def _add_errors(self, cause: str) -> str:
        """The cause, followed by the end of the child's standard error."""
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - MAX_ERROR_BYTES))
        return "; ".join(filter(None, (cause, self._stderr.read().decode(errors="replace").strip())))


class ProcessOwner:
    """Base class of objects that use one `JsonProcess`, in `_child`, and start another when it ends.

    For one thread at a time. The caller must `close` it. `_child` is None while no process runs.
    """

    def __init__(self) -> None:
        self._owner_pid = os.getpid()
        self._child: JsonProcess | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id; None while no child runs."""
        return self._child.pid if self._child else None

    @property
    def is_owned(self) -> bool:
        """Whether this process created the object: a fork inherits it, but must not use it."""
        return self._owner_pid == os.getpid()

    def close(self) -> None:
        """End the child, with whatever it started."""
        child, self._child = self._child, None
        if child and self.is_owned:
            child.close()

    def _close_on_error(self, work: Callable[[], T]) -> T:
        """Run `work`; on any exception end the child, since it may be in the middle of a reply."""
        try:
            return work()
        except BaseException:
            self.close()
            raise


Owner = TypeVar("Owner", bound=ProcessOwner)


class IdlePool(Generic[Owner]):
    """Keeps idle `ProcessOwner`s for reuse, by the settings they were started with. All end with this process.

    If all are in use, `start` creates another, so there are as many as threads that work at the same time.
    """

    def __init__(self, start: Callable[..., Owner]) -> None:
        self._start = start
        self._idle: dict[tuple[Hashable, ...], deque[Owner]] = {}
        atexit.register(self.close)

    @contextmanager
    def lend(self, *settings: Hashable) -> Iterator[Owner]:
        """Lend an owner for the block, to any thread of any process. If the block raises, the owner is closed."""
        idle = self._idle.setdefault(settings, deque())
        try:
            owner = idle.pop()
            while not owner.is_owned:
                owner = idle.pop()
        except IndexError:
            owner = self._start(*settings)
        try:
            yield owner
        except BaseException:
            owner.close()
            raise
        idle.append(owner)

    def close(self) -> None:
        """Close all idle owners."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
