"""Collects a student's errors: problems with a gold answer, attempts at them, and a verdict on each attempt."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field, model_validator

from schemas.engine import Completion
from schemas.outcomes import Quarantine, Reject, Row
from schemas.prompts import Sampling
from schemas.row_ids import child_id
from schemas.steps import Stage
from schemas.tables import student_solutions
from tasks.answers.final_answer import ANSWER_PREFIX, final_answer
from tasks.answers.solve import Solve
from tasks.base.ask import Outcome, load_instruction
from tasks.lemma.solution_text import states_value_last
from tasks.verification.equivalence.number_parser import parse_number
from tasks.verification.extraction.rules import EXPLICIT_RULES
from tasks.verification.verify import Verify, extract_gold


class NormalizeProblem(Stage):
    """Brings problems from the proving ground, from files or from a published dataset into one form.

    The reference solution is the column `solution`, or else `response`. Rows whose answer was selected by votes (a
    column `agreement`) need enough of them: an answer that only a judge prefers is wrong too often.
    """

    label: ClassVar[str] = "normalize_problem"
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = student_solutions.PROBLEMS_WITH_REFERENCE

    least_agreement: float = Field(default=0.5, ge=0, le=1)
    """Least share of samples that must agree on a gold answer that was selected by votes. Not in the paper."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        for row in batch:
            reference = row.get("solution") or row.get("response") or ""
            gold = extract_gold(row["answer"] or "")
            agreement = row.get("agreement")
            if not gold:
                yield Reject(row, "no answer")
            elif not reference.strip():
                yield Reject(row, "no reference")
            elif agreement is not None and (agreement < self.least_agreement or row.get("of_majority") is False):
                yield Reject(row, "no consensus")
            else:
                problem = {"row_id": row["row_id"], "question": row["question"]}
                yield problem | {"answer": gold, "reference": with_final_answer(reference, gold)}


class SampleStudent(Solve):
    """Samples n attempts of the student at each problem, at a low temperature to avoid nonsense (section 3.3)."""

    label: ClassVar[str] = "sample_student"
    tag: ClassVar[str] = "solve"
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = student_solutions.SOLUTIONS_WRITTEN
    role: str | None = "student"
    """Role of the model that plays the student."""
    sampling: Sampling = Sampling(n=4, temperature=0.7, max_tokens=1024)
    """How the student is sampled. Temperature, top-p and length are the paper's (appendix A.3.1); it gives no n."""

    @model_validator(mode="before")
    @classmethod
    def _fill_template(cls, values: Any) -> Any:
        return {"template": load_instruction(Solve.label), **values} if isinstance(values, dict) else values

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        for sample, reply in enumerate(replies):
            if reply.fault:
                yield Reject(row, reply.fault)
            elif final_answer(reply.text) is None:
                yield Reject(row, "no_answer")
            else:
                yield {
                    **{name: row[name] for name in ("question", "answer", "reference")},
                    "row_id": child_id(row["row_id"], sample),
                    "question_id": row["row_id"],
                    "response": reply.text.strip(),
                    "reasoning": reply.reasoning,
                    "source": "student",
                    "student": self.role,
                    "type": None,
                    "line": None,
                }


class KeepDecided(Stage):
    """Keeps solutions that are certainly right or certainly wrong; rejects those that may be wrong only in form."""

    label: ClassVar[str] = "keep_decided"
    version: ClassVar[int] = 2
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = student_solutions.SOLUTIONS_GRADED

    answer_match: Verify = Verify()
    """Verifier that decides whether an attempt is right."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject | Quarantine]:
        """One outcome for each row of `schemas.tables.student_solutions.SOLUTIONS_WRITTEN`."""
        for row, verdict in zip(batch, self.answer_match.rows(batch, engine), strict=True):
            if isinstance(verdict, Quarantine):
                yield verdict
            elif verdict["verdict"] in ("unparseable", "timeout"):
                yield Reject(row, verdict["verdict"])
            elif verdict["verdict"] == "wrong" and not self._is_stated(row["response"], verdict["found_by"]):
                yield Reject(row, "answer not marked")
            elif verdict["verdict"] == "wrong" and differs_by_sign_or_percent(
                verdict["gold_parsed"], verdict["answer_parsed"]
            ):
                yield Reject(row, "wrong in form")
            else:
                yield row | {"verdict": verdict["verdict"], "rule": verdict["rule"]}

    def _is_stated(self, response: str, found_by: str) -> bool:
        """Whether a response marks its answer, or ends in a plain sentence such as `So, the answer is 60 meters.`"""
        return found_by in EXPLICIT_RULES or (
            found_by == "answer_is" and states_value_last(response, self.answer_match.markers)
        )


def with_final_answer(solution: str, answer: str) -> str:
    """The solution, with a last line `#### answer` unless it states a final answer already."""
    return solution.strip() if final_answer(solution) else f"{solution.strip()}\n{ANSWER_PREFIX} {answer}"


def differs_by_sign_or_percent(gold: str | None, answer: str | None) -> bool:
    """Whether two numbers differ only by sign or by a factor of 100: `0.25` for 25 %, 1500 cents for 15 dollars.

    Such an answer is usually wrong only in form.
    """
    left, right = (parse_number(text) if text else None for text in (gold, answer))
    if left is None or right is None or not left.value or not right.value:
        return False
    return abs(left.value / right.value) in (1, 100, Fraction(1, 100))
