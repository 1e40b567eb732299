"""The supervisor process: forks for each program, ends the fork when its time is up, and reports what it observed.

A program gets a fresh interpreter with the libraries already loaded: a fork takes milliseconds, importing sympy a
second. Only its own fork reads the text of a program, so no program can find another in its memory.
"""

import gc
import importlib
import json
import os
import select
import shutil
import signal
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.verification.code_execution.sandbox import program_process
from tasks.verification.code_execution.sandbox.program_process import Job

MAX_NOTE_BYTES, READ_BYTES = 4096, 1 << 16
"""Bytes of notes that are kept, and bytes of one read."""
MAX_FOLDER_BYTES, MAX_FILES = 16 << 20, 256
"""Most bytes and most files in the folder of a program."""
FOLDER_CHECK_SECONDS = 0.1
"""Seconds between two checks of the folder."""
RELEASE_SECONDS = 0.2
"""Seconds that a program has to end by itself after its tests have ended."""
WARM_UP_CODE = {
    "sympy": "from sympy import *; x = Symbol('x'); solve(x**2 - x - 1, x); simplify(sin(x)**2 + cos(x)**2)",
    "duckdb": """
import duckdb
duckdb.prepared = duckdb.connect(":memory:", config={
    "threads": 1, "enable_external_access": "false", "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false", "temp_directory": "",
})
duckdb.prepared.execute("SELECT json_serialize_sql('SELECT 1')").fetchall()
""",
}
"""Code that makes a library load the parts that it imports late, which saves each program 0.1 s. DuckDB reads
`/proc/self/cgroup` when it connects, which a program may not, so a program gets the connection `duckdb.prepared`."""


def serve(readable: Sequence[str], unsafe: bool) -> None:
    """Run jobs from stdin until it closes. Each job and each result is one line of JSON."""
    for line in sys.stdin.buffer:
        _send(_run_job(json.loads(line), readable, unsafe))


def _send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _run_job(job: Job, readable: Sequence[str], unsafe: bool) -> dict[str, Any]:
    """Fork, watch the program, end it and reap it. Returns what `results.classify` needs.

    A job with `tests` has two forks, which are joined by two pipes. It ends when its tests end.
    """
    began = time.monotonic()
    if "tests" not in job:
        collected = [os.pipe()] if job["mode"] == "calls" else []
        fork = Fork(job, readable, unsafe, [None, collected[0][1]] if collected else [], [r for r, _ in collected])
        for _, write in collected:
            os.close(write)
        return fork.end(_watch([fork], began), began)
    (call_read, call_write), (reply_read, reply_write) = os.pipe(), os.pipe()
    program = Fork(job, readable, unsafe, [call_read, reply_write])
    tests = Fork(job["tests"], readable, unsafe, [reply_read, call_write])
    for descriptor in (call_read, call_write, reply_read, reply_write):
        os.close(descriptor)
    stopped = _watch([tests, program], began)
    observed = tests.end(stopped, began)
    is_running = not select.select([program.handle], [], [], RELEASE_SECONDS)[0]
    return {**observed, "program": program.end("released" if is_running and not stopped else stopped, began)}


class Fork:
    """A process that runs one program, and the pipes from it."""

    def __init__(
        self,
        job: Job,
        readable: Sequence[str],
        unsafe: bool,
        channel: Sequence[int | None] = (),
        collected: Sequence[int] = (),
    ) -> None:
        own_pid = os.getpid()
        pipes = [os.pipe() for _ in range(3)]  # stdout, stderr, notes
        self.job, self.pid = job, os.fork()
        if not self.pid:
            try:
                program_process.run_program(job, readable, unsafe, own_pid, [write for _, write in pipes], channel)
            finally:
                os._exit(1)
        for _, write in pipes:
            os.close(write)
        self.handle = os.pidfd_open(self.pid)
        self.pipes = [OutputPipe(read) for read in (*(read for read, _ in pipes), *collected)]

    @property
    def has_printed_too_much(self) -> bool:
        """Whether the program printed more than it may, or sent back more."""
        printed, errors, _, *replies = (len(pipe.data) for pipe in self.pipes)
        return printed + errors > self.job["output"] or any(size > self.job["output"] for size in replies)

    def end(self, stopped: str, began: float) -> dict[str, Any]:
        """Kill the process, reap it, and return what was observed of it."""
        _kill(self.pid)
        _, status, usage = os.wait4(self.pid, 0)
        texts = [pipe.read_rest(self.job["output"], bool(stopped)) for pipe in self.pipes]
        os.close(self.handle)
        printed, _, notes, *replies = texts
        return {
            "stopped": stopped or ("output" if self.has_printed_too_much else ""),
            "status": status,
            "printed": printed[: self.job["output"]].decode(errors="replace"),
            "notes": notes[:MAX_NOTE_BYTES].decode(errors="replace"),
            "replies": b"".join(replies)[: self.job["output"]].decode(errors="replace"),
            "cpu": usage.ru_utime + usage.ru_stime,
            "peak": usage.ru_maxrss << 10,
            "milliseconds": (time.monotonic() - began) * 1e3,
        }


