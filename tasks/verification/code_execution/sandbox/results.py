"""The limits of programs, and how programs end: turns what the supervisor observed into a reason."""

import errno
import json
import os
import signal
from typing import Any, NamedTuple

from tasks.verification.json_process import ProcessDied

REASONS = ("ok", "no_output", "timeout", "memory", "output", "forbidden", "error")
"""Reasons why a program ended."""


class Limits(NamedTuple):
    """Resources that a program may use."""

    deadline: float = 10.0
    """Seconds of wall time."""
    cpu: int = 5
    """Seconds of CPU time."""
    memory: int = 512 << 20
    """Bytes of address space, in addition to the interpreter's."""
    output: int = 64 << 10
    """Bytes printed, on both streams together."""


class ExecutionResult(NamedTuple):
    """How a program ended: one of `REASONS` with a detail, its output, and the resources that it used."""

    reason: str
    detail: str | None = None
    """For `forbidden`: network, process, file or system call; for `output`: printed or files; for `error`: what was
    raised."""
    printed: str = ""
    """Standard output, at most `Limits.output` bytes."""
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    """Peak memory, including the interpreter's."""
    milliseconds: float = 0.0
    replies: str = ""
    """Lines of JSON that a program sent back which was called, at most `Limits.output` bytes."""


class TestedResult(NamedTuple):
    """How the unit tests ended, and how the program ended that they called."""

    tests: ExecutionResult
    program: ExecutionResult


class SandboxFailure(NamedTuple):
    """A program during which `attempts` supervisors died: a failure of the sandbox, not a result of the program."""

    error: str
    attempts: int


class NotIsolated(Exception):
    """The kernel refused a restriction, so the program was not run."""


def classify(observed: dict[str, Any], limits: Limits) -> ExecutionResult:
    """Classify what the supervisor observed of a program as one of `REASONS`.

    Raises `NotIsolated` or `ProcessDied` if the program was not run. A program can forge its notes: they explain why it
    ended, but never prove that it was isolated.
    """
    notes: dict[str, Any] = {}
    for line in observed["notes"].splitlines():
        try:
            notes |= json.loads(line)
        except (ValueError, TypeError, RecursionError):  # written by the program itself
            continue
    if "open" in notes and "began" not in notes:
        raise NotIsolated(str(notes["open"]))
    if "began" not in notes and not observed["stopped"]:
        raise ProcessDied("its fork ended before the program began")
    reason, detail = _find_reason(observed, notes, limits)
    if reason == "ok" and not observed["printed"].strip():
        reason = "no_output"
    return ExecutionResult(
        *(reason, detail, observed["printed"], observed["cpu"], observed["peak"], observed["milliseconds"]),
        replies=observed["replies"],
    )


def _find_reason(observed: dict[str, Any], notes: dict[str, Any], limits: Limits) -> tuple[str, str | None]:
    if observed["stopped"] == "released":
        return "ok", None
    if stopped := observed["stopped"]:
        return ("timeout", None) if stopped == "timeout" else ("output", "files" if stopped == "files" else "printed")
    code = os.waitstatus_to_exitcode(observed["status"])
    if code == -signal.SIGSYS:
        attempt = notes.get("tried")
        return "forbidden", attempt if attempt in ("network", "process") else "system call"
    if code in (-signal.SIGKILL, -signal.SIGXCPU):  # not ours: CPU time is up, or the machine ran out of memory
        return ("timeout", None) if observed["cpu"] >= limits.cpu - 0.5 else ("memory", None)
    if code < 0:
        return "error", signal.Signals(-code).name
    if code:
        return "error", f"exit code {code}"
    return _classify_exception(str(notes["raised"]), notes.get("errno")) if "raised" in notes else ("ok", None)


def _classify_exception(name: str, number: Any) -> tuple[str, str | None]:
    if name == "MemoryError" or number == errno.ENOMEM:
        return "memory", None
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "forbidden", "file"
    if number == errno.ENOSYS:
        return "forbidden", "system call"
    if number in (errno.EFBIG, errno.ENOSPC, errno.EMFILE):
        return "output", "files"
    return "error", name[:100]
