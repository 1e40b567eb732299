"""Runs inside the fork: isolates the supervisor's copy, then compiles and runs the program in it."""

import builtins
import fcntl
import json
import os
import random
import resource
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.verification.code_execution.sandbox import arithmetic, call_server, guard, seccomp_landlock, test_runner

Job = dict[str, Any]
"""A program to run: `folder`; `mode`; `deadline` and `cpu` in seconds; `memory` and `output` in bytes. A job of mode
`calls` may have another job, of mode `tests`, which makes the calls."""

PROGRAM_FILE, INPUT_FILE = "solution.py", "questmill-input"
"""Files of the program and of its input, which are removed before the program runs."""
MODES = ("script", "calls", "tests")
"""How a program runs: as `python solution.py` would run it; as a module whose functions `call_server` calls; or as unit
tests, by `test_runner`."""
NOTES_DESCRIPTOR = 3
"""File descriptor on which a fork reports how its program ended."""
CHANNEL = (4, 5)
"""File descriptors on which a fork in mode `calls` or `tests` reads and writes."""
FREE_DESCRIPTOR = 64
"""Descriptors from here on are in no one's way while the others are put in their places."""
MAX_FILE_BYTES, MAX_OPEN_FILES = 4 << 20, 32
"""Largest file in bytes, and most open files. Files that are removed but open take no more than their product."""
PROCESS_EVENTS = frozenset(
    {
        *("os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.posix_spawn", "os.spawn", "os.system"),
        *("pty.spawn", "signal.pthread_kill", "subprocess.Popen", "_thread.start_new_thread"),
    }
)
"""Python audit events that show why a program was killed."""


def run_program(
    job: Job,
    readable: Sequence[str],
    unsafe: bool,
    parent_pid: int,
    pipes: Sequence[int],
    channel: Sequence[int | None] = (),
) -> None:
    """Run the program of `job`. Never returns.

    `pipes` are for stdout, stderr and notes. `channel` is for reading and writing calls; the program's input takes the
    place of None.
    """
    seccomp_landlock.die_with_parent(parent_pid)
    os.setsid()
    os.chdir(job["folder"])
    source = os.open(INPUT_FILE if Path(INPUT_FILE).exists() else os.devnull, os.O_RDONLY)
    null_device = os.open(os.devnull, os.O_RDONLY)
    stdin = null_device if channel else source
    _place_descriptors([stdin, *pipes, *(source if descriptor is None else descriptor for descriptor in channel)])
    text = Path(PROGRAM_FILE).read_bytes()
    for name in (PROGRAM_FILE, INPUT_FILE):
        Path(name).unlink(missing_ok=True)
    if job["files"]:
        sys.path.insert(0, job["folder"])
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
    if job["guarded"]:
        builtins.calculate = arithmetic.calculate  # type: ignore[attr-defined]
        sys.addaudithook(guard.refuse_evaluation)
    _send_note({"began": True})
    if job["mode"] == "calls":
        call_server.serve_calls(text, PROGRAM_FILE, *CHANNEL)
    if job["mode"] == "tests":
        test_runner.run_tests(text, *CHANNEL)
    _run_text(text)


def _place_descriptors(descriptors: Sequence[int]) -> None:
    """Make these descriptors 0, 1, 2 and so on, and close all others."""
    copies = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, FREE_DESCRIPTOR) for descriptor in descriptors]
    for target, descriptor in enumerate(copies):
        os.dup2(descriptor, target)
    os.closerange(len(copies), os.sysconf("SC_OPEN_MAX"))


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
