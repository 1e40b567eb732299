"""From words to a recipe: what is not said stays as the recipe has it."""

from pathlib import Path

from flows import recipe
from flows.scalequest import ScaleQuest


def test_a_flag_of_a_nested_field_leaves_its_neighbours_as_the_recipe_has_them() -> None:
    made = recipe.parse(ScaleQuest, ["--solve.sampling.n", "3", "--synthesize.sampling.max_tokens", "99"])
    assert made.solve.sampling.model_dump() == ScaleQuest().solve.sampling.model_dump() | {"n": 3}
    assert (made.synthesize.sampling.temperature, made.synthesize.sampling.max_tokens) == (1.0, 99)
    assert made.synthesize.template == ScaleQuest().synthesize.template


def test_a_file_of_overrides_leaves_the_rest_too(tmp_path: Path) -> None:
    path = tmp_path / "less.toml"
    path.write_text("[solve.sampling]\nn = 2\n")
    made = recipe.parse(ScaleQuest, [f"@{path}", "--select.least_agreement", "1"])
    assert (made.solve.sampling.n, made.solve.sampling.temperature) == (2, 0.7)
    assert made.select.least_agreement == 1.0 and made.select.within_majority
