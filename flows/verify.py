"""Verifies recorded solutions: every attempt gets a verdict, and the rule that decided it."""

from typing import Any, ClassVar, Self

from pydantic import model_validator

from flows.parts.rejudge import PublishedVerdicts, load_published_verdicts, report_changes
from flows.parts.verification import Verifiers, report_gold_doubts, verify_attempts
from flows.run.recipe_flow import flow
from flows.run.run import Run, Table
from schemas.names import DatasetName
from schemas.receipts import Manifest
from schemas.tables import attempts, verdict_changes, verdicts
from tasks.verification.attach_verdicts import AttachVerdicts
from tasks.verification.compare_verdicts import CompareVerdicts


class Verification(Verifiers):
    """Which attempts are verified, and how."""

    common_fields: ClassVar[tuple[str, ...]] = (
        "input",
        "columns.question",
        "columns.response",
        "columns.answer",
        "verifiers",
        "answer_type",
        "combine",
        "answer_match.tolerance",
        "answer_match.deadline",
        "llm_judge.role",
        "llm_judge.sampling.n",
        "vote.least_agreement",
        "shard_rows",
        "dataset",
    )

    input: tuple[str, ...]
    """Paths or URLs of files of attempts, globs allowed. Without any, the published `dataset` is verified again."""
    dataset: DatasetName = "verified"
    """Name under which the rows are published. If it is verified again, the changes are also published as
    `<dataset>_changes`."""

    @model_validator(mode="before")
    @classmethod
    def _default_input(cls, values: Any) -> Any:
        return {"input": (), **values} if isinstance(values, dict) and "dataset" in values else values


class Reverification(Verification):
    """The recipe with the version that is verified again, so that another version makes another run."""

    version: str

    @classmethod
    def from_published(cls, recipe: Verification, published: PublishedVerdicts) -> Self:
        """Make the recipe that verifies `published` again."""
        return cls(**dict(recipe), version=published.version)


@flow(name="verify")
def verify(recipe: Verification) -> Manifest:
    """Give every attempt a verdict and keep all input columns. Attempts of a published dataset come from the lake."""
    published = None if recipe.input else load_published_verdicts(recipe.dataset)
    run = Run.open((Reverification.from_published(recipe, published) if published else recipe).without_idle_roles())
    attempted = published.load_attempts(run) if published else run.seed(recipe, reserved=recipe.added_columns())
    new_verdicts = verify_attempts(run, recipe, attempted)
    report_gold_doubts(run, recipe, recipe.dataset, attempted, new_verdicts)
    verified = run.merge(AttachVerdicts(), attempted, new_verdicts)
    run.gate(recipe.dataset, attempts.expectations() + verdicts.expectations(), verified)
    if published:
        publish_changes(run, recipe.dataset, published, attempted, new_verdicts)
    return run.publish(recipe.dataset, verified)


def publish_changes(
    run: Run, dataset: str, published: PublishedVerdicts, attempted: Table, new_verdicts: Table
) -> None:
    """Publish the changes of verdicts as `<dataset>_changes`, and report their number."""
    changed = run.merge(CompareVerdicts(), attempted, published.verdicts, new_verdicts)
    run.gate(f"{dataset}_changes", verdict_changes.expectations(), changed)
    run.publish(f"{dataset}_changes", changed)
    report_changes(run, f"{dataset} {published.version}", changed)
