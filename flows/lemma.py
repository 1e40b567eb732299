"""Solutions that go wrong, notice and end well, made from a student's errors (LEMMA, arXiv:2503.17439)."""

from typing import ClassVar

from prefect import flow
from pydantic import Field, model_validator

from flows.run.run import Run, Table, dask_runner
from schemas.input import ColumnNames, Source
from schemas.names import DatasetName
from schemas.receipts import Manifest
from schemas.recipe import Recipe
from schemas.tables import corrections, error_draws, error_type_counts, solution_pairs
from tasks.lemma.corrections import FixContinue, FreshRestart
from tasks.lemma.diagnose import Diagnose
from tasks.lemma.error_distribution import CountErrorTypes, DrawErrorTypes
from tasks.lemma.error_type_report import MeasureErrorTypes
from tasks.lemma.error_types import ERROR_TYPES
from tasks.lemma.inject import Inject
from tasks.lemma.segment_steps import SegmentSteps
from tasks.lemma.select_corrections import SelectCorrections
from tasks.lemma.smooth import Smooth
from tasks.lemma.solution_pairs import PairSolutions
from tasks.lemma.student_attempts import KeepDecided, NormalizeProblem, SampleStudent
from tasks.lemma.truncate import DropDuplicateErrors, Truncate
from tasks.lemma.validate import ValidateCorrection
from tasks.proving_ground.draw_problems import DrawProblem


class Lemma(Recipe):
    """Which problems, and what is made of the errors in them; the defaults are the paper's numbers."""

    common_fields: ClassVar[tuple[str, ...]] = (
        "input",
        "columns.response",
        "seeds",
        "problems",
        "attempt.role",
        "attempt.sampling.n",
        "attempt.sampling.max_tokens",
        "diagnose.role",
        "inject.role",
        "draw_types.injections",
        "draw_types.types",
        "smoothing",
        "validate_corrections.max_overlap",
        "select.per_question",
        "select.limit_by_failure",
        "shard_rows",
        "dataset",
    )

    input: tuple[str, ...] = ()
    """Files of problems with a gold answer and a reference solution; the paper takes GSM8K and MATH (14,973)."""
    columns: ColumnNames = ColumnNames(response="solution")
    """Which column is which; `response` is the reference. GSM8K has both in one: `--columns.response answer`."""
    seeds: DatasetName | None = None
    """A published dataset to take problems from in place of files, e.g. `scalequest`."""
    problems: int = Field(default=500, ge=1)
    """Problems of the proving ground, where neither files nor a dataset are named."""
    draw: DrawProblem = DrawProblem()
    """Which ones."""
    normalize: NormalizeProblem = NormalizeProblem()
    """Only problems whose answer is sure."""
    attempt: SampleStudent = SampleStudent()
    """The student's errors are the seed of everything (section 3.3)."""
    keep_decided: KeepDecided = KeepDecided()
    """Right, wrong, or nobody knows."""
    segment: SegmentSteps = SegmentSteps()
    """Into steps."""
    diagnose: Diagnose = Diagnose()
    """Type and first wrong step of the student's errors (section 3.2)."""
    count_types: CountErrorTypes = CountErrorTypes()
    """The distribution of each question."""
    draw_types: DrawErrorTypes = DrawErrorTypes()
    """Which errors to inject."""
    inject: Inject = Inject()
    """Error-type grounded augmentation (section 3.3)."""
    locate: Diagnose = Diagnose()
    """First wrong step of the injected errors, held against what their maker says."""
    truncate: Truncate = Truncate()
    """At the first wrong step."""
    drop_duplicates: DropDuplicateErrors = DropDuplicateErrors()
    """Each error of a question once."""
    fix_continue: FixContinue = FixContinue()
    """First strategy (section 3.4)."""
    fresh_restart: FreshRestart = FreshRestart()
    """Second strategy."""
    smoothing: bool = True
    """Smooth what was found right (section 3.4)."""
    smooth: Smooth = Smooth()
    """How."""
    validate_corrections: ValidateCorrection = ValidateCorrection()
    """Before and after smoothing; the paper looks at the answer alone."""
    select: SelectCorrections = SelectCorrections()
    """What is published."""
    shard_rows: int = Field(default=256, ge=1)
    """Problems a shard."""
    dataset: DatasetName = "corrections"
    """Name under which the corrections are published."""
    pairs_dataset: DatasetName = "pairs"
    """Name of the verified-wrong and verified-right pairs."""
    error_types_dataset: DatasetName = "error_types"
    """Name of the table of error types."""
    error_counts_dataset: DatasetName = "error_counts"
    """Name of the table of each question's errors: how often the student failed, and of which types."""

    @model_validator(mode="after")
    def _check_names_and_input(self) -> "Lemma":
        names = [self.dataset, self.pairs_dataset, self.error_types_dataset, self.error_counts_dataset]
        if len({*names}) < len(names):
            raise ValueError(f"dataset, pairs, mix and counts are four tables; one name is given twice in {names}")
        if self.input and self.seeds:
            raise ValueError("input and seeds both name the problems; give one of them")
        return self


