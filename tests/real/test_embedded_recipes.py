"""Every recipe runs to its end on a real chat model in this process, and publishes nothing that is wrong."""

from pathlib import Path

import pytest

from tests.support.real_model import (
    BARE,
    PROBLEMS,
    RECIPES,
    embedded_role,
    rows_of,
    run_and_check,
    write_profile,
)
from tests.support.runs import Command

pytestmark = pytest.mark.real


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_ends_and_keeps_account(command: Command, inputs: Path, model: Path, recipe: str) -> None:
    profile = write_profile(inputs, embedded_role(model), BARE if "bare" in recipe else "")
    done, store = run_and_check(command, inputs, recipe, profile)
    if recipe == "verify":
        assert done.code == 0
        verdicts = rows_of(store, "SELECT expected, verdict FROM verified ORDER BY row_id")
        assert len(verdicts) == len(PROBLEMS)
        stated = [(expected, verdict) for expected, verdict in verdicts if expected != "unparseable"]
        assert all(expected == verdict for expected, verdict in stated), stated
