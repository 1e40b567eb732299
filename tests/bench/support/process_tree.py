"""Runs a command and measures what it and all of its descendants took, also those that it left behind."""

import ctypes
import os
import resource
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36
"""Option of Linux's `prctl`: orphans below this process become its children, so that their CPU time is counted."""
SAMPLE_SECONDS = 0.25
"""Seconds between two readings of the memory."""
MIB = 2**20


@dataclass
class TreeCost:
    """What a command took."""

    code: int
    out: str
    err: str
    wall: float
    """Seconds until the command had ended."""
    cpu: float
    """Seconds of CPU of all processes together."""
    peak_pss: float
    """Most memory at a time, in MiB; a page that several processes share counts once."""
    peak_rss: float
    """The same, in MiB, but every process counts each of its pages."""


def run_measured(
    command: list[str], cores: set[int] | None = None, env: dict[str, str] | None = None, cwd: Path | None = None
) -> TreeCost:
    """Run `command` to its end and wait for all of its descendants; `cores` are those that they may use."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before, started = _children_cpu(), time.monotonic()
    process = subprocess.Popen(
        command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    if cores is not None:
        os.sched_setaffinity(process.pid, cores)
    ended, peaks = threading.Event(), [0.0, 0.0]
    sampler = threading.Thread(target=_sample_memory, args=(process.pid, peaks, ended), daemon=True)
    sampler.start()
    out, err = process.communicate()
    wall = time.monotonic() - started
    ended.set()
    sampler.join()
    _reap_orphans()
    return TreeCost(process.returncode, out, err, wall, _children_cpu() - before, *peaks)


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _reap_orphans() -> None:
    """Wait for what the command left behind. Other children of this process must have ended before."""
    mine = {child.pid for child in psutil.Process().children() if child.name() != "mock-server"}
    for pid in mine:
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            continue
    if any(psutil.pid_exists(pid) for pid in mine):
        _reap_orphans()


def _sample_memory(pid: int, peaks: list[float], ended: threading.Event) -> None:
    while not ended.wait(SAMPLE_SECONDS):
        try:
            root = psutil.Process(pid)
            tree = [root, *root.children(recursive=True)]
        except psutil.Error:
            return
        pss = rss = 0
        for process in tree:
            try:
                memory = process.memory_full_info()
            except (psutil.Error, OSError):
                continue
            pss, rss = pss + memory.pss, rss + memory.rss
        peaks[:] = max(peaks[0], pss / MIB), max(peaks[1], rss / MIB)
