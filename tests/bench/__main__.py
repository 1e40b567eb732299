"""`python -m tests.bench [spine.b]`: run every benchmark, or those whose id begins so, and keep the figures."""

import importlib
import sys
from pathlib import Path

from tests.bench.figures import context, keep


def main(only: str = "") -> int:
    """Run the benchmarks; returns 1 where `only` names none."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*_*.py") if not path.stem.startswith("_"))
    files = [importlib.import_module(f"tests.bench.{name}") for name in names]
    wanted = [file for file in files if any(id_.startswith(only) for id_ in file.IDS)]
    for file in wanted:
        where = context()
        figures = []
        for figure in file.measure():
            asked = f"asked {figure.asked}" if figure.asked else "reported"
            print(f"{figure.id:<24} {figure.value:>12} {figure.unit:<10} {asked:<18} {figure.note}", flush=True)
            figures.append(figure)
        keep(figures, where)
    if not wanted:
        print(f"no benchmark begins with {only!r}; there are: {', '.join(id_ for file in files for id_ in file.IDS)}")
    return 0 if wanted else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
