"""What docs/papers.md says about fields, flags and presets is so."""

import re
import shlex
import tomllib
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from flows.cli import recipe_arguments
from flows.cli.launch import load_recipe
from flows.cli.recipe_help import describe, describe_parts
from tests.support.runs import ROOT

TEXT = (ROOT / "docs" / "papers.md").read_text()
SECTIONS = {
    name: TEXT.partition(f"\n## {title}")[2].partition("\n## ")[0]
    for name, title in (("scalequest", "ScaleQuest"), ("lemma", "LEMMA"))
}
RECIPES: dict[str, type[BaseModel]] = {name: load_recipe(name)[1] for name in SECTIONS}


def rows(name: str, columns: int) -> Iterator[list[str]]:
    """The rows of the tables of a section that have so many columns, without the heads."""
    for line in SECTIONS[name].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == columns and cells[0] not in ("step of the paper", "ablation"):
            yield cells


def fields(name: str) -> Iterator[tuple[str, bool]]:
    """Each field of the last column, and whether the preset is said to set it."""
    for *_, last in rows(name, 4):
        for match in re.finditer(r"`([\w.]+)`( \*preset\*)?", last):
            if not last.startswith("recipe "):
                yield match[1], bool(match[2])


def value_of(recipe: BaseModel, path: str) -> object:
    value: object = recipe
    for part in path.split("."):
        value = getattr(value, part, None)
    return value


@pytest.mark.parametrize("name", SECTIONS)
def test_every_step_has_a_field_that_exists_or_says_that_it_has_none(name: str) -> None:
    recipe = RECIPES[name]
    known = {flag.path for flag in describe(recipe)} | describe_parts(recipe).keys()
    found = [path for path, _ in fields(name)]
    assert len(found) > 25 and not [path for path in found if path not in known]
    assert all("`" in last or last == "none" for *_, last in rows(name, 4))


@pytest.mark.parametrize("name", SECTIONS)
def test_the_fields_that_a_preset_is_said_to_set_are_those_that_it_sets(name: str) -> None:
    """A preset may also state a default, so that the value is seen in it."""
    preset = recipe_arguments.list_presets(RECIPES[name])["paper"]
    stated = {".".join(path) for path in leaves(tomllib.loads(preset.read_text()))}
    default, paper = RECIPES[name](), recipe_arguments.parse(RECIPES[name], ["--preset", "paper"])
    named = {path for path, by_preset in fields(name) if by_preset}
    assert not [path for path in named if not any(each == path or each.startswith(f"{path}.") for each in stated)]
    changed = {path for path in stated if value_of(default, path) != value_of(paper, path)}
    assert not [path for path in changed if not any(path == each or path.startswith(f"{each}.") for each in named)]


def leaves(values: dict[str, object], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*before, name))
        else:
            yield (*before, name)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_flag_of_an_ablation_is_understood(name: str) -> None:
    for ablation, cell in rows(name, 2):
        flags = re.findall(r"`(--[^`]+)`", cell)
        assert flags, ablation
        for flag in flags:
            recipe_arguments.parse(RECIPES[name], shlex.split(flag))


def test_the_commands_are_understood() -> None:
    commands = re.findall(r"questmill run ((?:[^\n\\]|\\\n)+)", TEXT)
    assert len(commands) == 4
    for command in commands:
        name, *words = shlex.split(command.replace("\\\n", " "))
        recipe_arguments.parse(RECIPES[name], words)
