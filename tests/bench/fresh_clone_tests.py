"""Wall time of `make test` on a fresh clone, set-up included."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.support.results import ROOT, Figure


def measure() -> Iterator[Figure]:
    """Minutes from `git clone` to the last test; the clone sees the same `../shared/data` as this checkout."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        if (ROOT.parent / "shared").exists():
            Path(folder, "shared").symlink_to(ROOT.parent / "shared")
        outside = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        started = time.monotonic()
        done = subprocess.run(["make", "test"], cwd=clone, env=outside, capture_output=True, text=True, check=False)
        minutes = (time.monotonic() - started) / 60
        last = (done.stdout.strip().splitlines() or [done.stderr.strip()])[-1]
    yield Figure("wall_time", round(minutes, 2), "min", "<= 6", f"exit {done.returncode}: {last}")
