"""Compares students fine-tuned on solutions, on corrections, and on corrections without the wrong step."""

from typing import ClassVar

from pydantic import Field, field_validator

from flows.run.recipe_flow import flow
from flows.run.run import Run, Table
from schemas.input import ColumnNames, Source
from schemas.names import DatasetName
from schemas.prompts import Sampling
from schemas.receipts import Manifest
from schemas.recipe import Recipe
from schemas.tables import student_scores
from tasks.lemma.student_attempts import KeepDecided, NormalizeProblem, SampleStudent
from tasks.proving_ground.draw_problems import DrawProblem
from tasks.training.student import (
    CompareStudents,
    CorrectionsAsExamples,
    SolutionsAsExamples,
    StudentFineTuning,
    TraceSelfCorrection,
)


class Student(Recipe):
    """Which datasets are compared, and how students are trained; each starts from the model of role `student`."""

    common_fields: ClassVar[tuple[str, ...]] = (
        "solutions",
        "corrections",
        "seeds",
        "input",
        "problems",
        "fine_tuning.learning_rate",
        "fine_tuning.token_budget",
        "attempt.sampling.max_tokens",
        "shard_rows",
        "dataset",
    )

    solutions: DatasetName = "pairs"
    """Published dataset of pairs; the first student learns its `chosen` solutions. The lemma recipe publishes it."""
    corrections: DatasetName = "corrections"
    """Published dataset of corrections, which the other two students learn. One of them skips the wrong step."""
    fine_tuning: StudentFineTuning = StudentFineTuning()
    """How students are fine-tuned, all in the same way."""
    seeds: tuple[int, ...] = Field(default=(1, 2, 3), min_length=1)
    """Seeds of the trainings: each gives one student of each kind. Score differences between seeds are chance."""
    input: tuple[str, ...] = ()
    """Files of test problems, unseen by the students, with a gold answer and a reference solution. Empty: problems of
    the proving ground."""
    columns: ColumnNames = ColumnNames(response="solution")
    """Names of the input's columns; `response` is the reference solution."""
    problems: int = Field(default=500, ge=1)
    """Number of test problems to draw from the proving ground if no files are given."""
    draw: DrawProblem = DrawProblem(first_seed=1_900_000_000)
    """Which test problems are drawn: by default, none that `lemma` or the pupil's training uses."""
    attempt: SampleStudent = SampleStudent(sampling=Sampling(max_tokens=1024))
    """How students are tested. First pass is the share of problems that one greedy attempt each gets right."""
    keep_decided: KeepDecided = KeepDecided()
    """How attempts are verified; only those that are surely right or wrong are kept."""
    shard_rows: int = Field(default=256, ge=1)
    """Number of problems in each shard, the unit that one task processes and commits."""
    dataset: DatasetName = "students"
    """Name under which the comparison is published."""

    @field_validator("attempt")
    @classmethod
    def _check_one_greedy_attempt(cls, attempt: SampleStudent) -> SampleStudent:
        """Reject several attempts, which are no first pass, and sampled ones, which differ from run to run."""
        sampling = attempt.sampling
        if sampling.n > 1 or sampling.temperature > 0:
            raise ValueError(
                "first pass is measured on one greedy attempt at each problem, "
                f"not on {sampling.n} at temperature {sampling.temperature:g}; "
                "leave sampling.n at 1 and sampling.temperature at 0"
            )
        return attempt


@flow(name="student")
def student(recipe: Student) -> Manifest:
    """Train students on each kind of rows, all on the same number of tokens, and publish their scores."""
    run = Run.open(recipe)
    corrections = run.require_dataset(recipe.corrections, "trajectory", "wrong_start", "wrong_end")
    rows = {
        "solutions": run.merge(SolutionsAsExamples(), run.require_dataset(recipe.solutions, "question", "chosen")),
        "corrections": run.merge(CorrectionsAsExamples(), corrections),
        "masked": run.merge(CorrectionsAsExamples(masked=True), corrections),
    }
    problems = run.map(NormalizeProblem(), load_problems(run, recipe))
    role = recipe.attempt.role or "student"
    answers = {role: sample_answers(run, recipe, problems, role)}
    for seed in recipe.seeds:
        for name, examples in rows.items():
            tune = recipe.fine_tuning.model_copy(update={"seed": seed, "role": role, "prompt_stage": recipe.attempt})
            trained = run.train(tune, examples)
            with run.with_models(**{role: trained}):
                answers[f"{name}_{seed}"] = sample_answers(run, recipe, problems, f"{name}_{seed}")
    empty_rows = run.empty_rows(len(answers), len(answers), id_prefix="student:")
    scores = run.merge(CompareStudents(students=tuple(answers)), empty_rows, problems, run.union(*answers.values()))
    run.gate(recipe.dataset, student_scores.expectations(), scores)
    return run.publish(recipe.dataset, scores)


def load_problems(run: Run, recipe: Student) -> Table:
    """Load test problems from files, or from the proving ground."""
    if recipe.input:
        return run.seed(Source(input=recipe.input, columns=recipe.columns, shard_rows=recipe.shard_rows), reserved=[])
    return run.map(recipe.draw, run.empty_rows(recipe.problems, recipe.shard_rows))


def sample_answers(run: Run, recipe: Student, problems: Table, name: str) -> Table:
    """Sample one attempt at each problem from the current student; its rows carry `name`."""
    return run.map(TraceSelfCorrection(student=name), run.map(recipe.keep_decided, run.map(recipe.attempt, problems)))
