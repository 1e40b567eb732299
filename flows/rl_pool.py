"""Selects problems for reinforcement learning: those that a model solves sometimes, but not always."""

from typing import Any, ClassVar

from pydantic import Field, model_validator

from flows.parts.verification import Verifiers, report_gold_doubts, verify_attempts
from flows.run.options import load_active_profile
from flows.run.recipe_flow import flow
from flows.run.run import Run, Table
from infra.lake.store import open_store
from schemas.errors import BadInput
from schemas.input import Source
from schemas.names import DatasetName
from schemas.receipts import Manifest
from schemas.tables import rl_pool as rl_pool_table
from tasks.answers.pass_rate import KeepPassRateBand, ModelName, PassRate, SampleResponses


class RlPool(Verifiers):
    """Which problems are attempted, by which models, and which pass rates are kept."""

    common_fields: ClassVar[tuple[str, ...]] = (
        "input",
        "columns.question",
        "columns.answer",
        "problems",
        "models",
        "solve.sampling.n",
        "solve.sampling.temperature",
        "solve.sampling.max_tokens",
        "verifiers",
        "answer_type",
        "keep_band.low",
        "keep_band.high",
        "shard_rows",
        "dataset",
    )

    input: tuple[str, ...]
    """Paths or URLs of files of problems, globs allowed. The flags `--columns.question` and `--columns.answer` name
    their columns, `--columns math.jsonl:question=problem` those of one file."""
    problems: DatasetName | None = None
    """Published dataset to use instead of files; None: files. It has columns `question` and `answer`; `templates`
    publishes one."""
    models: tuple[ModelName, ...] = Field(default=("solver",), min_length=1)
    """Roles of the models that attempt the problems. Each has its own pass rate for each problem."""
    solve: SampleResponses = SampleResponses()
    """How the models attempt the problems. Its `role` and `model` are set from `models`."""
    keep_band: KeepPassRateBand = KeepPassRateBand()
    """Which problems are published, by pass rate."""
    dataset: DatasetName = "rl_pool"
    """Name under which the rows are published."""

    @model_validator(mode="before")
    @classmethod
    def _default_input(cls, values: Any) -> Any:
        return {"input": (), **values} if isinstance(values, dict) and values.get("problems") else values


class PinnedRlPool(RlPool):
    """The recipe with the version of its dataset, so that another version makes another run."""

    version: str


@flow(name="rl_pool")
def rl_pool(recipe: RlPool) -> Manifest:
    """Sample, verify, filter and publish. Whole responses are verified, so one without an answer counts as failed."""
    solvers = [recipe.solve.model_copy(update={"role": model, "model": model}) for model in recipe.models]
    run = Run.open(with_dataset_version(recipe).without_idle_roles().model_copy(update={"solve": solvers[0]}))
    problems = load_problems(run, recipe)
    attempts = [run.map(solver, problems) for solver in solvers]
    rates, verdicts = list[Table](), list[Table]()
    for solver, table in zip(solvers, attempts, strict=True):
        verdicts.append(verify_attempts(run, recipe, table))
        rate = PassRate(model=solver.model, samples_requested=solver.sampling.n)
        rates.append(run.merge(rate, problems, table, verdicts[-1]))
    samples = {"without_cut_off": True, "counts_repeats": recipe.solve.sampling.temperature > 0}
    report_gold_doubts(run, recipe, recipe.dataset, run.union(*attempts), run.union(*verdicts), **samples)
    pool = run.merge(recipe.keep_band, run.union(*rates))
    run.gate(recipe.dataset, rl_pool_table.expectations(), pool)
    return run.publish(recipe.dataset, pool)


def with_dataset_version(recipe: RlPool) -> RlPool:
    """Pin the version of the recipe's dataset; raises `BadInput` if nothing is published under that name."""
    if recipe.problems is None:
        return recipe
    store = open_store(load_active_profile().store)
    if (version := store.datasets.current_version(recipe.problems)) is None:
        known = ", ".join(store.datasets.names()) or "none"
        raise BadInput(f"--problems {recipe.problems}: nothing is published under this name; published: {known}")
    return PinnedRlPool(**dict(recipe), version=version)


def load_problems(run: Run, recipe: RlPool) -> Table:
    """Load the problems. Files of problems have no responses, so the question column is read in their place."""
    if recipe.problems:
        return run.require_dataset(recipe.problems, "question", "answer")
    source = Source(input=recipe.input, columns=recipe.columns.without_responses(), shard_rows=recipe.shard_rows)
    return run.seed(source, reserved=[])
