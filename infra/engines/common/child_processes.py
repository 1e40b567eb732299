"""Manages the processes that an engine starts: they end with the worker, and dump their stacks on request."""

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

OWNER_VARIABLE = "QUESTMILL_ENGINE_OWNER"
"""Environment variable that holds the id of the process that started the engine's processes."""
SHUTDOWN_SECONDS = 20.0
"""Seconds that an engine has to end by itself; one on several GPUs needs some of them to leave its process group."""
STACK_DUMP_SECONDS = 1.0
"""Seconds that all processes together have to write their stacks."""
# Also in tasks/verification/code_execution/sandbox/seccomp_landlock.py: neither may import the other.
PR_SET_PDEATHSIG = 1


def mark_owner() -> None:
    """Tie the engine processes that this process starts from now on to its own life."""
    os.environ[OWNER_VARIABLE] = str(os.getpid())


def die_with_parent() -> None:
    """Make this process end with its parent, even if that is killed, and write all its stacks on SIGUSR2.

    vLLM calls this in each of its processes, as a plugin (`vllm.general_plugins` in pyproject.toml). Otherwise an
    engine whose parent was killed would wait for requests forever and keep its GPU. Does nothing in other processes.
    """
    owner = os.environ.get(OWNER_VARIABLE, "")
    if not owner or owner == str(os.getpid()) or sys.platform != "linux":
        return
    # A kernel signal rather than a watching thread, because it also ends a process that hangs.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        os._exit(1)  # the parent ended before the signal was set
    faulthandler.register(signal.SIGUSR2, file=_open_dump(owner), all_threads=True)


def process_tree(children: Iterable[Any]) -> list[Any]:
    """Return the children that still run, and all their descendants, as objects that stay valid if an id is reused."""
    tree: list[Any] = []
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(child.pid)
            tree += [root, *root.children(recursive=True)]
    return tree


def kill(processes: Sequence[Any]) -> None:
    """Kill the processes that still run."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def wait_until_gone(processes: Sequence[Any], timeout_seconds: float = SHUTDOWN_SECONDS) -> None:
    """Wait until all have ended, so that their memory is free; kill those that run after `timeout_seconds`."""
    deadline = time.monotonic() + timeout_seconds
    while any(map(_is_alive, processes)):
        if time.monotonic() > deadline:
            kill(processes)
        time.sleep(0.02)
    multiprocessing.active_children()  # reaps those that ended
    dump_file = _dump_path(str(os.getpid()))
    with contextlib.suppress(OSError):
        if not dump_file.stat().st_size:
            dump_file.unlink()


def dump_stacks(message: str, processes: Sequence[Any]) -> Path:
    """Write `message` and the stacks of this process and of `processes` to a file, and return its path."""
    owner = str(os.getpid())
    with _open_dump(owner) as dump_file:
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {message}\n\nthe worker, {owner}:", file=dump_file, flush=True)
        faulthandler.dump_traceback(dump_file, all_threads=True)
        for process in processes:
            print(f"\nprocess {process.pid}, if it can still write its stacks:", file=dump_file, flush=True)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGUSR2)
            time.sleep(STACK_DUMP_SECONDS / len(processes))
    return _dump_path(owner)


def _is_alive(process: Any) -> bool:
    """Check without waiting for the process: `multiprocessing` must be the one that reads its exit code."""
    try:
        return bool(process.is_running()) and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _dump_path(owner: str) -> Path:
    return Path(tempfile.gettempdir(), f"questmill-engine-{owner}.txt")


def _open_dump(owner: str) -> TextIO:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    return os.fdopen(os.open(_dump_path(owner), flags, 0o600), "a")
