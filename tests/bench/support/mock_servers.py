"""What the benchmarks of the window share: a stub server in a process of its own, and workers that ask it."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import infra  # noqa: F401 - sets what a worker inherits from the command that starts it
from tests.bench.support.results import ROOT


class Served:
    """A stub that runs."""

    def __init__(self, url: str, pid: int) -> None:
        self.url, self.pid = url, pid

    def counts(self) -> dict[str, Any]:
        """See `infra.mock_server.counters.CounterSnapshot`."""
        with urllib.request.urlopen(f"{self.url}/counts") as reply:
            return dict(json.load(reply))

    def reset(self) -> None:
        """Count from nothing."""
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/reset", method="POST")).close()


@contextmanager
def served(core: int | None = None, **behaviour: Any) -> Iterator[Served]:
    """`questmill mock-server` with this behaviour, on one core if one is given."""
    flags = [word for name, value in behaviour.items() for word in (f"--{name}", str(value))]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", "mock-server", *flags], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    try:
        assert process.stdout is not None
        yield Served(process.stdout.readline().split()[-1], process.pid)
    finally:
        process.terminate()
        process.communicate()


def begin(**job: Any) -> "subprocess.Popen[str]":
    """Start a worker; see `tests.bench.support.request_worker.Job`."""
    command = [sys.executable, "-m", "tests.bench.support.request_worker", json.dumps(job)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def asked(**job: Any) -> dict[str, Any]:
    """What a worker that asks to its end has to tell."""
    out, _ = (process := begin(**job)).communicate()
    if process.returncode:
        raise RuntimeError(f"the worker failed with {process.returncode}")
    return dict(json.loads(out))
