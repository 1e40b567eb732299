"""Problems for reinforcement learning: solved many times, verified, and kept where a model passes now and then."""

from typing import Any

from prefect import flow
from pydantic import Field, model_validator

from flows.parts.verification import Verifiers, judged
from flows.run.run import Run, Table, active_profile, on_cluster
from infra.lake.store import open_store
from schemas.errors import BadInput
from schemas.input import Source
from schemas.names import DatasetName
from schemas.receipts import Manifest
from schemas.tables import rl_pool as rl_pool_table
from tasks.answers.pass_rate import Attempt, KeepBand, Model, PassRate


class RlPool(Verifiers):
    """Problems with their golds, who attempts them, and which rates are kept."""

    input: tuple[str, ...]
    """Paths or urls of problems, globs allowed; `--columns.question` and `--columns.answer` name their columns."""
    problems: DatasetName | None = None
    """A published dataset with columns `question` and `answer`, instead of files: that of `questmill run templates`."""
    models: tuple[Model, ...] = Field(default=("solver",), min_length=1)
    """Roles that attempt the problems; each has a rate of its own."""
    solve: Attempt = Attempt()
    """How they attempt them; role and name are those of the model."""
    keep: KeepBand = KeepBand()
    """Which problems are published."""
    dataset: DatasetName = "rl_pool"
    """Name under which the rows are published."""

    @model_validator(mode="before")
    @classmethod
    def _files_or_dataset(cls, values: Any) -> Any:
        return {"input": (), **values} if isinstance(values, dict) and values.get("problems") else values


class PoolOf(RlPool):
    """The same with what the problems are, so that another version of them is another run."""

    version: str


@flow(name="rl_pool", task_runner=on_cluster)
def rl_pool(recipe: RlPool) -> Manifest:
    """Solve, verify, filter, publish. Whole responses are verified, so that one without an answer counts as failed."""
    solvers = [recipe.solve.model_copy(update={"role": model, "model": model}) for model in recipe.models]
    run = Run.open(pinned(recipe).needed().model_copy(update={"solve": solvers[0]}))
    problems = given(run, recipe)
    attempts = [run.map(solver, problems) for solver in solvers]
    rates = [rated(run, recipe, solver, problems, table) for solver, table in zip(solvers, attempts, strict=True)]
    pool = run.merge(recipe.keep, run.join(*rates))
    run.gate(recipe.dataset, rl_pool_table.expectations(), pool)
    return run.publish(recipe.dataset, pool)


def rated(run: Run, recipe: RlPool, solver: Attempt, problems: Table, attempts: Table) -> Table:
    """The rate of every problem for one model."""
    rate = PassRate(model=solver.model, asked=solver.sampling.n)
    return run.merge(rate, problems, attempts, judged(run, recipe, attempts))


def pinned(recipe: RlPool) -> RlPool:
    """The recipe with the version of its dataset; raises `BadInput` where nothing is published under that name."""
    if recipe.problems is None:
        return recipe
    store = open_store(active_profile().store)
    if (version := store.current(recipe.problems)) is None:
        known = ", ".join(store.datasets()) or "none"
        raise BadInput(f"--problems {recipe.problems}: nothing is published under this name; published: {known}")
    return PoolOf(**dict(recipe), version=version)


def given(run: Run, recipe: RlPool) -> Table:
    """The problems. A file of them has no responses, so its questions are read in their place."""
    if recipe.problems:
        return run.known(recipe.problems, "question", "answer")
    columns = recipe.columns.model_copy(update={"response": recipe.columns.question})
    source = Source(input=recipe.input, columns=columns, shard_rows=recipe.shard_rows)
    return run.seed(source, reserved=[])
