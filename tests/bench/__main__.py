"""`python -m tests.bench [NAME]`: run all benchmarks, or those whose name begins so, and keep their figures.

A benchmark is a module of this folder with a function `measure`; `support/` holds what they share.
"""

import dataclasses
import importlib
import sys
from pathlib import Path

from tests.bench.support.results import context, keep


def list_benchmarks() -> list[str]:
    """The names of all benchmarks, sorted."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def select_benchmarks(only: str) -> list[str]:
    """Benchmarks whose name begins with `only`, or the one that measures the figure of this id."""
    return [name for name in list_benchmarks() if name.startswith(only) or only.startswith(f"{name}.")]


def main(only: str = "") -> int:
    """Run the benchmarks; returns 1 where `only` names none."""
    selected = select_benchmarks(only)
    for name in selected:
        where = context()
        figures = []
        for measured in importlib.import_module(f"tests.bench.{name}").measure():
            figure = dataclasses.replace(measured, id=f"{name}.{measured.id}")
            target = f"target {figure.target}" if figure.target else "reported"
            print(f"{figure.id:<44} {figure.value:>12} {figure.unit:<10} {target:<18} {figure.note}", flush=True)
            figures.append(figure)
        keep(figures, where)
    if not selected:
        print(f"No benchmark begins with {only!r}. There are: {', '.join(list_benchmarks())}.")
    return 0 if selected else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
