"""What a benchmark yields, and the file in which the newest value of each figure is kept."""

import dataclasses
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results.json"
REPORT = HERE / "RESULTS.md"
PACKAGES = ("prefect", "distributed", "pyarrow", "duckdb", "math-verify", "ctranslate2")


@dataclasses.dataclass(frozen=True)
class Figure:
    """One measured value: `spine.b`, or `spine.b.rerun` where a row asks for several."""

    id: str
    value: float | str
    unit: str
    asked: str
    """The bound that was asked for, e.g. `<= 60`; empty where the figure is only reported."""
    note: str = ""


def context() -> dict[str, Any]:
    """The machine and the versions that a figure was measured with."""
    installed = {one.name for one in importlib.metadata.distributions()}
    versions = {name: importlib.metadata.version(name) for name in PACKAGES if name in installed}
    load = round(os.getloadavg()[0], 1)
    return {"python": platform.python_version(), "cores": len(os.sched_getaffinity(0)), "load": load, **versions}


def keep(figures: Iterable[Figure], where: dict[str, Any]) -> None:
    """Replace the kept values of `figures`, and render all of them."""
    kept = {row["id"]: row for row in (json.loads(RESULTS.read_text()) if RESULTS.exists() else [])}
    for figure in figures:
        kept[figure.id] = {**dataclasses.asdict(figure), "context": where}
    rows = sorted(kept.values(), key=lambda row: row["id"])
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    REPORT.write_text(render(rows))


def render(rows: list[dict[str, Any]]) -> str:
    """The figures as a table for people."""
    lines = [
        "# Measured",
        "",
        "Written by `make bench`; `load` is the machine's load when the benchmark began. Newest value of each figure.",
        "",
        "| figure | value | asked | cores | load | note |",
        "|---|--:|---|--:|--:|---|",
    ]
    for row in rows:
        value = f"{row['value']:,}" if isinstance(row["value"], int | float) else row["value"]
        where = row["context"]
        cells = [row["id"], f"{value} {row['unit']}", row["asked"], where["cores"], where["load"], row["note"]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def questmill(*arguments: str) -> str:
    """What the command prints, on both streams; raises where it fails."""
    command = [sys.executable, "-m", "flows", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout
