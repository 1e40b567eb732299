"""The flow of a run whose stages do nothing."""

from prefect import flow
from pydantic import Field

from flows.run.dask_runner import dask_runner
from flows.run.run import Run
from schemas.identity import FrozenModel
from tests.bench.support.empty_stage import KeepAll


class EmptyShards(FrozenModel):
    """How many shards of one row, and how many stages they pass."""

    shards: int = Field(ge=1)
    stages: int = Field(ge=0)


@flow(name="empty_shards", task_runner=dask_runner)
def run_empty_shards(recipe: EmptyShards) -> int:
    """Pass every row through every stage, and wait for the last."""
    run = Run.open(recipe)
    table = run.empty_rows(recipe.shards, 1)
    for number in range(recipe.stages):
        table = run.map(KeepAll(number=number), table)
    return len(run._wait_for_committed(table))


def keep_all(shards: int, stages: int) -> int:
    """Run the flow; returns the number of receipts of the last stage."""
    return run_empty_shards(EmptyShards(shards=shards, stages=stages))
