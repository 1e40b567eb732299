"""Inside the fork: turns the warden into the program, shut in before its text is as much as compiled."""

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
"""folder; deadline and cpu in seconds; memory and output in bytes."""

SOLUTION = "solution.py"
NOTES = 3
"""File descriptor on which a fork says how its program ended."""
FILE, OPEN = 4 << 20, 32
"""Bytes of a file, and open files: what is removed but open takes no more than their product."""
PROCESSES = frozenset(
    {
        *("os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.posix_spawn", "os.spawn", "os.system"),
        *("pty.spawn", "signal.pthread_kill", "subprocess.Popen", "_thread.start_new_thread"),
    }
)
"""Audit events of Python that tell what a program was killed for."""


def become(job: Job, readable: Sequence[str], unsafe: bool, warden: int, pipes: Sequence[int]) -> None:
    """Run the program of `job`, whose pipes are stdout, stderr and notes. Never returns."""
    seccomp_landlock.end_with(warden)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in zip((nothing, *(os.dup(pipe) for pipe in pipes)), range(4), strict=True):
        os.dup2(descriptor, target)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    os.chdir(job["folder"])
    text = Path(SOLUTION).read_bytes()
    os.unlink(SOLUTION)
    _limit(job)
    missing = seccomp_landlock.shut(job["folder"], readable)
    if missing and not unsafe:
        _note({"open": "; ".join(missing)})
        os._exit(1)
    sys.stdin, sys.stdout, sys.stderr = open(0), _stream(1), _stream(2)  # noqa: SIM115
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, f"__{name}__", getattr(sys, name))
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]  # as `site` would have it
    random.seed(0)  # the same program prints the same
    sys.addaudithook(_audit)
    _note({"began": True})
    _execute(text)


def _stream(descriptor: int) -> Any:
    return open(descriptor, "w", encoding="utf-8", errors="backslashreplace")


def _limit(job: Job) -> None:
    """What the kernel holds by itself. Memory is counted on top of what the interpreter takes."""
    own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for which, most in (
        (resource.RLIMIT_AS, own + job["memory"]),
        (resource.RLIMIT_CPU, job["cpu"]),
        (resource.RLIMIT_FSIZE, FILE),
        (resource.RLIMIT_NOFILE, OPEN),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(which)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (most, most))


def _audit(event: str, _: Any) -> None:
    if event.startswith("socket.") or event in PROCESSES:
        _note({"tried": "network" if event.startswith("socket.") else "process"})


def _note(note: dict[str, Any]) -> None:
    os.write(NOTES, json.dumps(note).encode() + b"\n")


def _execute(text: bytes) -> None:
    """Run the program as `python solution.py` would, and say what it raised. Never returns."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv, printed = [SOLUTION], sys.stdout
    try:
        exec(compile(text, SOLUTION, "exec", dont_inherit=True), main.__dict__)
    except SystemExit as error:
        if error.code not in (None, 0):
            _note({"raised": "SystemExit"})
    except BaseException as error:
        try:
            _note({"raised": type(error).__name__[:100], "errno": error.errno if isinstance(error, OSError) else None})
        except MemoryError:
            os.write(NOTES, b'{"raised": "MemoryError"}\n')
    if not printed.closed:
        printed.flush()
    os._exit(0)
