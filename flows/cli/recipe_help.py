"""Formats the help of a recipe: its flags, their purposes, and the recipe's own defaults."""

import json
import re
import textwrap
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.recipe import find_nested_model, find_part, list_defaults
from tasks.base.ask import PROMPT_FOLDER

HELP_COLUMNS = 80
HELP_INDENT_COLUMNS = 32
"""Column in which the texts of the flags begin."""


class Flag(NamedTuple):
    """One flag of a recipe."""

    path: str
    """Path of the field, e.g. `solve.sampling.n`."""
    default: str
    """Default as it is shown, e.g. `none` or `required`."""
    text: str
    """Purpose of the field; empty if the field has no docstring."""


def describe(model: type[BaseModel], instance: BaseModel | None = None, prefix: str = "") -> list[Flag]:
    """List every field of `model` and of its parts, by path, with the defaults of the recipe as a whole."""
    flags, defaults = [], list_defaults(model, instance)
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        if (inner := find_nested_model(field)) is not None:
            flags += describe(inner, find_part(field, defaults.get(name)), f"{path}.")
        else:
            default = _format_default(defaults[name]) if name in defaults else _explain_no_default(field)
            flags.append(Flag(path, default, _format_text(field)))
    return flags


def describe_parts(model: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """Return the purpose of every part of `model`, at any depth, by path."""
    parts: dict[str, str] = {}
    for name, field in model.model_fields.items():
        if (inner := find_nested_model(field)) is not None:
            path = f"{prefix}{name}"
            parts |= {path: _format_text(field), **describe_parts(inner, f"{path}.")}
    return parts


def select_common(model: type[BaseModel]) -> list[Flag]:
    """Return the flags in `common_fields`, in the recipe's order."""
    common = set(getattr(model, "common_fields", ()))
    return [flag for flag in describe(model) if flag.path in common]


def format_flags(model: type[BaseModel], flags: Sequence[Flag], short: bool) -> list[str]:
    """Format flags in lines of at most 80 columns: the recipe's own fields first, then those of each part.

    If `short` is true, only the first sentence of each text is shown, in at most two lines.
    """
    by_part: dict[str, list[Flag]] = {"": []}
    for flag in flags:
        by_part.setdefault(flag.path.partition(".")[0] if "." in flag.path else "", []).append(flag)
    purposes, defaults, lines = describe_parts(model), list_defaults(model), list[str]()
    for part, members in by_part.items():
        if part:
            optional = " (left out unless one of these is given)" if defaults.get(part, ...) is None else ""
            lines += ["", *_wrap(f"{part}{optional}: {_shorten(purposes[part], short)}", 1 if short else None)]
        for flag in members:
            lines += _format_flag(flag, short)
    return lines


def _format_flag(flag: Flag, short: bool) -> list[str]:
    """Format a flag and its default, with its text beside or below them."""
    head = _wrap(f"  --{flag.path} ({flag.default})", 1 if short else None, hanging_indent=" " * 6)
    indent = " " * HELP_INDENT_COLUMNS
    body = _wrap(_shorten(flag.text, short), 2 if short else None, indent, indent)
    if body and len(head) == 1 and len(head[0]) < HELP_INDENT_COLUMNS:
        return [head[0] + body[0][len(head[0]) :], *body[1:]]
    return [*head, *body]


def _wrap(text: str, max_lines: int | None, indent: str = "", hanging_indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        HELP_COLUMNS,
        initial_indent=indent,
        subsequent_indent=hanging_indent,
        max_lines=max_lines,
        placeholder=" ...",
        break_on_hyphens=False,
    )


def _shorten(text: str, short: bool) -> str:
    return _first_sentence(text) if short else text


def _first_sentence(text: str) -> str:
    """Return the first sentence, which ends at a full stop before a capital: `A share.` of `A share. Not in it.`"""
    return re.split(r"(?<!e\.g\.)(?<=\.)\s+(?=[A-Z])", text, maxsplit=1)[0]


def _format_text(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _format_default(default: Any) -> str:
    if isinstance(default, str) and default in _prompt_files():
        return f"from the file {_prompt_files()[default]}"
    return "none" if default is None else json.dumps(default, default=str)


def _explain_no_default(field: FieldInfo) -> str:
    return "required" if field.is_required() else "from other fields"


@cache
def _prompt_files() -> dict[str, str]:
    """Return the names of prompt files by their text; defaults show the name, because the text is too long."""
    return {path.read_text(encoding="utf-8").strip(): f"tasks/prompts/{path.name}" for path in PROMPT_FOLDER.iterdir()}
