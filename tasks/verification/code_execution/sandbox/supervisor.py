"""The process that runs programs: it forks for each, ends the fork when its time is up, and tells what was seen.

A program gets a fresh interpreter in which the libraries are loaded already: a fork costs milliseconds, an import of
sympy a second. The text of a program is read by its own fork alone, so no program finds another one in its memory.
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

NOTED, CHUNK = 4096, 1 << 16
"""Bytes of notes that are kept, and of one read."""
FOLDER, FILES = 16 << 20, 256
"""Bytes in the folder of a program, and files."""
TICK = 0.1
"""Seconds between two looks at the folder."""
WARM = {"sympy": "from sympy import *; x = Symbol('x'); solve(x**2 - x - 1, x); simplify(sin(x)**2 + cos(x)**2)"}
"""What has a library load the parts that it imports late: each program saves 0.1 s."""


def serve(readable: Sequence[str], unsafe: bool) -> None:
    """Answer jobs from stdin, one line of JSON each way, until it closes."""
    for line in sys.stdin.buffer:
        _say(_run(json.loads(line), readable, unsafe))


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _run(job: Job, readable: Sequence[str], unsafe: bool) -> dict[str, Any]:
    """Fork, watch, end and bury; what was seen is for `endings.judge`."""
    began, warden = time.monotonic(), os.getpid()
    pipes = [os.pipe() for _ in range(3)]  # stdout, stderr, notes
    pid = os.fork()
    if not pid:
        try:
            program_process.become(job, readable, unsafe, warden, [write for _, write in pipes])
        finally:
            os._exit(1)
    for _, write in pipes:
        os.close(write)
    handle, reading = os.pidfd_open(pid), [Pipe(read) for read, _ in pipes]
    stopped = _watch(job, began, pid, handle, reading)
    _kill(pid)
    _, status, usage = os.wait4(pid, 0)
    printed, complaints, notes = (pipe.rest(job["output"], bool(stopped)) for pipe in reading)
    os.close(handle)
    return {
        "stopped": stopped or ("output" if len(printed) + len(complaints) > job["output"] else ""),
        "status": status,
        "printed": printed[: job["output"]].decode(errors="replace"),
        "notes": notes[:NOTED].decode(errors="replace"),
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss << 10,
        "milliseconds": (time.monotonic() - began) * 1e3,
    }


class Pipe:
    """What a program writes, from its end of a pipe."""

    def __init__(self, read: int) -> None:
        os.set_blocking(read, False)
        self.read, self.text, self.open = read, b"", True

    def take(self, most: int) -> bool:
        """Read a chunk, false where there is none; past `most` bytes it is lost."""
        try:
            chunk = os.read(self.read, CHUNK)
        except BlockingIOError:
            return False
        self.open = bool(chunk)
        self.text += chunk if len(self.text) <= most else b""
        return self.open

    def rest(self, most: int, enough: bool) -> bytes:
        """All that was written up to some more than `most` bytes; or what was read, if that is `enough`."""
        while not enough and len(self.text) <= most and self.take(most):
            pass
        os.close(self.read)
        return self.text


def _watch(job: Job, began: float, pid: int, handle: int, pipes: Sequence[Pipe]) -> str:
    """Read what is printed until the program ends, or must be ended: returns for what, `timeout`, `output`, `files`."""
    waiting = select.poll()
    waiting.register(0, 0)  # ready when the one who asks is gone
    for descriptor in (handle, *(pipe.read for pipe in pipes)):
        waiting.register(descriptor, select.POLLIN)
    until, looked = began + job["deadline"], began
    while (left := until - time.monotonic()) > 0:
        ready = {descriptor for descriptor, _ in waiting.poll(min(left, TICK) * 1e3)}
        if 0 in ready:
            _kill(pid)
            shutil.rmtree(job["folder"], ignore_errors=True)
            os._exit(1)
        if handle in ready:
            return ""
        for pipe in pipes:
            if pipe.read in ready and not pipe.take(job["output"]) and not pipe.open:
                waiting.unregister(pipe.read)
        if len(pipes[0].text) + len(pipes[1].text) > job["output"]:
            return "output"
        if time.monotonic() - looked > TICK:
            if _full(job["folder"]):
                return "files"
            looked = time.monotonic()
    return "timeout"


def _full(folder: str) -> bool:
    size = 0
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            try:
                size += entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
            if size > FOLDER or count >= FILES:
                return True
    return False


def _kill(pid: int) -> None:
    """The program and, where they could not be prevented, the processes that it left in its group."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def main() -> None:
    """Load the libraries, find what a program must be able to read, serve."""
    settings = json.loads(sys.stdin.buffer.readline())
    os.environ.clear()
    paths = sysconfig.get_paths()
    standard = [paths["stdlib"], paths["platstdlib"]]
    sys.path = [path for path in sys.path if Path(path).is_relative_to(paths["stdlib"])] + settings["folders"]
    for name in ("decimal", "fractions", "itertools", "math", "statistics", "traceback", *settings["libraries"]):
        importlib.import_module(name)
        exec(WARM.get(name, ""), {})
    system = [f"{sys.base_prefix}/lib", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo"]
    wanted = [*standard, *settings["folders"], *system, "/etc/ld.so.cache"]
    readable = sorted({os.path.realpath(path) for path in wanted if Path(path).exists()})
    gc.collect()
    gc.freeze()  # a fork that looks for garbage would copy every page
    _say({"ready": True})
    serve(readable, settings["unsafe"])


if __name__ == "__main__":
    main()
