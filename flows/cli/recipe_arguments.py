"""From words on a command line to a recipe: every field is a flag, and `@file.toml` holds many."""

import ast
import difflib
import json
import tomllib
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from schemas.errors import BadInput

Recipe = typing.TypeVar("Recipe", bound=BaseModel)


def list_recipes(folder: Path = Path(__file__).parents[1]) -> dict[str, str]:
    """The recipes of `flows/` and the first line of each one's docstring, without importing any.

    A recipe is a file with a function of its name that is decorated with `@flow`; no other file is one.
    """
    listed = {}
    for path in sorted(folder.glob("*.py")):
        tree = ast.parse(path.read_text())
        if any(isinstance(node, ast.FunctionDef) and node.name == path.stem and _is_flow(node) for node in tree.body):
            listed[path.stem] = (ast.get_docstring(tree) or "").splitlines()[0]
    return listed


def _is_flow(function: ast.FunctionDef) -> bool:
    """Whether `@flow` or `@flow(...)` stands above it, also as `prefect.flow`."""
    decorators = (d.func if isinstance(d, ast.Call) else d for d in function.decorator_list)
    return any(ast.unparse(decorator).rpartition(".")[2] == "flow" for decorator in decorators)


PRESETS_FOLDER = Path(__file__).parents[1] / "presets"
"""`<recipe>-<name>.toml`: what `--preset name` stands for."""

_FOLLOW_UP_ERROR = "default_factory_not_called"
"""What pydantic says of a computed field beside a wrong one: people are told of the wrong one."""


def parse(model: type[Recipe], arguments: Sequence[str]) -> Recipe:
    """Build `model` from `--preset name`, `@file.toml` and `--field value` words; raises `BadInput`.

    Of two words for one field the later one wins. A field that is true or false may be named without a value.
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
            if not equals and not words:
                raise BadInput(f"--{path} needs a value")
            if path == "preset":
                _merge(values, _read_toml(_find_preset(model, value if equals else words.pop(0))))
                continue
            _set_field(values, model, path, value if equals else words.pop(0), repeated=path in named)
            named.add(path)
        else:
            raise BadInput(f"{word!r} is no flag; write --field value or @overrides.toml")
    try:
        return model.model_validate(_merge_over_defaults(model, values))
    except ValidationError as error:
        errors = [e for e in error.errors() if e["type"] != _FOLLOW_UP_ERROR]
        raise BadInput("; ".join(_explain(model, e) for e in errors)) from error


def describe(model: type[BaseModel], prefix: str = "") -> list[tuple[str, str, str]]:
    """(flag, default, help) of every field, nested ones by their path."""
    lines = []
    for name, field in model.model_fields.items():
        flag = f"{prefix}{name}"
        if (inner := _nested_model(field.annotation)) is not None:
            lines += describe(inner, f"{flag}.")
        else:
            lines.append((f"--{flag}", _format_default(field), " ".join((field.description or "").split())))
    return lines


def _format_default(field: FieldInfo) -> str:
    """The default of a field as people are told it."""
    if field.is_required():
        return "required"
    if field.default_factory_takes_validated_data:
        return "from other fields"
    return json.dumps(field.get_default(call_default_factory=True), default=str)


def list_presets(model: type[BaseModel]) -> dict[str, Path]:
    """The presets of a recipe by name."""
    prefix = f"{model.__name__.lower()}-"
    return {path.stem.removeprefix(prefix): path for path in sorted(PRESETS_FOLDER.glob(f"{prefix}*.toml"))}


def _find_preset(model: type[BaseModel], name: str) -> Path:
    known = list_presets(model)
    if name not in known:
        raise BadInput(f"--preset: {model.__name__} has no preset {name!r}; there are: {', '.join(known) or 'none'}")
    return known[name]


def _is_switch(model: type[BaseModel], path: str) -> bool:
    """Whether `path` names a field that is true or false."""
    *folders, name = path.split(".")
    for folder in folders:
        field = model.model_fields.get(folder)
        if field is None or (inner := _nested_model(field.annotation)) is None:
            return False
        model = inner
    return name in model.model_fields and model.model_fields[name].annotation is bool


def _set_field(values: dict[str, Any], model: type[BaseModel], path: str, text: str, repeated: bool) -> None:
    *folders, name = path.split(".")
    for folder in folders:
        inner = _nested_model(_find_field(model, folder, path).annotation)
        if inner is None:
            raise BadInput(f"--{path}: {folder!r} has no fields of its own")
        if not isinstance(values.setdefault(folder, {}), dict):
            raise BadInput(f"--{path}: {folder!r} was given as {values[folder]!r}; give its fields, or leave that out")
        model, values = inner, values[folder]
    field = _find_field(model, name, path)
    if typing.get_origin(field.annotation) in (tuple, list) and not text.startswith("["):
        before = values.get(name, []) if repeated else []
        values[name] = [*(before if isinstance(before, list) else [before]), text]
    else:
        values[name] = _parse_literal(text) if text[:1] in ("[", "{") else text


def _merge_over_defaults(model: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """`values` over the recipe's own defaults: `--solve.sampling.n 3` leaves the recipe's temperature as it is."""
    merged = dict(values)
    for name in values.keys() & model.model_fields.keys():
        field = model.model_fields[name]
        if field.default_factory_takes_validated_data:
            continue
        default = field.get_default(call_default_factory=True)
        inner = _nested_model(field.annotation)
        if default is None and inner is not None and not any(f.is_required() for f in inner.model_fields.values()):
            default = inner()  # what is left out by default begins from its own defaults
        if isinstance(default, BaseModel) and isinstance(values[name], dict):
            merged[name] = _dump_stated(default)
            _merge(merged[name], values[name])
    return merged


def _dump_stated(default: BaseModel) -> dict[str, Any]:
    """The fields of `default` without those computed from its other fields: they are computed from what is given."""
    fields = default.model_dump()
    for name, field in type(default).model_fields.items():
        if field.default_factory_takes_validated_data and name not in default.model_fields_set:
            del fields[name]
        elif isinstance(inner := getattr(default, name), BaseModel):
            fields[name] = _dump_stated(inner)
    return fields


def _find_field(model: type[BaseModel], name: str, path: str) -> FieldInfo:
    if name in model.model_fields:
        return model.model_fields[name]
    near = difflib.get_close_matches(name, model.model_fields, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(model.model_fields)}"
    raise BadInput(f"--{path}: {model.__name__} has no field {name!r}; {hint}")


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, also where it may be None."""
    options = (
        typing.get_args(annotation)
        if typing.get_origin(annotation) in (typing.Union, types.UnionType)
        else (annotation,)
    )
    models = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
    return models[0] if len(models) == 1 else None


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
        near = difflib.get_close_matches(path, [flag[2:] for flag, _, _ in describe(model)], n=1)
        return f"field {path!r} is unknown" + (f"; did you mean {near[0]!r}?" if near else "")
    where = f"--{path}: " if path else ""
    given = "" if isinstance(error["input"], dict) else f" (got {error['input']!r})"  # a part of the recipe
    return f"{where}{error['msg'].removeprefix('Value error, ')}{given}"
