"""A Dask cluster that somebody else has started: a scheduler and workers, by Dask's own commands."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """A scheduler that somebody else has started; its address."""
    with running(["dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"], tmp_path / "scheduler"):
        log = tmp_path / "scheduler"
        until(lambda: re.search(r"Scheduler at: +tcp://\S+", log.read_text()))
        address = re.search(r"Scheduler at: +(tcp://\S+)", log.read_text())
        assert address is not None
        yield address[1]


@contextmanager
def running(words: list[str], log: Path) -> Iterator[None]:
    """A command of Dask's; its output goes to a file, and it is ended by its number."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DASK_")}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    env["PYTHONPATH"] = f"{ROOT}:{Path(__file__).parent}"  # of what this file asks workers
    with log.open("wb") as file:
        process = subprocess.Popen(["env", *words], stdout=file, stderr=file, env=env, cwd=log.parent)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def until(what: Callable[[], object]) -> None:
    """Return as soon as `what()` is true."""
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)
