"""Injects errors: the teacher writes a wrong solution for each error type drawn."""

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.engine import Completion
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.row_ids import child_id
from schemas.tables import student_solutions
from tasks.answers.final_answer import answer_key, final_answer
from tasks.base.ask import Ask, Outcome
from tasks.lemma.arithmetic import equations_hold
from tasks.lemma.error_types import MEANINGS
from tasks.lemma.injection_reply import InjectionReply, parse_injection

ENDS_RIGHT = "ends right"
"""Fault of an injection that still ends in the gold answer: a reason to ask again, not to reject."""


class Inject(Ask):
    """Writes a solution with an error of a given type that leads to a wrong answer; the teacher then quotes the line.

    The paper does not ask for the line; `Truncate` later compares it with the diagnosis. If a reply is not usable, or
    still ends in the right answer, another one is requested, up to `tries` per sample. The paper asks once.
    """

    label: ClassVar[str] = "inject"
    tag: ClassVar[str] = "inject"
    version: ClassVar[int] = 3
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = student_solutions.SOLUTIONS_WRITTEN
    role: str | None = "teacher"
    """Role of the model that writes the wrong solution."""
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=4096)
    """How the teacher is sampled: the paper's temperature and length (appendix A.3.1)."""
    tries: int = Field(default=2, ge=1)
    """Most replies that are requested for a sample until one is usable. The paper asks once (1)."""
    structured: bool = False
    """Whether engines that can (http, vllm) must enforce a JSON object with solution and wrong step. It is off because
    models write worse solutions in JSON."""

    def prompt(self, row: Row) -> Prompt:
        """The shipped model reads the name of the type; instruct models read its meaning as well."""
        kind = row["type"].replace("_", " ")
        prompt = self.make_prompt(question=row["question"], reference=row["reference"], type=kind)
        return prompt.model_copy(update={"chat_inputs": {"type": f"{kind}: {MEANINGS[row['type']]}"}})

    def initial_sampling(self) -> Sampling:
        schema = InjectionReply.schema_of_reply()
        return self.sampling.model_copy(update={"reply_schema": schema}) if self.structured else self.sampling

    def follow_up(self, row: Row, replies: list[Completion]) -> Sampling | None:
        lacking = self.sampling.n - sum(self.find_fault(row, reply) is None for reply in replies)
        if (more := min(lacking, self.tries * self.sampling.n - len(replies))) <= 0:
            return None
        return self.initial_sampling().model_copy(
            update={"n": more, "temperature": max(self.sampling.temperature, 0.7)}
        )

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        """Use the best `n` replies. One that seems to end right is passed on; the verifier judges its answer."""
        faults = [self.find_fault(row, reply) for reply in replies]
        best = sorted(range(len(replies)), key=lambda at: (faults[at] is not None, faults[at] != ENDS_RIGHT, at))
        for at in sorted(best[: self.sampling.n]):
            if (fault := faults[at]) is not None and fault != ENDS_RIGHT:
                yield Reject(row, fault)
                continue
            line, solution = parse_injection(replies[at].text)
            columns = ("question_id", "question", "answer", "reference", "student", "type")
            yield {
                **{name: row[name] for name in columns},
                "row_id": child_id(row["row_id"], at),
                "response": solution,
                "reasoning": None,
                "source": "injected",
                "line": line,
            }

    def find_fault(self, row: Row, reply: Completion) -> str | None:
        """The fault of a reply that its text shows, or None."""
        line, solution = parse_injection(reply.text)
        if reply.fault:
            return reply.fault
        if line is None:
            return "no step"
        if (answer := final_answer(solution)) is None:
            return "no_answer"
        if not 1 <= line <= len(solution.splitlines()):
            return "step out of range"
        if row["type"] == "calculation" and equations_hold(solution.splitlines()[line - 1]):
            return "calculation adds up"
        return ENDS_RIGHT if answer_key(answer) == answer_key(row["answer"]) else None
