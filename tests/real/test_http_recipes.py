"""Every recipe runs to its end on a real chat model behind a real server, and publishes nothing that is wrong."""

from pathlib import Path

import pytest

from tests.support.real_model import RECIPES, http_bare, http_role, rows_of, run_and_check, write_profile
from tests.support.runs import Command

pytestmark = pytest.mark.real


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_ends_and_keeps_account(command: Command, inputs: Path, model: Path, server: str, recipe: str) -> None:
    profile = write_profile(inputs, http_role(server), http_bare(model) if "bare" in recipe else "")
    _, store = run_and_check(command, inputs, recipe, profile)
    unanswered = "reason IN ('failed', 'unreachable') OR reason LIKE 'refused%'"
    assert not rows_of(store, f"SELECT stage, reason, error FROM quarantine WHERE {unanswered}")
