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


class Timeout(Exception):
    """The child did not answer in time."""


class ProcessDied(Exception):
    """The child ended."""


class JsonProcess:
    """One process and the pipes to it, for one thread at a time; whoever makes one must `close` it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._owner_pid = os.getpid()
        self._unread_bytes = b""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            start_new_session=True,  # a group of its own, deaf to a Ctrl-C in the terminal
            env=environment,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_owned(self) -> bool:
        """Whether this process started it: a fork inherits the object, but the pipe is its parent's."""
        return self._owner_pid == os.getpid()

    def ask(self, message: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Its answer to a message of less than a pipe's 4 KiB; raises `Timeout` after `seconds`, and `ProcessDied`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise ProcessDied(self._explain_exit()) from None
        return self._read_reply(seconds)

    def close(self) -> None:
        """End the child, with whatever it started."""
        if not self.is_owned:
            return
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._stderr):
            assert file is not None
            file.close()

    def _read_reply(self, seconds: float) -> dict[str, Any]:
        """The next line; with `poll`, as `select` fails past 1,024 open files."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        poller = select.poll()
        poller.register(pipe, select.POLLIN)
        deadline = time.monotonic() + seconds
        while b"\n" not in self._unread_bytes:
            if not poller.poll(max(0, math.ceil((deadline - time.monotonic()) * 1e3))):
                raise Timeout("it did not answer")
            if not (chunk := os.read(pipe, 1 << 16)):
                raise ProcessDied(self._explain_exit())
            self._unread_bytes += chunk
        line, _, self._unread_bytes = self._unread_bytes.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _explain_exit(self) -> str:
        code = self._process.wait()
        self._stderr.seek(0)
        stderr = self._stderr.read().decode(errors="replace").strip()[-1000:]
        cause = f"it died of {signal.Signals(-code).name}" if code < 0 else f"it exited with {code}"
        return "; ".join(filter(None, (cause, stderr)))
