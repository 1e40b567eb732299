"""A recipe whose merge has more rows than one worker compares: all workers prepare it, and the rows are the same."""

from pathlib import Path
from typing import Any

import pytest

from infra.lake.store import open_store
from schemas.identity import FrozenModel
from schemas.receipts import Manifest
from tasks.dedup.near import DropNearDuplicates
from tasks.proving_ground.draw_problems import DrawProblem

pytestmark = pytest.mark.system


class Recipe(FrozenModel):
    """Problems of the proving ground without near-duplicates."""

    draw: DrawProblem = DrawProblem()
    near: DropNearDuplicates


def test_a_merge_that_all_workers_prepare_publishes_the_same_rows(
    api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from prefect import flow

    from flows.run.dask_runner import dask_runner
    from flows.run.run import Run

    @flow(name="near", task_runner=dask_runner)
    def drop(recipe: Recipe) -> Manifest:
        run = Run.open(recipe)
        later = recipe.draw.model_copy(update={"first_seed": 45})
        drawn = [
            run.map(draw, run.empty_rows(90, 20, id_prefix=name)) for name, draw in (("a:", recipe.draw), ("b:", later))
        ]
        return run.publish("near", run.merge(recipe.near, run.union(*drawn), shard_rows=16))

    manifests: list[Any] = []
    for rows in (20, 1000):
        lake = str(tmp_path / f"lake{rows}")
        monkeypatch.setenv("QUESTMILL_STORE", lake)
        manifests.append(drop(Recipe(near=DropNearDuplicates(partition_rows=rows))))
        assert not open_store(lake).list_paths("partitions")
    one, other = manifests
    assert one.content == other.content
    assert one.ledger[-1].rejected == other.ledger[-1].rejected and one.ledger[-1].rejected["near duplicate"] >= 45
    assert capfd.readouterr().err.count("partitions") == 1
