"""The help of every recipe: short, true, and the same in Prefect's form."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from flows.cli import recipe_arguments, recipe_help
from flows.cli.launch import load_recipe
from infra.mock_server.behaviour import MockBehaviour
from schemas.recipe import Recipe
from tests.support.recipes import LOADABLE_RECIPES, build, read_field
from tests.support.runs import ROOT

LEAST_WORDS = 4
"""Words of the first sentence of a help text; a shorter one, such as `Into steps.`, says nothing by itself."""


@pytest.mark.parametrize("name", LOADABLE_RECIPES)
def test_the_short_help_fits_a_screen_of_sixty_lines_and_eighty_columns(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.cli.main import main

    assert main(["run", name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 60 and max(map(len, lines)) <= 80
    shown = "\n".join(lines)
    assert all(f"--{path} (" in shown for path in _model(name).common_fields)

    assert main(["run", name, "--help-all"]) == 0
    everything = capsys.readouterr().out
    assert max(map(len, everything.splitlines())) <= 80
    assert all(f"--{flag.path} (" in everything for flag in recipe_help.describe(_model(name)))


@pytest.mark.parametrize("name", LOADABLE_RECIPES)
def test_what_people_change_are_fields_of_the_recipe_each_named_once(name: str) -> None:
    model = _model(name)
    assert model.common_fields and len({*model.common_fields}) == len(model.common_fields)
    assert {*model.common_fields} <= {flag.path for flag in recipe_help.describe(model)}


@pytest.mark.parametrize("name", LOADABLE_RECIPES)
def test_every_default_that_is_shown_is_the_recipes_own(name: str) -> None:
    model, recipe = _model(name), build(name)
    shown = {flag.path: flag.default for flag in recipe_help.describe(model)}
    true = {path: read_field(recipe, path) for path, default in shown.items()}
    for path, default in shown.items():
        if default.startswith("from the file "):
            assert Path(ROOT, default.removeprefix("from the file ")).read_text().strip() == true[path]
        elif default not in ("required", "from other fields"):
            assert default == ("none" if true[path] is None else json.dumps(true[path], default=str)), path


def test_a_prompt_is_shown_as_its_file_and_an_optional_part_with_its_own_defaults() -> None:
    from flows.scalequest import ScaleQuest

    flags = {flag.path: flag.default for flag in recipe_help.describe(ScaleQuest)}
    assert flags["solve.template"] == "from the file tasks/prompts/solve.txt"
    assert (flags["solve.sampling.n"], flags["solve.sampling.temperature"]) == ("5", "0.7")
    assert flags["fail_rate.sampling.n"] == "8"
    lines = recipe_help.format_flags(ScaleQuest, recipe_help.select_common(ScaleQuest), short=True)
    assert any(line.startswith("fail_rate (left out unless one of these is given): ") for line in lines)


@pytest.mark.parametrize("name", [*LOADABLE_RECIPES, "mock-server"])
def test_every_field_and_every_part_says_in_a_sentence_what_it_is_for(name: str) -> None:
    model = MockBehaviour if name == "mock-server" else _model(name)
    texts = {flag.path: flag.text for flag in recipe_help.describe(model)} | recipe_help.describe_parts(model)
    fragments = [f"{name}: {path}: {text!r}" for path, text in texts.items() if not _stands_alone(text)]
    assert not fragments, (
        "the docstring below a field is all that the help and Prefect's form show of it; "
        f"begin with a capital, end with a full stop, and use at least {LEAST_WORDS} words: {'; '.join(fragments)}"
    )


@pytest.mark.parametrize(
    ("text", "stands_alone"),
    [
        ("Seed of the random draws.", True),
        ("Seed of the draws. Any number", False),
        ("seed of the random draws.", False),
        ("Into steps.", False),
        ("How. 0 is greedy decoding.", False),
        ("", False),
    ],
)
def test_a_sentence_begins_with_a_capital_ends_with_a_full_stop_and_has_some_words(
    text: str, stands_alone: bool
) -> None:
    assert _stands_alone(text) is stands_alone


def _stands_alone(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Z].*\.", text)) and len(text.split(". ")[0].split()) >= LEAST_WORDS


@pytest.mark.parametrize("name", LOADABLE_RECIPES)
def test_prefects_form_shows_the_same_fields_helps_and_defaults(name: str) -> None:
    flow, model = load_recipe(name)
    schema = parameter_schema(flow.fn).model_dump()["definitions"][model.__name__]
    recipe = build(name)
    for path, default, text in recipe_help.describe(model):
        part: dict[str, Any] = schema
        for field in path.split("."):
            part = next((o for o in part.get("anyOf", []) if "properties" in o), part)
            part = part["properties"][field]
        assert " ".join(part["description"].split()) == text
        if default not in ("required", "from other fields"):
            assert part["default"] == to_jsonable_python(read_field(recipe, path)), path


def _model(name: str) -> type[Recipe]:
    model: type[BaseModel] = load_recipe(name)[1]
    assert issubclass(model, Recipe), f"{name} extends Recipe, so that its nested defaults hold"
    return model


def test_a_recipe_whose_class_is_renamed_keeps_its_presets() -> None:
    from flows.student import Student

    renamed = type("Comparison", (Student,), {"__module__": Student.__module__, "__doc__": "The same."})
    assert recipe_arguments.list_presets(renamed).keys() == {"pupil"}


def test_presets_go_by_the_recipes_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from flows.rl_pool import RlPool

    (tmp_path / "rl_pool-small.toml").write_text("shard_rows = 3\n")
    monkeypatch.setattr(recipe_arguments, "PRESETS_FOLDER", tmp_path)
    assert recipe_arguments.parse(RlPool, ["--preset", "small", "--input", "x.jsonl"]).shard_rows == 3
