"""One run may publish several datasets: each stands on its own steps, and the run's record tells of all."""

import os
from pathlib import Path
from typing import Any

import pytest

from infra.lake.store import Store
from schemas.errors import LedgerError
from schemas.tables import verdicts
from tests.support.runs import Command, make_attempts, write_jsonl


@pytest.fixture
def words(command: Command, tmp_path: Path) -> dict[str, Any]:
    """Parameters of a small recipe; the environment names its lake."""
    os.environ |= {"QUESTMILL_STORE": str(tmp_path / "lake"), "QUESTMILL_PROFILE": "ci"}
    return {"input": (str(write_jsonl(tmp_path / "a.jsonl", make_attempts(20))),), "shard_rows": 10}


def test_two_datasets_of_one_run_are_published_and_told(
    words: dict[str, Any], command: Command, tmp_path: Path
) -> None:
    from prefect import flow

    from flows.run.dask_runner import dask_runner
    from flows.run.run import Run
    from flows.verify import Verification
    from tasks.verification.attach_verdicts import AttachVerdicts

    @flow(name="two", task_runner=dask_runner)
    def two(recipe: Verification) -> object:
        run = Run.open(recipe)
        attempted = run.seed(recipe, reserved=verdicts.VERDICT_SCHEMA.names)
        judged = run.map(recipe.answer_match, attempted)
        verdict = run.publish("judged", judged)
        rows = run.publish("verified", run.merge(AttachVerdicts(), attempted, judged))
        half = run.map(recipe.answer_match.model_copy(update={"deadline": 4.0}), attempted)
        half.shards.pop()
        with pytest.raises(LedgerError, match=r"step seed: no later step worked on .* of its rows"):
            run.publish("half", half)
        return verdict, rows

    one, other = two(Verification(**words))  # type: ignore[misc]
    assert [count.step for count in one.ledger] == ["seed", "verify"]
    assert [count.step for count in other.ledger] == ["seed", "verify", "attach_verdicts"]
    shown = command("status", "--store", tmp_path / "lake").out
    [run] = [line for line in shown.splitlines() if f"published judged {one.version}" in line]
    assert f"published verified {other.version}" in run
    assert run.split()[1] == "two"
    store = Store(str(tmp_path / "lake"))
    assert [path.rpartition("/")[2] for path in store.list_paths("runs")] == [
        "published-judged.json",
        "published-verified.json",
        "started.json",
    ]


def test_a_dataset_whose_last_step_occurs_twice_is_read_back_as_it_was_published(
    words: dict[str, Any], command: Command
) -> None:
    from prefect import flow

    from flows.run.dask_runner import dask_runner
    from flows.run.run import Run
    from flows.templates import TemplateProblems
    from tasks.questions.language import KeepLanguage

    @flow(name="twice", task_runner=dask_runner)
    def twice(recipe: TemplateProblems) -> tuple[int, int, int]:
        run = Run.open(recipe)
        once = run.map(KeepLanguage(), run.map(recipe.draw, run.empty_rows(40, 20)))
        again = run.map(KeepLanguage(least_relative_probability=0.9), once)
        published = run.publish("twice", again)
        return (
            published.rows,
            run.require_dataset("twice", "question").rows,
            sum(c.rows_out for c in published.ledger[-2:]),
        )

    published, read_back, of_both = twice(TemplateProblems(n=40))  # type: ignore[misc]
    assert published == read_back == 40 and of_both == 80
