"""Fingerprints, seeds and prompts of every step: moves and renames must leave them as they are.

A change here makes every user's next run work and ask everything anew. Refresh `tests/golden/fingerprints.json` with
`make golden` only where that is meant, and say in the commit which lines changed and why.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pydantic
import pytest

from flows.cli import recipe_arguments as arguments
from flows.cli.launch import load_recipe
from infra.cluster.profiles import load_profile
from schemas.engine_specs import EmbeddedSpec, HttpSpec, RegressorSpec, VllmSpec
from schemas.identity import ask_fingerprint, fingerprint
from schemas.outcomes import Row
from schemas.prompts import Prompt
from schemas.steps import Step
from tasks.answers.solve import Solve
from tasks.base.ask import Ask, make_request
from tests.support.steps import find_steps

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "fingerprints.json"
REQUIRED: dict[str, dict[str, Any]] = {
    "drop_published": {"dataset": "known"},
    "compare_students": {"students": ("one", "two")},
    "trace_self_correction": {"student": "one"},
}
"""Values of fields that have no default, by the step's name."""
ROW: dict[str, Any] = {
    "row_id": "7/1",
    "number": 7,
    "question": "How many legs have 3 cats?",
    "solution": "3 x 4 = 12\n#### 12",
    "response": "3 x 4 = 12\n#### 12",
    "rival": "3 + 4 = 7\n#### 7",
    "answer": "12",
    "reference": "3 x 4 = 12\n#### 12",
    "attempt": "3 + 4 = 7\n#### 7",
    "steps": [{"start": 0, "end": 10}, {"start": 11, "end": 18}],
    "prefix": "3 + 4 = 7",
    "trajectory": "3 + 4 = 7\nThat is wrong.\n3 x 4 = 12\n#### 12",
    "reflection_start": 10,
    "type": "calculation",
}
"""A row that every stage can ask about."""


def described(step: Step) -> dict[str, Any]:
    """What must not change of one step: its fingerprint; of a stage that asks also a prompt and two seeds."""
    listed: dict[str, Any] = {"fingerprint": fingerprint(step)}
    if isinstance(step, Ask) and (prompt := prompt_about_row(step)) is not None:
        listed["prompt"] = prompt.to_tagged_text()
        shared = ask_fingerprint(step.label, step.initial_sampling(), "model")
        listed["seeds"] = make_request(shared, ROW["row_id"], prompt, 2).seeds
    return listed


def prompt_about_row(step: Ask) -> Prompt | None:
    """The stage's prompt about `ROW`; an error that names the stage and the column if `ROW` lacks one."""
    try:
        return step.prompt(ROW)
    except KeyError as error:
        if (column := error.args[0]) in ROW:
            raise
        raise LookupError(
            f"stage {step.label} ({type(step).__name__}) asks about the column {column!r}, which no row of this test "
            f"has; add an example of it to ROW in tests/schemas/{Path(__file__).name}"
        ) from error


def fields_of(value: Any, path: str) -> Iterator[tuple[str, Step]]:
    """The steps that a recipe holds, also those inside of its other fields, by their path."""
    if isinstance(value, Step):
        yield path, value
    elif isinstance(value, pydantic.BaseModel):
        for name in type(value).model_fields:
            yield from fields_of(getattr(value, name), f"{path}.{name}")


def recipes() -> Iterator[tuple[str, pydantic.BaseModel]]:
    """Every recipe with steps, at its defaults and in each of its presets."""
    for name in sorted(arguments.list_recipes().keys() - {"pupil"}):
        _, model = load_recipe(name)
        required = ["--input", "x.jsonl"] if name in ("verify", "rl_pool") else []
        yield name, arguments.parse(model, required)
        for preset in arguments.list_presets(model):
            yield f"{name} --preset {preset}", arguments.parse(model, ["--preset", preset, *required])


def listing() -> dict[str, Any]:
    """The content of the golden file."""
    made: dict[str, Any] = {"steps": {}, "recipes": {}, "engines": {}, "profiles": {}}
    for kind in find_steps():
        try:
            step = kind(**REQUIRED.get(kind.label, {}))
        except pydantic.ValidationError:
            continue
        assert kind.label not in made["steps"], f"two steps are called {kind.label}"
        made["steps"][kind.label] = described(step)
    for name, recipe in recipes():
        found = dict(fields_of(recipe, "recipe"))
        made["recipes"][name] = {path: described(step)["fingerprint"] for path, step in sorted(found.items())}
    made["engines"] = {
        "embedded": fingerprint(EmbeddedSpec()),
        "http": fingerprint(HttpSpec(kind="http", model="m", base_url=("http://127.0.0.1:1/v1",))),
        "vllm": fingerprint(VllmSpec(kind="vllm", model="m")),
        "regressor": fingerprint(RegressorSpec(kind="regressor")),
    }
    for path in sorted((ROOT / "infra" / "profiles").glob("*.toml")):
        roles = load_profile(path.stem).roles
        made["profiles"][path.stem] = {role: fingerprint(spec) for role, spec in sorted(roles.items())}
    return json.loads(json.dumps(made, sort_keys=True))  # as it is read back: tuples are lists


def test_no_fingerprint_seed_or_prompt_changed() -> None:
    golden, now = json.loads(GOLDEN.read_text()), listing()
    for subject in golden:
        for name in sorted(golden[subject].keys() | now[subject].keys()):
            assert now[subject].get(name) == golden[subject].get(name), f"{subject}: {name} changed"


class TranslateQuestion(Solve):
    """A new stage, which asks about a column that no other stage reads."""

    label: ClassVar[str] = "translate_question"

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"], language=row["language"])


def test_a_stage_that_asks_about_an_unknown_column_is_named_with_the_way_out() -> None:
    with pytest.raises(
        LookupError, match=r"stage translate_question .* 'language', .*; add an example .* to ROW in tests/"
    ):
        described(TranslateQuestion(template="Translate the question."))


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(listing(), indent=1) + "\n")
