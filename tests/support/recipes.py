"""Every recipe at its defaults, and values of its fields by their path."""

import importlib.util
from typing import Any

from pydantic import BaseModel

from flows.cli import recipe_arguments
from flows.cli.launch import load_recipe
from schemas.recipe import find_part

LOADABLE_RECIPES = sorted(
    recipe_arguments.list_recipes().keys() - (set() if importlib.util.find_spec("torch") else {"pupil"})
)
"""The recipe of the shipped model needs torch."""


def required_fields(name: str) -> dict[str, Any]:
    """What a recipe cannot do without."""
    return {"input": ("x.jsonl",)} if name in ("verify", "rl_pool") else {}


def build(name: str, **fields: Any) -> BaseModel:
    """The recipe with these fields and the required ones."""
    return load_recipe(name)[1].model_validate(required_fields(name) | fields)


def read_field(recipe: BaseModel, path: str) -> Any:
    """The value of a field; in a part that is left out, what it would begin from."""
    value: Any = recipe
    for name in path.split("."):
        field = type(value).model_fields[name]
        value = getattr(value, name)
        value = value if find_part(field, value) is None else find_part(field, value)
    return value
