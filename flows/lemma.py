"""Makes solutions that correct an error of their own, from a student's errors (LEMMA, arXiv:2503.17439)."""

from typing import ClassVar

from pydantic import Field, model_validator

from flows.run.recipe_flow import flow
from flows.run.run import Run, Table
from schemas.input import ColumnNames, Source
from schemas.names import DatasetName
from schemas.receipts import Manifest
from schemas.recipe import Recipe
from schemas.tables import corrections, diagnoses, error_draws, error_type_counts, solution_pairs
from schemas.tables.corrections import STRATEGIES, Strategy
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

COLUMNS_OF_STEPS = sorted(
    {*corrections.CORRECTIONS.names, *diagnoses.SCHEMA.names, *error_draws.ERROR_DRAWS.names}
    | {"attempts", "wrong", "failure", "overall"}
)
"""Columns that the steps add. The input's own columns of these names, such as MATH's `type`, are renamed."""


class Lemma(Recipe):
    """Which problems to use, and how errors and corrections are made; the defaults are the paper's numbers."""

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
        "strategies",
        "smoothing",
        "validate_corrections.max_overlap",
        "select.per_question",
        "select.limit_by_failure",
        "shard_rows",
        "dataset",
    )

    input: tuple[str, ...] = ()
    """Files of problems with a gold answer and a reference solution. Empty: `seeds` or the proving ground. The paper
    takes GSM8K and MATH (14,973)."""
    columns: ColumnNames = ColumnNames(response="solution")
    """Names of the input's columns; `response` is the reference solution. GSM8K: `--columns.response answer`. MATH
    beside it: `--columns math.jsonl:question=problem`, and the same for `response` and `answer` with `solution`."""
    seeds: DatasetName | None = None
    """Published dataset to take problems from instead of files, e.g. `scalequest`; None: no dataset."""
    problems: int = Field(default=500, ge=1)
    """Number of problems to draw from the proving ground if neither files nor a dataset are given."""
    draw: DrawProblem = DrawProblem()
    """Which problems of the proving ground are drawn."""
    normalize: NormalizeProblem = NormalizeProblem()
    """How problems are prepared: those without a sure answer or a reference solution are rejected."""
    attempt: SampleStudent = SampleStudent()
    """How the student's attempts are sampled (section 3.3). Its errors are what corrections are made from."""
    keep_decided: KeepDecided = KeepDecided()
    """How attempts are verified; only those that are surely right or wrong are kept."""
    segment: SegmentSteps = SegmentSteps()
    """How solutions are cut into steps."""
    diagnose: Diagnose = Diagnose()
    """How an error's type and first wrong step are found (section 3.2)."""
    count_types: CountErrorTypes = CountErrorTypes()
    """How the student's failures at each question are counted by type of error."""
    draw_types: DrawErrorTypes = DrawErrorTypes()
    """Which types of error are injected, and how many."""
    inject: Inject = Inject()
    """How the teacher writes a wrong solution with a drawn error (section 3.3)."""
    locate: Diagnose = Diagnose()
    """How the first wrong step of an injected error is found. It must be the line that the injection names."""
    truncate: Truncate = Truncate()
    """How wrong solutions are cut off after their first wrong step."""
    drop_duplicates: DropDuplicateErrors = DropDuplicateErrors()
    """How repeated errors of one question are dropped."""
    strategies: tuple[Strategy, ...] = Field(default=STRATEGIES, min_length=1)
    """Strategies that correct each error; the ablation of table 5 leaves out `fresh_restart`."""
    fix_continue: FixContinue = FixContinue()
    """How the first strategy, Fix & Continue, corrects an error (section 3.4)."""
    fresh_restart: FreshRestart = FreshRestart()
    """How the second strategy, Fresh & Restart, corrects an error (section 3.4)."""
    smoothing: bool = True
    """Whether to rewrite valid corrections to read as one line of thought (section 3.4)."""
    smooth: Smooth = Smooth()
    """How corrections are rewritten if `smoothing` is set (section 3.4)."""
    validate_corrections: ValidateCorrection = ValidateCorrection()
    """How corrections are checked, before and after smoothing. The paper checks the final answer only."""
    select: SelectCorrections = SelectCorrections()
    """Which corrections are published, and how many of each question."""
    shard_rows: int = Field(default=256, ge=1)
    """Number of problems in each shard, the unit that one task processes and commits."""
    dataset: DatasetName = "corrections"
    """Name under which the corrections are published."""
    pairs_dataset: DatasetName = "pairs"
    """Name under which the pairs of a verified wrong and a verified right solution are published."""
    error_types_dataset: DatasetName = "error_types"
    """Name under which the table of error types is published."""
    error_counts_dataset: DatasetName = "error_counts"
    """Name under which each question's error counts are published: the student's failures, by type of error."""

    @model_validator(mode="after")
    def _check_names_and_input(self) -> "Lemma":
        names = [self.dataset, self.pairs_dataset, self.error_types_dataset, self.error_counts_dataset]
        if len({*names}) < len(names):
            raise ValueError(
                f"dataset, pairs_dataset, error_types_dataset and error_counts_dataset must differ; they are {names}"
            )
        if len(self.strategies) < len(STRATEGIES) and self.select.both_strategies:
            raise ValueError("select.both_strategies publishes nothing with one strategy; set it to false")
        if len({*self.strategies}) < len(self.strategies):
            raise ValueError("strategies: one is named twice; name each once")
        if self.input and self.seeds:
            raise ValueError("input and seeds both name the problems; give one of them")
        return self


@flow(name="lemma")
def lemma(recipe: Lemma) -> Manifest:
    """Collect and inject errors, correct each by both strategies, and verify every solution before it is used."""
    run = Run.open(recipe)
    problems = run.map(recipe.normalize, load_problems(run, recipe))
    attempts = run.map(recipe.keep_decided, run.map(recipe.attempt, problems))
    diagnosed = run.map(recipe.diagnose, run.map(recipe.segment, attempts))
    counts = run.merge(recipe.count_types, problems, attempts, diagnosed, shard_rows=recipe.shard_rows)
    drawn_types = run.map(recipe.draw_types, counts)
    injected = run.map(recipe.segment, run.map(recipe.keep_decided, run.map(recipe.inject, drawn_types)))
    located = run.map(recipe.locate, injected)
    errors = run.map(recipe.truncate, run.union(diagnosed, located))
    # A problem has about four errors. Shards keep their length in problems, because each costs five more tasks.
    errors = run.merge(recipe.drop_duplicates, errors, shard_rows=4 * recipe.shard_rows)
    correcting = [stage for stage in (recipe.fix_continue, recipe.fresh_restart) if stage.strategy in recipe.strategies]
    drafts = run.union(*(run.map(stage, errors) for stage in correcting))
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
    """Load problems from files, from a published dataset, or from the proving ground."""
    if recipe.input:
        source = Source(input=recipe.input, columns=recipe.columns, shard_rows=recipe.shard_rows)
        return run.seed(source, reserved=COLUMNS_OF_STEPS)
    if recipe.seeds:
        return run.require_dataset(recipe.seeds, "question", "answer")
    return run.map(recipe.draw, run.empty_rows(recipe.problems, recipe.shard_rows))
