"""Verify recorded solutions: a verdict for every attempt, with the rule that decided it."""

from typing import Any, Self

from prefect import flow
from pydantic import model_validator

from flows.parts.rejudge import Recorded, recorded, tell
from flows.parts.verification import Verifiers, judged
from flows.run.run import Run, Table, on_cluster
from schemas.names import DatasetName
from schemas.receipts import Manifest
from schemas.tables import attempts, verdict_changes, verdicts
from tasks.verification.attach_verdicts import Judged
from tasks.verification.compare_verdicts import CompareVerdicts


class Verification(Verifiers):
    """What to verify, and how."""

    input: tuple[str, ...]
    """Paths or urls; globs allowed. Where there are none, what was published as `dataset` is judged again."""
    dataset: DatasetName = "verified"
    """Name under which the rows are published; judged again, also what changes, as `<dataset>_changes`."""

    @model_validator(mode="before")
    @classmethod
    def _files_or_dataset(cls, values: Any) -> Any:
        return {"input": (), **values} if isinstance(values, dict) and "dataset" in values else values


class Again(Verification):
    """The same with what is judged again, so that another version of the dataset is another run."""

    version: str

    @classmethod
    def of(cls, recipe: Verification, known: Recorded) -> Self:
        """The recipe for what was found."""
        return cls(**dict(recipe), version=known.version)


@flow(name="verify", task_runner=on_cluster)
def verify(recipe: Verification) -> Manifest:
    """One verdict a row; every column of the input is kept. Judged again, attempts are read from where they lie."""
    known = None if recipe.input else recorded(recipe.dataset)
    run = Run.open((Again.of(recipe, known) if known else recipe).needed())
    attempted = known.attempts(run) if known else run.seed(recipe, reserved=recipe.columns_added())
    said = judged(run, recipe, attempted)
    verified = run.merge(Judged(), attempted, said)
    run.gate(recipe.dataset, attempts.expectations() + verdicts.expectations(), verified)
    if known:
        compare(run, recipe.dataset, known, attempted, said)
    return run.publish(recipe.dataset, verified)


def compare(run: Run, dataset: str, known: Recorded, attempted: Table, said: Table) -> None:
    """Publish what is judged otherwise than before, and say how much that is."""
    changed = run.merge(CompareVerdicts(), attempted, known.verdicts, said)
    run.gate(f"{dataset}_changes", verdict_changes.expectations(), changed)
    run.publish(f"{dataset}_changes", changed)
    tell(run, f"{dataset} {known.version}", changed)
