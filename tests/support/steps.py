"""Finds every step of `tasks`, so that no list of them has to be kept."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

from schemas.steps import Step

ROOT = Path(__file__).parents[2]
TRAIN_PACKAGES = {"torch", "transformers", "datasets", "trl"}
"""Packages of the extra `train`; modules that import them define no step."""


def find_steps() -> Iterator[type[Step]]:
    """Every subclass of `StepSpan` in `tasks`, bases included, by module and name."""
    for path in sorted((ROOT / "tasks").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in TRAIN_PACKAGES:
                raise
            continue
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Step) and kind.__module__ == name:
                yield kind
