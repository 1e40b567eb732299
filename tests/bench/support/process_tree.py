"""Runs a command and measures what it and all of its descendants took, also those that it left behind."""

import ctypes
import os
import resource
import subprocess
import threading
import time
from dataclasses import dataclass, field
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
    cpu_by_role: dict[str, float]
    """Seconds of CPU of each kind of process, without what it took after it was last read."""
    peak_rss_by_role: dict[str, float]
    """Most resident memory in MiB of one process of each kind."""

    def require_success(self) -> "TreeCost":
        """Return this. Raises `RuntimeError` with the end of what the command printed if it failed."""
        if self.code:
            raise RuntimeError(f"the command ended with {self.code}: {self.err[-2000:]}")
        return self


@dataclass
class _Readings:
    """What the processes of a tree took, as far as they were read."""

    peak_pss: float = 0.0
    peak_rss: float = 0.0
    cpu: dict[tuple[str, int], float] = field(default_factory=dict)
    """By role and process id."""
    peak_rss_by_role: dict[str, float] = field(default_factory=dict)

    def sum_by_role(self) -> dict[str, float]:
        sums: dict[str, float] = {}
        for (role, _), seconds in self.cpu.items():
            sums[role] = sums.get(role, 0.0) + seconds
        return sums


def run_measured(
    command: list[str], cores: set[int] | None = None, env: dict[str, str] | None = None, cwd: Path | None = None
) -> TreeCost:
    """Run `command` to its end and wait for all of its descendants; `cores` are those that they may use."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    others = {child.pid for child in psutil.Process().children()}
    before, started = _children_cpu(), time.monotonic()
    process = subprocess.Popen(
        command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    if cores is not None:
        os.sched_setaffinity(process.pid, cores)
    ended, readings = threading.Event(), _Readings()
    sampler = threading.Thread(target=_read_tree, args=(process.pid, readings, ended), daemon=True)
    sampler.start()
    out, err = process.communicate()
    wall = time.monotonic() - started
    ended.set()
    sampler.join()
    _reap_orphans(others)
    cpu = _children_cpu() - before
    peaks = (readings.peak_pss, readings.peak_rss)
    return TreeCost(process.returncode, out, err, wall, cpu, *peaks, readings.sum_by_role(), readings.peak_rss_by_role)


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _reap_orphans(others: set[int]) -> None:
    """Wait for what the command left behind; `others` are children of this process that it did not start."""
    mine = {child.pid for child in psutil.Process().children()} - others
    for pid in mine:
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            continue
    if any(psutil.pid_exists(pid) for pid in mine):
        _reap_orphans(others)


def _read_tree(pid: int, readings: _Readings, ended: threading.Event) -> None:
    while not ended.wait(SAMPLE_SECONDS):
        try:
            root = psutil.Process(pid)
            tree = [root, *root.children(recursive=True)]
        except psutil.Error:
            return
        pss = rss = 0
        for process in tree:
            try:
                memory, times = process.memory_full_info(), process.cpu_times()
                role = find_role(process, pid)
                readings.cpu[role, process.pid] = times.user + times.system
                largest = max(readings.peak_rss_by_role.get(role, 0.0), memory.rss / MIB)
                readings.peak_rss_by_role[role] = largest
            except (psutil.Error, OSError):
                continue
            pss, rss = pss + memory.pss, rss + memory.rss
        readings.peak_pss = max(readings.peak_pss, pss / MIB)
        readings.peak_rss = max(readings.peak_rss, rss / MIB)


def find_role(process: psutil.Process, root: int) -> str:
    """What a process of a run's tree does: `driver`, `prefect`, `worker`, or `others`, such as Math-Verify's."""
    if process.pid == root:
        return "driver"
    if any("prefect_server" in word for word in process.cmdline()):
        return "prefect"
    parent = process.parent()
    is_worker = _is_fork_server(process) and parent is not None and _is_fork_server(parent)
    return "worker" if is_worker else "others"


def _is_fork_server(process: psutil.Process) -> bool:
    return any("forkserver" in word for word in process.cmdline())
