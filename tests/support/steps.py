"""Finds every step of `tasks`, so that no list of them has to be kept."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

from schemas.steps import Step

ROOT = Path(__file__).parents[2]
EXTRAS = {"torch", "transformers", "datasets", "trl"}
"""Packages of the extra `train`; modules that import them define no step."""


def all_steps() -> Iterator[type[Step]]:
    """Every subclass of `Step` in `tasks`, bases included, by module and name."""
    for path in sorted((ROOT / "tasks").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
            continue
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Step) and kind.__module__ == name:
                yield kind
