"""Processes that an engine starts: they end with the worker whatever ends it, and say where they hang when asked."""

import contextlib
import ctypes
import faulthandler
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import psutil

OWNER = "QUESTMILL_ENGINE_OWNER"
"""Environment variable that tells an engine's processes the id of the process that started them."""
GRACE = 20.0
"""Seconds for an engine to end by itself; one that shares GPUs takes some to leave its group."""
SAYING = 1.0
"""Seconds for its processes to write down where they are."""
PR_SET_PDEATHSIG = 1


def own() -> None:
    """From now on, engine processes that this process starts are tied to it."""
    os.environ[OWNER] = str(os.getpid())


def tie() -> None:
    """End with the parent, even with one that was killed; on SIGUSR2 write down all stacks.

    vLLM calls this in each of its processes, as its plugin (`vllm.general_plugins` in pyproject.toml): of itself, an
    engine whose parent was killed waits for requests for ever and keeps its GPU. Does nothing in other processes.
    """
    owner = os.environ.get(OWNER, "")
    if not owner or owner == str(os.getpid()) or sys.platform != "linux":
        return
    # A signal of the kernel rather than a thread that watches: it also ends a process that hangs.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        os._exit(1)  # it ended before it could be watched
    faulthandler.register(signal.SIGUSR2, file=_notes(owner), all_threads=True)


def family(children: Iterable[Any]) -> list[Any]:
    """The children that still run and all their descendants, in a form that no other process of the same id fits."""
    found: list[Any] = []
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(child.pid)
            found += [first, *first.children(recursive=True)]
    return found


def kill(processes: Sequence[Any]) -> None:
    """Kill those that still run."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def bury(processes: Sequence[Any], patience: float = GRACE) -> None:
    """Return when all have ended, and with that given their memory back; after `patience` seconds they are killed."""
    until = time.monotonic() + patience
    while any(map(_lives, processes)):
        if time.monotonic() > until:
            kill(processes)
        time.sleep(0.02)
    multiprocessing.active_children()  # takes note of those that ended
    notes = _path(str(os.getpid()))
    with contextlib.suppress(OSError):
        if not notes.stat().st_size:
            notes.unlink()


def dump(told: str, processes: Sequence[Any]) -> Path:
    """Write `told` and the stacks of this process and of `processes` to a file, which is returned."""
    owner = str(os.getpid())
    with _notes(owner) as notes:
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {told}\n\nthe worker, {owner}:", file=notes, flush=True)
        faulthandler.dump_traceback(notes, all_threads=True)
        for process in processes:
            print(f"\nprocess {process.pid}, where it still can say so:", file=notes, flush=True)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGUSR2)
            time.sleep(SAYING / len(processes))
    return _path(owner)


def _lives(process: Any) -> bool:
    """Not by waiting for it: its exit is for `multiprocessing` to see."""
    try:
        return bool(process.is_running()) and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _path(owner: str) -> Path:
    return Path(tempfile.gettempdir(), f"questmill-engine-{owner}.txt")


def _notes(owner: str) -> TextIO:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    return os.fdopen(os.open(_path(owner), flags, 0o600), "a")
