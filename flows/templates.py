"""Draws problems of the proving ground: questions whose exact answers are computed, not judged."""

from typing import ClassVar

from pydantic import Field

from flows.run.recipe_flow import flow
from flows.run.run import Run
from schemas.names import DatasetName
from schemas.receipts import Manifest
from schemas.recipe import Recipe
from schemas.tables import problems
from tasks.proving_ground.draw_problems import DrawProblem


class TemplateProblems(Recipe):
    """How many problems to draw, and which."""

    common_fields: ClassVar[tuple[str, ...]] = (
        "n",
        "draw.first_seed",
        "draw.solvable",
        "draw.topic",
        "draw.template",
        "shard_rows",
        "dataset",
    )

    n: int = Field(default=10_000, ge=1)
    """Number of problems to draw from the templates of the proving ground."""
    draw: DrawProblem = DrawProblem()
    """Which problems are drawn, by seed, topic, template and solvability."""
    shard_rows: int = Field(default=5_000, ge=1)
    """Number of problems in each shard, the unit that one task processes and commits."""
    dataset: DatasetName = "problems"
    """Name under which the rows are published."""


@flow(name="templates")
def templates(recipe: TemplateProblems) -> Manifest:
    """Draw problems with worked solutions and exact answers, and publish them. A seed always gives the same problem."""
    run = Run.open(recipe)
    drawn = run.map(recipe.draw, run.empty_rows(recipe.n, recipe.shard_rows))
    run.gate(recipe.dataset, problems.expectations(), drawn)
    return run.publish(recipe.dataset, drawn)
