"""The memory of each kind of process below a command: its driver, its workers, Prefect's server."""

import subprocess
import threading
from collections.abc import Iterator

import psutil

SAMPLE_SECONDS = 0.1
MIB = 2**20
KINDS = {"prefect": "prefect server", "uvicorn": "prefect server", "resource_tracker": "other", "mock": "mock server"}
"""The kind of a process by a word of its command line."""


class MemoryByKind:
    """Samples the resident memory of a command and its descendants until it is left; `peaks` has MiB by kind.

    Of several processes of a kind, the largest counts. The command itself is the `driver`, and Dask's scheduler is part
    of it.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.root, self.peaks = psutil.Process(process.pid), dict[str, float]()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "MemoryByKind":
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.thread.join()

    def _sample(self) -> None:
        while not self.ended.wait(SAMPLE_SECONDS):
            for kind, rss in self._read():
                self.peaks[kind] = max(self.peaks.get(kind, 0.0), rss / MIB)

    def _read(self) -> Iterator[tuple[str, int]]:
        try:
            tree = [self.root, *self.root.children(recursive=True)]
        except psutil.Error:
            return
        for process in tree:
            try:
                yield self._kind(process), process.memory_info().rss
            except psutil.Error:
                continue

    def _kind(self, process: psutil.Process) -> str:
        if process.pid == self.root.pid:
            return "driver"
        words = " ".join(process.cmdline())
        if "forkserver" in words:  # workers are forks of the server, under its name
            return "fork server" if process.ppid() == self.root.pid else "worker"
        return next((kind for word, kind in KINDS.items() if word in words), "other")


def run_sampled(command: list[str], **options: object) -> tuple[str, dict[str, float]]:
    """Run `command` to its end; returns what it prints and the peaks in MiB by kind of process.

    Raises `CalledProcessError` where it fails.
    """
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]
    with MemoryByKind(process) as memory:
        out, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, out)
    return out, memory.peaks
