"""Builds a recipe from the command line. Every field is a flag; `@file.toml` sets many at once."""

import ast
import difflib
import json
import re
import tomllib
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from flows.cli.old_words import OLD_VALUES, find_new_field, suggest
from flows.cli.recipe_help import describe
from schemas.errors import BadInput
from schemas.recipe import find_nested_model

Model = typing.TypeVar("Model", bound=BaseModel)


def list_recipes(folder: Path = Path(__file__).parents[1]) -> dict[str, str]:
    """Return the recipes of `folder` with the first lines of their module docstrings, without importing them.

    A recipe is a file with a function of the file's name that is decorated with `@flow`.
    """
    listed = {}
    for path in sorted(folder.glob("*.py")):
        tree = ast.parse(path.read_text())
        if any(isinstance(node, ast.FunctionDef) and node.name == path.stem and _is_flow(node) for node in tree.body):
            listed[path.stem] = (ast.get_docstring(tree) or "").splitlines()[0]
    return listed


def _is_flow(function: ast.FunctionDef) -> bool:
    """Whether the function is decorated with `@flow`, `@flow(...)` or `@prefect.flow`."""
    decorators = (d.func if isinstance(d, ast.Call) else d for d in function.decorator_list)
    return any(ast.unparse(decorator).rpartition(".")[2] == "flow" for decorator in decorators)


PRESETS_FOLDER = Path(__file__).parents[1] / "presets"
"""Folder of the presets: `--preset name` reads `<recipe>-<name>.toml`."""

_FOLLOW_UP_ERROR = "default_factory_not_called"
"""Pydantic's error type for a computed field that depends on a wrong one; only the wrong field is reported."""


def parse(model: type[Model], arguments: Sequence[str], other_flags: Sequence[str] = ()) -> Model:
    """Build `model` from `--preset name`, `@file.toml` and `--field value` arguments; raises `BadInput`.

    If a field is given twice, the later value wins. A boolean field may be given without a value. A part of a recipe
    that defines `parse_flag` has a short form of its own: `--columns math.jsonl:question=problem`. `other_flags` are
    the flags of the command itself, which are suggested for misspelt ones.
    """
    values: dict[str, Any] = {}
    words = list(arguments)
    named: set[str] = set()
    while words:
        word = words.pop(0)
        if word.startswith("@"):
            _merge(values, _read_toml(Path(word[1:])))
        elif word.startswith("--"):
            path, equals, value = word[2:].partition("=")
            path = path.replace("-", "_")
            if not equals and _is_switch(model, path) and (not words or words[0].startswith(("-", "@"))):
                equals, value = "=", "true"
            if path != "preset":
                _check_path(model, path, other_flags)
            if not equals and not words:
                raise BadInput(f"--{path} needs a value")
            if path == "preset":
                _merge(values, _read_toml(_find_preset(model, value if equals else words.pop(0))))
                continue
            _set_field(values, model, path, value if equals else words.pop(0), repeated=path in named)
            named.add(path)
        else:
            raise BadInput(f"{word!r} is not a flag; write --field value or @overrides.toml")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        errors = [e for e in error.errors() if e["type"] != _FOLLOW_UP_ERROR]
        raise BadInput("; ".join(_explain(model, e) for e in errors)) from error


def list_presets(model: type[BaseModel]) -> dict[str, Path]:
    """Return the presets of a recipe by name. Recipe, flow and module have the same name."""
    prefix = f"{model.__module__.rpartition('.')[2]}-"
    return {path.stem.removeprefix(prefix): path for path in sorted(PRESETS_FOLDER.glob(f"{prefix}*.toml"))}


def _find_preset(model: type[BaseModel], name: str) -> Path:
    known = list_presets(model)
    if name not in known:
        raise BadInput(f"--preset: there is no preset {name!r}; {suggest(name, known)}")
    return known[name]


