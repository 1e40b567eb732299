"""Do rows teach? Students of verified solutions, of corrections, and of corrections without their wrong step."""

from prefect import flow
from pydantic import Field, field_validator

from flows.run.run import Run, Table, on_cluster
from schemas.identity import Frozen
from schemas.input import Columns, Source
from schemas.names import DatasetName
from schemas.prompts import Sampling
from schemas.receipts import Manifest
from schemas.tables import student_scores
from tasks.lemma.student_attempts import Grade, Pose, SampleStudent
from tasks.proving_ground.draw_problems import Draw
from tasks.training.student import MeasureStudents, Retrace, TakeCorrections, TakeSolutions, TuneStudent


class Student(Frozen):
    """Which rows are held against each other, and how long each student learns; it begins from the role `student`."""

    solutions: DatasetName = "pairs"
    """Published dataset whose `chosen` solutions the first student learns; the lemma recipe publishes it."""
    corrections: DatasetName = "corrections"
    """Published dataset of the other two."""
    tune: TuneStudent = TuneStudent()
    """The same for all."""
    seeds: tuple[int, ...] = Field(default=(1, 2, 3), min_length=1)
    """Students of each kind: what differs between them is chance."""
    input: tuple[str, ...] = ()
    """Files of problems with a gold answer and a reference solution, which no student has seen."""
    columns: Columns = Columns(response="solution")
    """Which column is which."""
    problems: int = Field(default=500, ge=1)
    """Problems of the proving ground, where no files are named."""
    draw: Draw = Draw(first_seed=1_900_000_000)
    """Which ones: others than `lemma` and the pupil's lessons draw."""
    attempt: SampleStudent = SampleStudent(sampling=Sampling(max_tokens=1024))
    """Greedy, and one for each problem: first pass is the share of problems that it gets right."""
    grade: Grade = Grade()
    """Right, wrong, or nobody knows."""
    shard_rows: int = Field(default=256, ge=1)
    """Problems a shard."""
    dataset: DatasetName = "students"
    """Name under which the comparison is published."""

    @field_validator("attempt")
    @classmethod
    def _first_pass(cls, attempt: SampleStudent) -> SampleStudent:
        """Several attempts at a problem are more than one pass, and one by chance is another each time."""
        sampling = attempt.sampling
        if sampling.n > 1 or sampling.temperature > 0:
            raise ValueError(
                "first pass is measured on one greedy attempt at each problem, "
                f"not on {sampling.n} at temperature {sampling.temperature:g}; "
                "leave sampling.n at 1 and sampling.temperature at 0"
            )
        return attempt


@flow(name="student", task_runner=on_cluster)
def student(recipe: Student) -> Manifest:
    """Each student reads as many tokens of its own rows as the others of theirs."""
    run = Run.open(recipe)
    corrections = run.known(recipe.corrections, "trajectory", "wrong_start", "wrong_end")
    rows = {
        "solutions": run.merge(TakeSolutions(), run.known(recipe.solutions, "question", "chosen")),
        "corrections": run.merge(TakeCorrections(), corrections),
        "masked": run.merge(TakeCorrections(masked=True), corrections),
    }
    problems = run.map(Pose(), posed(run, recipe))
    role = recipe.attempt.role or "student"
    answers = {role: answered(run, recipe, problems, role)}
    for seed in recipe.seeds:
        for name, examples in rows.items():
            tune = recipe.tune.model_copy(update={"seed": seed, "role": role, "asked": recipe.attempt})
            taught = run.train(tune, examples)
            with run.using(**{role: taught}):
                answers[f"{name}_{seed}"] = answered(run, recipe, problems, f"{name}_{seed}")
    blanks = run.blanks(len(answers), len(answers), mark="student:")
    measured = run.merge(MeasureStudents(names=tuple(answers)), blanks, problems, run.join(*answers.values()))
    run.gate(recipe.dataset, student_scores.expectations(), measured)
    return run.publish(recipe.dataset, measured)


def posed(run: Run, recipe: Student) -> Table:
    """Problems from files, or from the proving ground."""
    if recipe.input:
        return run.seed(Source(input=recipe.input, columns=recipe.columns, shard_rows=recipe.shard_rows), reserved=[])
    return run.map(recipe.draw, run.blanks(recipe.problems, recipe.shard_rows))


def answered(run: Run, recipe: Student, problems: Table, name: str) -> Table:
    """One attempt at each problem by whoever plays the student, under a name of its own."""
    return run.map(Retrace(student=name), run.map(recipe.grade, run.map(recipe.attempt, problems)))
