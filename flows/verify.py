"""Verify recorded solutions: a verdict for every attempt, with the rule that decided it."""

from prefect import flow

from flows.run import Run, on_cluster
from schemas import attempts, verdicts
from schemas.source import Source
from schemas.work import DatasetName, Manifest
from tasks.join import Judged
from tasks.verify import Verify


class Verification(Source):
    """What to verify, and how."""

    judge: Verify = Verify()
    """The verifier."""
    dataset: DatasetName = "verified"
    """Name under which the rows are published."""


@flow(name="verify", task_runner=on_cluster)
def verify(recipe: Verification) -> Manifest:
    """One verdict a row: correct, wrong, unparseable or timeout; every column of the input is kept."""
    run = Run.open(recipe)
    attempted = run.seed(recipe, reserved=verdicts.SCHEMA.names)
    judged = run.map(recipe.judge, attempted)
    verified = run.merge(Judged(), attempted, judged)
    run.gate(recipe.dataset, attempts.expectations() + verdicts.expectations(), verified)
    return run.publish(recipe.dataset, verified)