@flow(name="lemma", task_runner=dask_runner)
def lemma(recipe: Lemma) -> Manifest:
    """Errors from two sources, both strategies for each, and a verdict before anything is built on it."""
    run = Run.open(recipe)
    problems = run.map(recipe.normalize, load_problems(run, recipe))
    attempts = run.map(recipe.keep_decided, run.map(recipe.attempt, problems))
    diagnosed = run.map(recipe.diagnose, run.map(recipe.segment, attempts))
    count = recipe.count_types.model_copy(update={"samples": recipe.attempt.sampling.n})
    counts = run.merge(count, problems, attempts, diagnosed, shard_rows=recipe.shard_rows)
    drawn_types = run.map(recipe.draw_types, counts)
    injected = run.map(recipe.segment, run.map(recipe.keep_decided, run.map(recipe.inject, drawn_types)))
    located = run.map(recipe.locate, injected)
    errors = run.map(recipe.truncate, run.union(diagnosed, located))
    # A problem has some four errors; shards stay as long as they were, for each one costs five tasks from here on.
    errors = run.merge(recipe.drop_duplicates, errors, shard_rows=4 * recipe.shard_rows)
    drafts = run.union(run.map(recipe.fix_continue, errors), run.map(recipe.fresh_restart, errors))
    checked = run.map(recipe.validate_corrections, drafts)
    if recipe.smoothing:
        checked = run.map(recipe.validate_corrections, run.map(recipe.smooth, checked))
    corrected = run.merge(recipe.select, checked, counts, drawn_types)
    run.gate(recipe.dataset, corrections.expectations(), corrected)
    pairs = run.merge(PairSolutions(), errors, attempts, checked)
    run.gate(recipe.pairs_dataset, solution_pairs.expectations(), pairs)
    type_counts = run.empty_rows(len(ERROR_TYPES), len(ERROR_TYPES), id_prefix="type:")
    type_counts = run.merge(MeasureErrorTypes(), type_counts, diagnosed, drawn_types, errors, corrected)
    run.gate(recipe.error_types_dataset, error_type_counts.expectations(), type_counts)
    run.gate(recipe.error_counts_dataset, error_draws.expectations(), counts)
    run.publish(recipe.error_counts_dataset, counts)
    run.publish(recipe.error_types_dataset, type_counts)
    run.publish(recipe.pairs_dataset, pairs)
    return run.publish(recipe.dataset, corrected)


def load_problems(run: Run, recipe: Lemma) -> Table:
    """Problems from files, from a published dataset, or from the proving ground."""
    if recipe.input:
        return run.seed(Source(input=recipe.input, columns=recipe.columns, shard_rows=recipe.shard_rows), reserved=[])
    if recipe.seeds:
        return run.require_dataset(recipe.seeds, "question", "answer")
    return run.map(recipe.draw, run.empty_rows(recipe.problems, recipe.shard_rows))