class OutputPipe:
    """Collects what a program writes to a pipe."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor, self.data, self.is_open = descriptor, b"", True

    def read_chunk(self, max_bytes: int) -> bool:
        """Read a chunk; False if there is none. Chunks beyond `max_bytes` bytes are discarded."""
        try:
            chunk = os.read(self.descriptor, READ_BYTES)
        except BlockingIOError:
            return False
        self.is_open = bool(chunk)
        self.data += chunk if len(self.data) <= max_bytes else b""
        return self.is_open

    def read_rest(self, max_bytes: int, skip_unread: bool) -> bytes:
        """All that was written, up to a little more than `max_bytes` bytes; only what was read if `skip_unread`."""
        while not skip_unread and len(self.data) <= max_bytes and self.read_chunk(max_bytes):
            pass
        os.close(self.descriptor)
        return self.data


def _watch(forks: Sequence[Fork], began: float) -> str:
    """Read the output until the first fork ends (returns "") or must be ended (`timeout`, `output`, `files`)."""
    poller = select.poll()
    poller.register(0, 0)  # ready when the parent is gone
    poller.register(forks[0].handle, select.POLLIN)
    pipes = [(fork, pipe) for fork in forks for pipe in fork.pipes]
    for _, pipe in pipes:
        poller.register(pipe.descriptor, select.POLLIN)
    deadline, checked_at = began + forks[0].job["deadline"], began
    while (remaining := deadline - time.monotonic()) > 0:
        ready = {descriptor for descriptor, _ in poller.poll(min(remaining, FOLDER_CHECK_SECONDS) * 1e3)}
        if 0 in ready:
            for fork in forks:
                _kill(fork.pid)
                shutil.rmtree(fork.job["folder"], ignore_errors=True)
            os._exit(1)
        if forks[0].handle in ready:
            return ""
        for fork, pipe in pipes:
            if pipe.descriptor in ready and not pipe.read_chunk(fork.job["output"]) and not pipe.is_open:
                poller.unregister(pipe.descriptor)
        if any(fork.has_printed_too_much for fork in forks):
            return "output"
        if time.monotonic() - checked_at > FOLDER_CHECK_SECONDS:
            if any(_is_full(fork.job["folder"]) for fork in forks):
                return "files"
            checked_at = time.monotonic()
    return "timeout"


def _is_full(folder: str) -> bool:
    size = 0
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            try:
                size += entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
            if size > MAX_FOLDER_BYTES or count >= MAX_FILES:
                return True
    return False


def _kill(pid: int) -> None:
    """Kill the program and, if it could start any, the processes that it left in its group."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def main() -> None:
    """Load the libraries, find the folders that a program must be able to read, and serve."""
    settings = json.loads(sys.stdin.buffer.readline())
    os.environ.clear()
    paths = sysconfig.get_paths()
    standard = [paths["stdlib"], paths["platstdlib"]]
    sys.path = [path for path in sys.path if Path(path).is_relative_to(paths["stdlib"])] + settings["folders"]
    for name in ("decimal", "fractions", "itertools", "math", "statistics", "traceback", *settings["libraries"]):
        importlib.import_module(name)
        exec(WARM_UP_CODE.get(name, ""), {})
    system = [f"{sys.base_prefix}/lib", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo"]
    wanted = [*standard, *settings["folders"], *system, "/etc/ld.so.cache"]
    readable = sorted({os.path.realpath(path) for path in wanted if Path(path).exists()})
    gc.collect()
    gc.freeze()  # garbage collection in a fork would copy every page
    _send({"ready": True})
    serve(readable, settings["unsafe"])


if __name__ == "__main__":
    main()
