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

HERE = Path(__file__).parents[1]
"""The benchmarks."""
ROOT = HERE.parents[1]
PACKAGES = ("prefect", "distributed", "pyarrow", "duckdb", "math-verify", "ctranslate2")


@dataclasses.dataclass(frozen=True)
class Figure:
    """One measured value of a benchmark."""

    id: str
    """What is measured, e.g. `recall`; kept with the benchmark before it: `near_duplicates.recall`."""
    value: float | str
    unit: str
    target: str
    """The bound that the value should keep, e.g. `<= 60`; empty where the figure is only reported."""
    note: str = ""


def context() -> dict[str, Any]:
    """The machine and the versions that a figure was measured with."""
    installed = {one.name for one in importlib.metadata.distributions()}
    versions = {name: importlib.metadata.version(name) for name in PACKAGES if name in installed}
    load = round(os.getloadavg()[0], 1)
    return {"python": platform.python_version(), "cores": len(os.sched_getaffinity(0)), "load": load, **versions}


def keep(figures: Iterable[Figure], where: dict[str, Any], folder: Path = HERE) -> None:
    """Replace the kept values of `figures`, and render all of them; the former id of a figure stays in `was`."""
    results = folder / "results.json"
    kept = {row["id"]: row for row in (json.loads(results.read_text()) if results.exists() else [])}
    for figure in figures:
        was = {name: kept[figure.id][name] for name in ("was",) if name in kept.get(figure.id, {})}
        kept[figure.id] = {**dataclasses.asdict(figure), **was, "context": where}
    rows = sorted(kept.values(), key=lambda row: row["id"])
    results.write_text(json.dumps(rows, indent=1) + "\n")
    (folder / "RESULTS.md").write_text(render(rows))


def render(rows: list[dict[str, Any]]) -> str:
    """The figures as a table for people, and below it the ids that figures had before."""
    lines = [
        "# Measured",
        "",
        "Written by `make bench`; `load` is the machine's load when the benchmark began. Newest value of each figure.",
        "An id begins with its benchmark: `make bench ONLY=near_duplicates` measures `near_duplicates.recall`.",
        "A value should reach its target; a figure without one is only reported.",
        "",
        "| figure | value | target | cores | load | note |",
        "|---|--:|---|--:|--:|---|",
    ]
    for row in rows:
        value = f"{row['value']:,}" if isinstance(row["value"], int | float) else row["value"]
        where = row["context"]
        cells = [row["id"], f"{value} {row['unit']}", row["target"], where["cores"], where["load"], row["note"]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += [
        "",
        "## Was and is",
        "",
        "The ids that figures had when benchmarks were named by letters.",
        "",
        "| was | is |",
        "|---|---|",
    ]
    lines += sorted(f"| `{row['was']}` | `{row['id']}` |" for row in rows if "was" in row)
    return "\n".join(lines) + "\n"


def questmill(*arguments: str) -> str:
    """What the command prints, on both streams; raises where it fails."""
    command = [sys.executable, "-m", "flows", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout
