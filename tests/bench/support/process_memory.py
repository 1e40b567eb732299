"""The memory and CPU of each kind of process below a command: its driver, its workers, Prefect's server."""

import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.1
MIB = 2**20
KINDS = {"prefect": "prefect server", "uvicorn": "prefect server", "resource_tracker": "other", "mock": "mock server"}
"""The kind of a process by a word of its command line."""


@dataclass
class SampledRun:
    """What a command printed and took. It is the `driver`, and Dask's scheduler is part of it."""

    out: str = ""
    peaks: dict[str, float] = field(default_factory=dict)
    """Most resident memory in MiB by kind of process; of several processes of a kind, the largest counts."""
    cpu: dict[tuple[str, int], float] = field(default_factory=dict)
    """Seconds of CPU by kind and process id, as they were last read."""

    @property
    def cpu_seconds(self) -> float:
        """Seconds of CPU of all processes together."""
        return sum(self.cpu.values())


class _Sampler:
    """Reads the memory and CPU time of a command and its descendants until it is left."""

    def __init__(self, process: "subprocess.Popen[str]", sampled: SampledRun) -> None:
        self.root, self.sampled = psutil.Process(process.pid), sampled
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.thread.join()

    def _sample(self) -> None:
        while not self.ended.wait(SAMPLE_SECONDS):
            try:
                tree = [self.root, *self.root.children(recursive=True)]
            except psutil.Error:
                return
            for process in tree:
                with suppress(psutil.Error):  # it has ended
                    self._read(process)

    def _read(self, process: psutil.Process) -> None:
        kind, rss, times = self._kind(process), process.memory_info().rss / MIB, process.cpu_times()
        self.sampled.peaks[kind] = max(self.sampled.peaks.get(kind, 0.0), rss)
        self.sampled.cpu[kind, process.pid] = times.user + times.system

    def _kind(self, process: psutil.Process) -> str:
        if process.pid == self.root.pid:
            return "driver"
        words = " ".join(process.cmdline())
        if "forkserver" in words:  # workers are forks of the server, under its name
            return "fork server" if process.ppid() == self.root.pid else "worker"
        return next((kind for word, kind in KINDS.items() if word in words), "other")


def run_sampled(command: list[str], cwd: Path) -> SampledRun:
    """Run `command` to its end. Raises `CalledProcessError` where it fails."""
    sampled = SampledRun()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cwd)
    try:
        with _Sampler(process, sampled):
            sampled.out, _ = process.communicate()
    finally:
        process.terminate()  # if this process was interrupted
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, sampled.out)
    return sampled
