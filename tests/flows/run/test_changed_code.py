"""A stage whose code was edited between two runs: its rows are used with a warning, worked again, or the run stops."""

import importlib
import json
import os
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.lake.store import Store
from schemas.errors import BadInput, CodeChanged
from schemas.identity import FrozenModel
from schemas.receipts import Manifest
from tests.support.runs import Command, query

pytestmark = pytest.mark.system

MODULE = "stage_that_is_edited"
STAGE = """
    import pyarrow as pa

    from schemas.steps import Stage

    class Multiply(Stage):
        adds = pa.schema([("product", pa.int64())])

        def rows(self, batch, engine):
            for row in batch:
                yield row | {{"product": row["number"] * {factor}}}
"""


class Recipe(FrozenModel):
    """Four products."""

    dataset: str


Run = Callable[..., Manifest]


@pytest.fixture
def run(api: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Write the stage with a factor, load it anew, and run it."""
    from prefect import flow

    from flows.run.dask_runner import dask_runner
    from flows.run.run import Run as Runs

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("QUESTMILL_PROFILE", "ci")
    monkeypatch.setenv("QUESTMILL_STORE", str(tmp_path / "lake"))
    path = tmp_path / f"{MODULE}.py"
    path.write_text("")
    module = importlib.import_module(MODULE)

    @flow(name="products", task_runner=dask_runner)
    def products(recipe: Recipe) -> Manifest:
        opened = Runs.open(recipe)
        blanks = opened.empty_rows(4, 2)
        return opened.publish(recipe.dataset, opened.map(module.Multiply(), blanks))

    def call(dataset: str, factor: int, comment: str = "", **options: str) -> Manifest:
        path.write_text(textwrap.dedent(STAGE).format(factor=factor) + comment)
        os.utime(path, (0, factor * 10 + len(comment)))  # two edits in one second are two edits
        importlib.reload(module)
        for name in ("ON_CHANGED_CODE", "REDO"):
            monkeypatch.setenv(f"QUESTMILL_{name}", options.get(name.lower(), ""))
        return products(Recipe(dataset=dataset))

    return call


def products_of(lake: Path, dataset: str) -> list[Any]:
    return [row[0] for row in query(Store(str(lake)), f"SELECT product FROM {dataset} ORDER BY row_id")]


def test_rows_of_other_code_are_used_worked_again_or_the_run_stops(
    run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lake = tmp_path / "lake"
    assert run("first", 1).warnings == ()
    assert run("commented", 1, comment="# more words\n", on_changed_code="stop").warnings == ()
    capfd.readouterr()

    used = run("used", 2)
    [warning] = used.warnings
    assert warning.startswith("step multiply: 2 of 2 shards were worked by other code, and their rows are used")
    assert products_of(lake, "used") == [0, 1, 2, 3]
    assert capfd.readouterr().err.count(f"warning: {warning}\n") == 1
    html = (Store(str(lake)).read(f"reports/used/{used.version}.html") or b"").decode()
    assert "2 of 2 shards were worked by other code" in html

    with pytest.raises(CodeChanged, match=r"step multiply: shard .* was done by other code"):
        run("stopped", 2, on_changed_code="stop")

    redone = run("redone", 2, on_changed_code="redo")
    assert redone.warnings == () and products_of(lake, "redone") == [0, 2, 4, 6]
    assert "step multiply: 2 of 2 shards are worked again" in capfd.readouterr().err
    assert not set(redone.rows_of) & set(used.rows_of)

    after = run("after", 2)
    assert after.warnings == () and after.rows_of == redone.rows_of


def test_a_step_that_is_named_is_worked_again_and_an_unknown_one_is_refused(run: Run, tmp_path: Path) -> None:
    first = run("first", 1)
    with pytest.raises(BadInput, match=r"step 'multipli' cannot be redone, .*; there are: .*multiply"):
        run("second", 1, redo="multipli")
    second = run("second", 1, redo="multiply")
    assert not set(second.rows_of) & set(first.rows_of)
    assert run("third", 1, redo="multiply").rows_of == second.rows_of


def test_the_command_hands_on_what_to_do_with_earlier_work(command: Command, tmp_path: Path) -> None:
    words = ("run", "templates", "--n", "10", "--store", tmp_path / "lake")
    assert command(*words, "--on-changed-code", "guess").code == 2
    unknown = command(*words, "--redo", "nothing")
    assert unknown.code == 2 and "step 'nothing' cannot be redone" in unknown.err
    assert command(*words, "--redo", "draw_problem", "--on-changed-code", "redo").code == 0
    started = [path for path in Store(str(tmp_path / "lake")).list_paths("runs") if path.endswith("started.json")]
    parameters = json.loads(Store(str(tmp_path / "lake")).read(started[0]) or b"")["parameters"]
    assert not {"redo", "on_changed_code"} & set(parameters)
