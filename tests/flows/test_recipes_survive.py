"""The synthesis recipes on the pupil, killed, out of budget and in a bucket: they end as if nothing had happened."""

import contextlib
import functools
import os
import signal
from pathlib import Path

import pytest

from infra.lake.store import Store, open_store
from tests.support.forks import start_forked
from tests.support.runs import ROOT, Command, Process, wait_for_exit, wait_until

pytestmark = pytest.mark.system

RECIPES = {
    "scalequest": ("--questions", "32", "--shard_rows", "8", "--generators", '["questioner", "solver"]'),
    "lemma": ("--problems", "28", "--shard_rows", "4"),
}
PUBLISHED = {"scalequest": "scalequest", "lemma": "corrections"}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_that_is_killed_in_a_bucket_continues_to_the_rows_of_one_that_was_not(
    recipe: str, command: Command, s3_lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words = ("run", recipe, "--preset", "pupil", *RECIPES[recipe], "--profile", "ci")
    undisturbed = command(*words, "--store", tmp_path / "lake")
    assert undisturbed.code == 0, undisturbed.err
    store = open_store(s3_lake)
    for moment in (3, 14):
        run = start_forked(*words, "--store", s3_lake)
        try:
            wait_until(functools.partial(_reached, store, moment, run))
            assert run.poll() is None, f"the run ended before receipt {moment}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
    outcome = wait_for_exit(start_forked(*words, "--store", s3_lake))
    assert outcome.code == 0, outcome.err
    assert "found done" in outcome.err
    ours, theirs = (
        store.datasets.read_manifest(PUBLISHED[recipe]),
        Store(str(tmp_path / "lake")).datasets.read_manifest(PUBLISHED[recipe]),
    )
    assert ours is not None and theirs is not None and ours.rows > 0
    assert ours.content == theirs.content


def test_a_spent_budget_ends_lemma_and_a_higher_one_continues_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words = ("run", "lemma", "--preset", "pupil", *RECIPES["lemma"], "--profile", "ci", "--store")
    poor = command(*words, tmp_path / "poor", "--budget-tokens", "4000")
    assert poor.code == 4 and "left to do" in poor.err
    assert Store(str(tmp_path / "poor")).datasets.read_manifest("corrections") is None
    richer = command(*words, tmp_path / "poor", "--budget-tokens", "10000000")
    assert richer.code == 0, richer.err
    made = Store(str(tmp_path / "poor")).datasets.read_manifest("corrections")
    assert made is not None and made.rows > 0
    for step in made.ledger:
        assert step.rows_in == step.kept + sum(step.rejected.values()) + sum(step.quarantined.values())


def _reached(store: Store, moment: int, run: Process) -> bool:
    return len(store.list_paths("receipts")) >= moment or run.poll() is not None
