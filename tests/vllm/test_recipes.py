"""Every recipe runs to its end on a real chat model through vLLM in the worker, and publishes nothing that is wrong."""

import os
import signal
from pathlib import Path

import pytest

from tests.flows.conftest import api, shared
from tests.support.real_model import BARE, RECIPES, rows_of, run_and_check, vllm_role, write_inputs, write_profile
from tests.support.runs import Outcome, start_questmill
from tests.support.smollm2 import default_folder

# By a module of it: any folder called `vllm` is a package of that name.
pytest.importorskip("vllm.version", reason="needs vLLM: make test-vllm")

__all__ = ["api", "shared"]
pytestmark = pytest.mark.vllm


RUN_SECONDS = 600.0
"""Seconds until a run counts as lost. It takes some 50 seconds of CPU time, half of them to start the engine."""


def start_and_wait(*words: str | Path) -> Outcome:
    """Run the command in a process of its own: vLLM's log keeps the stream on which its first engine wrote."""
    process = start_questmill(*words)
    try:
        out, err = process.communicate(timeout=RUN_SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return Outcome(process.returncode, out, err)


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_ends_and_keeps_account(tmp_path: Path, recipe: str) -> None:
    write_inputs(tmp_path)
    profile = write_profile(tmp_path, vllm_role(default_folder()), BARE if "bare" in recipe else "")
    _, store = run_and_check(start_and_wait, tmp_path, recipe, profile)
    unanswered = "reason IN ('failed', 'unreachable', 'cut off') OR reason LIKE 'refused%'"
    assert not rows_of(store, f"SELECT stage, reason, error FROM quarantine WHERE {unanswered}")