def _is_switch(model: type[BaseModel], path: str) -> bool:
    """Whether `path` names a boolean field."""
    *folders, name = path.split(".")
    for folder in folders:
        field = model.model_fields.get(folder)
        if field is None or (inner := find_nested_model(field)) is None:
            return False
        model = inner
    return name in model.model_fields and model.model_fields[name].annotation is bool


def _check_path(model: type[BaseModel], path: str, other_flags: Sequence[str] = ()) -> None:
    """Raises `BadInput` if `path` names no field; the message suggests similar ones."""
    names, part = path.split("."), model
    for depth, name in enumerate(names):
        before, rest = names[:depth], names[depth + 1 :]
        if name not in part.model_fields:
            raise BadInput(f"--{path}: {_explain_unknown(model, part, before, name, rest, other_flags)}")
        inner = find_nested_model(part.model_fields[name])
        if inner is None and rest:
            raise BadInput(f"--{path}: {name!r} has no fields of its own")
        part = inner or part


def _explain_unknown(
    model: type[BaseModel],
    part: type[BaseModel],
    before: list[str],
    name: str,
    rest: list[str],
    other_flags: Sequence[str],
) -> str:
    """Say that `part` has no field `name`; suggest its new name, a similar one, or the field of another part."""
    if (new := find_new_field(name, part.model_fields)) is not None:
        return f"{name!r} is called {new!r} now; write --{'.'.join([*before, new, *rest])}"
    ending = f"{'.'.join(before) or 'the recipe'} has no field {name!r}"
    path = ".".join([*before, name, *rest])
    if elsewhere := [flag.path for flag in describe(model) if flag.path.endswith(f".{path}")]:
        return f"{ending}; did you mean {' or '.join(f'--{flag}' for flag in elsewhere[:3])}?"
    if near := difflib.get_close_matches(name, [*part.model_fields, *([] if before else other_flags)], n=1):
        return f"{ending}; did you mean --{'.'.join([*before, *near, *rest])}?"
    return f"{ending}; there are: {', '.join(part.model_fields)}"


def _set_field(values: dict[str, Any], model: type[BaseModel], path: str, text: str, repeated: bool) -> None:
    *folders, name = path.split(".")
    for folder in folders:
        inner = find_nested_model(model.model_fields[folder])
        assert inner is not None, "the path is checked"
        if not isinstance(values.setdefault(folder, {}), dict):
            raise BadInput(f"--{path}: {folder!r} was given as {values[folder]!r}; give its fields, or leave that out")
        model, values = inner, values[folder]
    field = model.model_fields[name]
    parse_flag = getattr(find_nested_model(field), "parse_flag", None)
    if parse_flag is not None and not text.startswith("{"):
        _merge(values.setdefault(name, {}), parse_flag(text))
        return
    if typing.get_origin(field.annotation) in (tuple, list) and not text.startswith("["):
        before = values.get(name, []) if repeated else []
        values[name] = [*(before if isinstance(before, list) else [before]), text]
    else:
        values[name] = _parse_literal(text) if text[:1] in ("[", "{") else text


def _parse_literal(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"@{path}: cannot be read: {error}") from error


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _explain(model: type[BaseModel], error: Any) -> str:
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"--{path} is required"
    if error["type"] == "extra_forbidden":
        try:
            _check_path(model, path)
        except BadInput as unknown_field:
            return str(unknown_field)
    if error["type"] == "literal_error" and (new := OLD_VALUES.get(str(error["input"]))) in _allowed_words(error):
        return f"--{re.sub(r'[.][0-9]+$', '', path)}: {error['input']!r} is called {new!r} now"
    where = f"--{path}: " if path else ""
    given = "" if isinstance(error["input"], dict) else f" (got {error['input']!r})"  # a dict is a part of the recipe
    return f"{where}{error['msg'].removeprefix('Value error, ')}{given}"


def _allowed_words(error: Any) -> list[str]:
    """Return the words that a field allows, from pydantic's `'first_decided', 'all_of' or 'any_of'`."""
    return re.findall(r"'([^']*)'", error["ctx"]["expected"])
