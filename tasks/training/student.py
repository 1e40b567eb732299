"""Trains students on published rows and compares them, to measure whether the rows are useful for training."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.identity import NotIdentity
from schemas.outcomes import Row
from schemas.steps import Merge, Stage
from schemas.tables import student_scores
from tasks.base.confidence import with_wilson_interval
from tasks.lemma.reflections import SELF_DOUBT
from tasks.lemma.segment_steps import split_steps
from tasks.lemma.student_attempts import SampleStudent
from tasks.proving_ground.oracle import diagnose_solution, read_question
from tasks.training.config import FineTuning


class SolutionsAsExamples(Merge):
    """Makes training examples of verified solutions: the chosen side of `pairs`, each text once."""

    label: ClassVar[str] = "solutions_as_examples"
    inputs: ClassVar[tuple[str, ...]] = ("pairs",)

    def sql(self) -> str:
        return """
            SELECT row_id, question, chosen AS text, 0::INTEGER AS masked_start, 0::INTEGER AS masked_end, CASE
                WHEN row_number() OVER (PARTITION BY question, chosen ORDER BY row_id) > 1 THEN 'the same again'
            END AS reject
            FROM pairs ORDER BY row_id
        """


class CorrectionsAsExamples(Merge):
    """Makes training examples of corrections, with or without a loss on the wrong step."""

    label: ClassVar[str] = "corrections_as_examples"
    inputs: ClassVar[tuple[str, ...]] = ("corrections",)

    masked: bool = False
    """Whether to exclude the wrong step from the loss, so that the student reads it but does not learn to write it."""

    def sql(self) -> str:
        """The wrong step is the last step of the prefix."""
        start, end = ("wrong_start", "wrong_end") if self.masked else ("0", "0")
        return f"""
            SELECT row_id, question, trajectory AS text,
                {start}::INTEGER AS masked_start, {end}::INTEGER AS masked_end
            FROM corrections ORDER BY row_id
        """


class StudentFineTuning(FineTuning):
    """Fine-tunes a student on whole replies, in the prompt format in which it solves, with a fixed budget of tokens.

    Rows are read in a random order, over and over, until the budget is spent. So all students train on equally many
    tokens, and one with more rows reads each of them less often.
    """

    label: ClassVar[str] = "student_fine_tuning"
    version: ClassVar[int] = 2
    inputs: ClassVar[tuple[str, ...]] = ("examples",)
    """The table `examples` has the columns `question`, `text`, `masked_start` and `masked_end`."""
    trainer: ClassVar[str] = "tasks.training.sft:train_on_replies"

    role: Annotated[str | None, NotIdentity] = "student"
    """Role whose model every student starts from."""
    learning_rate: float = Field(default=1e-5, gt=0)
    """Peak learning rate of the cosine schedule. The paper has 1e-5 (arXiv:2503.17439, appendix A.3.1)."""
    warmup: float = Field(default=0.03, ge=0)
    """Number of steps in which the learning rate rises to its peak. A value below 1 is a share of all steps; 0:
    none."""
    batch: int = Field(default=32, ge=1)
    """Number of examples per optimiser step, over all processes."""
    max_tokens: int = Field(default=4096, ge=8)
    """Most tokens of an example: 4,096 in the paper (LEMMA, appendix A.3.1). Longer examples are left out and
    counted."""
    token_budget: int = Field(default=100_000_000, ge=1)
    """Number of tokens to train each student on, prompts included."""
    prompt_stage: SampleStudent = SampleStudent()
    """The stage in whose prompt format the student is trained; the recipe puts its `attempt` here."""


class TraceSelfCorrection(Stage):
    """Records whether an attempt errs and whether it doubts itself.

    The oracle finds errors in problems that it knows; in others, words of doubt stand for an error, as a wrong answer
    does in both. Only the oracle can recognise that a student doubts a right step.
    """

    label: ClassVar[str] = "trace_self_correction"
    table: ClassVar[pa.Schema] = student_scores.SELF_CORRECTION_TRACES

    student: str
    """Name of the student that made the attempts. All students have the same role, one after the other."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row]:
        """One outcome for each row of `schemas.tables.student_solutions.SOLUTIONS_GRADED`."""
        for row in batch:
            text, right = row["response"], row["verdict"] == "correct"
            doubts = [start for start, end in split_steps(text) if SELF_DOUBT.search(text[start:end])]
            problem = read_question(row["question"]).problem
            before = text[: doubts[0]] if doubts else text
            has_error = (
                bool(doubts) if problem is None else diagnose_solution(problem, before).first_wrong_step is not None
            )
            yield {
                **{name: row[name] for name in ("row_id", "question_id", "verdict")},
                "student": self.student,
                "reflected": bool(doubts),
                "erred": has_error or not right,
            }


class CompareStudents(Merge):
    """Makes a row for each of `students`; see `schemas/tables/student_scores.py`. Attempts without a verdict are wrong.

    The first input has an empty row for each student, because a merge returns the rows of its first input.
    """

    label: ClassVar[str] = "compare_students"
    inputs: ClassVar[tuple[str, ...]] = ("empty_rows", "problems", "self_corrections")

    students: tuple[str, ...]
    """Names of the students to compare."""

    def prepare(self, con: Any) -> None:
        """Register the table `named(number, student)`."""
        numbers = pa.array(range(len(self.students)), pa.int64())
        con.register("named", pa.table({"number": numbers, "student": [*self.students]}))

    def sql(self) -> str:
        return f"""
            WITH counted AS (
                SELECT number, student, max(posed.n) AS n,
                    count(*) FILTER (verdict = 'correct') AS k, max(posed.n) - count(verdict) AS unanswered,
                    max(posed.n) - count(verdict) + count(*) FILTER (erred) AS erred,
                    count(*) FILTER (erred AND reflected) AS reflected,
                    count(*) FILTER (erred AND verdict = 'correct') AS mended
                FROM named LEFT JOIN self_corrections USING (student) CROSS JOIN (SELECT count(*) AS n FROM problems)
                AS posed
                GROUP BY ALL
            ),
            passed AS ({with_wilson_interval("counted")}),
            corrected AS ({with_wilson_interval("(SELECT number, mended AS k, erred AS n FROM counted)")})
            SELECT empty_rows.row_id, student, passed.n AS problems, passed.rate AS first_pass, passed.low, passed.high,
                unanswered, erred, reflected, corrected.rate AS corrected, corrected.low AS corrected_low,
                corrected.high AS corrected_high
            FROM empty_rows JOIN passed USING (number) JOIN corrected USING (number) ORDER BY row_id
        """
