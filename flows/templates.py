"""Draw problems of the proving ground: questions with exact answers, computed and not judged."""

from prefect import flow
from pydantic import Field

from flows.run.run import Run, on_cluster
from schemas.identity import Frozen
from schemas.names import DatasetName
from schemas.receipts import Manifest
from schemas.tables import problems
from tasks.proving_ground.draw_problems import Draw


class Templates(Frozen):
    """How many problems to draw, and of which kind."""

    n: int = Field(default=10_000, ge=1)
    """Problems."""
    draw: Draw = Draw()
    """Seeds, topic, template, solvable or not."""
    shard_rows: int = Field(default=5_000, ge=1)
    """Problems a shard."""
    dataset: DatasetName = "problems"
    """Name under which the rows are published."""


@flow(name="templates", task_runner=on_cluster)
def templates(recipe: Templates) -> Manifest:
    """Problems with worked solutions and exact answers; every one is reproduced by its seed."""
    run = Run.open(recipe)
    drawn = run.map(recipe.draw, run.blanks(recipe.n, recipe.shard_rows))
    run.gate(recipe.dataset, problems.expectations(), drawn)
    return run.publish(recipe.dataset, drawn)
