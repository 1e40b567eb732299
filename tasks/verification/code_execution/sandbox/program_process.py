"""Runs inside the fork: isolates the supervisor's copy, then compiles and runs the program in it."""

import builtins
import json
import os
import random
import resource
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.verification.code_execution.sandbox import seccomp_landlock

Job = dict[str, Any]
"""A program to run: `folder`; `deadline` and `cpu` in seconds; `memory` and `output` in bytes."""

PROGRAM_FILE = "solution.py"
NOTES_DESCRIPTOR = 3
"""File descriptor on which a fork reports how its program ended."""
MAX_FILE_BYTES, MAX_OPEN_FILES = 4 << 20, 32
"""Largest file in bytes, and most open files. Files that are removed but open take no more than their product."""
PROCESS_EVENTS = frozenset(
    {
        *("os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.posix_spawn", "os.spawn", "os.system"),
        *("pty.spawn", "signal.pthread_kill", "subprocess.Popen", "_thread.start_new_thread"),
    }
)
"""Python audit events that show why a program was killed."""


def run_program(job: Job, readable: Sequence[str], unsafe: bool, parent_pid: int, pipes: Sequence[int]) -> None:
    """Run the program of `job`. `pipes` are for stdout, stderr and notes. Never returns."""
    seccomp_landlock.die_with_parent(parent_pid)
    os.setsid()
    null_device = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in zip((null_device, *(os.dup(pipe) for pipe in pipes)), range(4), strict=True):
        os.dup2(descriptor, target)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    os.chdir(job["folder"])
    text = Path(PROGRAM_FILE).read_bytes()
    os.unlink(PROGRAM_FILE)
    _set_limits(job)
    missing = seccomp_landlock.restrict(job["folder"], readable)
    if missing and not unsafe:
        _send_note({"open": "; ".join(missing)})
        os._exit(1)
    sys.stdin, sys.stdout, sys.stderr = open(0), _open_stream(1), _open_stream(2)  # noqa: SIM115
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, f"__{name}__", getattr(sys, name))
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]  # as `site` sets them
    random.seed(0)  # the same program prints the same output
    sys.addaudithook(_note_event)
    _send_note({"began": True})
    _run_text(text)


def _open_stream(descriptor: int) -> Any:
    return open(descriptor, "w", encoding="utf-8", errors="backslashreplace")


def _set_limits(job: Job) -> None:
    """Set the limits that the kernel enforces. The memory limit is in addition to the interpreter's memory."""
    interpreter_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for resource_kind, limit in (
        (resource.RLIMIT_AS, interpreter_bytes + job["memory"]),
        (resource.RLIMIT_CPU, job["cpu"]),
        (resource.RLIMIT_FSIZE, MAX_FILE_BYTES),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard_limit = resource.getrlimit(resource_kind)[1]
        limit = limit if hard_limit == resource.RLIM_INFINITY else min(limit, hard_limit)
        resource.setrlimit(resource_kind, (limit, limit))


def _note_event(event: str, _: Any) -> None:
    if event.startswith("socket.") or event in PROCESS_EVENTS:
        _send_note({"tried": "network" if event.startswith("socket.") else "process"})


def _send_note(note: dict[str, Any]) -> None:
    os.write(NOTES_DESCRIPTOR, json.dumps(note).encode() + b"\n")


def _run_text(text: bytes) -> None:
    """Run the program as `python solution.py` would, and report what it raised. Never returns."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv, stdout = [PROGRAM_FILE], sys.stdout
    try:
        exec(compile(text, PROGRAM_FILE, "exec", dont_inherit=True), main.__dict__)
    except SystemExit as error:
        if error.code not in (None, 0):
            _send_note({"raised": "SystemExit"})
    except BaseException as error:
        try:
            _send_note(
                {"raised": type(error).__name__[:100], "errno": error.errno if isinstance(error, OSError) else None}
            )
        except MemoryError:
            os.write(NOTES_DESCRIPTOR, b'{"raised": "MemoryError"}\n')
    if not stdout.closed:
        stdout.flush()
    os._exit(0)
