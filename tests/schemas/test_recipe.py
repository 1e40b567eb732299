"""A part that is given as a dict keeps the rest of the recipe's defaults, wherever the dict comes from."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from flows.cli import recipe_arguments, recipe_help
from flows.cli.launch import load_recipe
from flows.lemma import Lemma, lemma
from flows.parts.train_questioner import QuestionerTraining
from flows.scalequest import ScaleQuest, scalequest
from flows.verify import Verification
from schemas.identity import FrozenModel, fingerprint
from schemas.recipe import Recipe
from tests.support.recipes import LOADABLE_RECIPES, build, read_field, required_fields


def test_one_nested_field_leaves_its_neighbours_as_the_recipe_has_them() -> None:
    solve = ScaleQuest.model_validate({"solve": {"sampling": {"max_tokens": 4096}}}).solve
    assert solve == ScaleQuest().solve.model_copy(
        update={"sampling": ScaleQuest().solve.sampling.model_copy(update={"max_tokens": 4096})}
    )
    assert (solve.sampling.n, solve.sampling.temperature) == (5, 0.7)


@pytest.mark.parametrize("name", LOADABLE_RECIPES)
def test_every_leaf_of_every_recipe_can_be_given_alone(name: str) -> None:
    recipe = build(name)
    leaves = [flag.path for flag in recipe_help.describe(type(recipe)) if "." in flag.path]
    for path in leaves:
        value = read_field(recipe, path)
        given = nest(path, value)
        top = path.partition(".")[0]
        if getattr(recipe, top) is None:
            continue  # it puts the part in: the test below
        assert build(name, **given) == recipe, f"{path} given as its default changes something else"


def test_a_part_that_is_left_out_by_default_begins_from_its_own_defaults() -> None:
    fail_rate = ScaleQuest.model_validate({"fail_rate": {"sampling": {"n": 6}}}).fail_rate
    assert fail_rate is not None
    own = type(fail_rate)()
    assert fail_rate.sampling == own.sampling.model_copy(update={"n": 6}) and fail_rate.template == own.template


class Judge(FrozenModel):
    role: str
    votes: int = 3


class WithJudge(Recipe):
    judge: Judge | None = None


def test_a_part_that_is_left_out_by_default_and_has_a_required_field_is_given_with_it() -> None:
    assert WithJudge.model_validate({"judge": {"role": "judge"}}).judge == Judge(role="judge", votes=3)
    with pytest.raises(ValidationError, match="Field required"):
        WithJudge.model_validate({"judge": {"votes": 5}})


def test_parts_of_parts_keep_theirs_too() -> None:
    whole = ScaleQuest.model_validate({"questioner": {"sample": {"sampling": {"top_p": 0.9}}}}).questioner
    part = QuestionerTraining.model_validate({"sample": {"sampling": {"top_p": 0.9}}})
    assert whole == part
    assert (part.sample.sampling.temperature, part.sample.sampling.max_tokens) == (1.0, 512)


def test_what_is_computed_from_other_fields_is_computed_anew() -> None:
    given = {"input": ("x.jsonl",), "execute": {"libraries": []}}
    execute = Verification.model_validate(given).execute
    assert execute.interpreter != Verification(input=("x.jsonl",)).execute.interpreter
    assert execute == recipe_arguments.parse(Verification, ["--input", "x.jsonl", "--execute.libraries", "[]"]).execute


CHANGES: dict[str, list[tuple[str, Any]]] = {
    "scalequest": [("solve.sampling.max_tokens", 4096), ("fail_rate.sampling.n", 6), ("questioner.sample.role", "x")],
    "lemma": [("attempt.sampling.n", 16), ("columns.answer", "gold")],
}


@pytest.mark.parametrize(("name", "path", "value"), [(n, p, v) for n, pairs in CHANGES.items() for p, v in pairs])
def test_python_prefect_and_the_command_line_build_the_same_recipe(name: str, path: str, value: Any) -> None:
    flow, model = load_recipe(name)
    given = required_fields(name) | nest(path, value)
    by_python = model(**given)
    by_prefect = flow.validate_parameters({"recipe": json.loads(json.dumps(given))})["recipe"]
    by_words = recipe_arguments.parse(model, [f"--{path}", str(value)])
    assert by_python == by_prefect == by_words
    assert fingerprint(by_python) == fingerprint(by_prefect) == fingerprint(by_words)
    assert read_field(by_python, path) == value
    for other, default in leaves_of(build(name)):
        if other != path:
            assert read_field(by_python, other) == default, other


def test_a_recipe_read_back_from_its_json_is_the_same() -> None:
    for recipe in (ScaleQuest(), Lemma()):
        assert type(recipe).model_validate_json(recipe.model_dump_json()) == recipe
    assert scalequest.validate_parameters({"recipe": ScaleQuest()})["recipe"] == ScaleQuest()
    assert lemma.validate_parameters({"recipe": {}})["recipe"] == Lemma()


def nest(path: str, value: Any) -> dict[str, Any]:
    """`{"a": {"b": value}}` for the path `a.b`."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


def leaves_of(recipe: BaseModel) -> Iterator[tuple[str, Any]]:
    """Every field that is no part, by its path."""
    for flag in recipe_help.describe(type(recipe)):
        yield flag.path, read_field(recipe, flag.path)
