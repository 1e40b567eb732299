"""A child process that answers lines of JSON with lines of JSON, and dies rather than hang."""

import json
import math
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any


class Late(Exception):
    """The child did not answer in time."""


class Died(Exception):
    """The child ended."""


class Child:
    """One process and the pipes to it, for one thread at a time; whoever makes one must `close` it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._owner = os.getpid()
        self._unread = b""
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            bufsize=0,
            start_new_session=True,  # a group of its own, deaf to a Ctrl-C in the terminal
            env=environment,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ours(self) -> bool:
        """Whether this process started it: a fork inherits the object, but the pipe is its parent's."""
        return self._owner == os.getpid()

    def ask(self, message: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Its answer to a message of less than a pipe's 4 KiB; raises `Late` after `seconds`, and `Died`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise Died(self._cause()) from None
        return self._answer(seconds)

    def close(self) -> None:
        """End the child, with whatever it started."""
        if not self.ours:
            return
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._complaints):
            assert file is not None
            file.close()

    def _answer(self, seconds: float) -> dict[str, Any]:
        """The next line; with `poll`, as `select` fails past 1,024 open files."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        ready = select.poll()
        ready.register(pipe, select.POLLIN)
        until = time.monotonic() + seconds
        while b"\n" not in self._unread:
            if not ready.poll(max(0, math.ceil((until - time.monotonic()) * 1e3))):
                raise Late("it did not answer")
            if not (chunk := os.read(pipe, 1 << 16)):
                raise Died(self._cause())
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _cause(self) -> str:
        code = self._process.wait()
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip()[-1000:]
        cause = f"it died of {signal.Signals(-code).name}" if code < 0 else f"it exited with {code}"
        return "; ".join(filter(None, (cause, said)))
