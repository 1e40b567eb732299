"""Errors made on purpose: the types that a question's attempts suggest, and a wrong solution for each type drawn."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.engine import Completion
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.tables import student_solutions
from tasks.answers.final_answer import ANSWER, answer_key, final_answer
from tasks.base.ask import Ask, Outcome
from tasks.base.json_reply import fields, whole
from tasks.lemma.diagnose import STEP

INJECTION: dict[str, Any] = {
    "type": "object",
    "properties": {"step": {"type": "integer"}, "solution": {"type": "string"}},
    "required": ["step", "solution"],
}
"""JSON schema of a structured injection."""
RIGHT = "ends right"
"""Fault of an injection that ends in the gold answer after all: reason to ask again, none to turn it down."""
_STEP_LINE = re.compile(rf"^\s*\**{STEP}\**\s*([0-9]{{1,4}})\s*\.?\**\s*$", re.MULTILINE)


class Inject(Ask):
    """A wrong solution with an error of a given type, carried on to a wrong answer; the teacher says in which line.

    The paper does not ask where; the line is held against the diagnosis later (`Truncate`). A reply that is no
    injection, or that ends in the right answer after all, is followed by another one, up to `tries`; the paper asks
    once.
    """

    label: ClassVar[str] = "inject"
    tag: ClassVar[str] = "inject"
    table: ClassVar[pa.Schema] = student_solutions.WRITTEN
    role: str | None = "teacher"
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=4096)
    """The paper's (appendix A.3.1)."""
    tries: int = Field(default=2, ge=1)
    """Replies a sample at the most."""
    structured: bool = False
    """Hold the model to a JSON object of step and solution; for engines that can (http, vllm)."""

    def prompt(self, row: Row) -> Prompt:
        return self.ask(question=row["question"], reference=row["reference"], type=row["type"].replace("_", " "))

    def first(self) -> Sampling:
        return self.sampling.model_copy(update={"reply_schema": INJECTION}) if self.structured else self.sampling

    def again(self, row: Row, replies: list[Completion]) -> Sampling | None:
        owed = self.sampling.n - sum(self.fault(row, reply) is None for reply in replies)
        if (more := min(owed, self.tries * self.sampling.n - len(replies))) <= 0:
            return None
        return self.first().model_copy(update={"n": more, "temperature": max(self.sampling.temperature, 0.7)})

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        """The best `n` replies. One that only ends right is passed on: whether it does, the verifier judges."""
        faults = [self.fault(row, reply) for reply in replies]
        best = sorted(range(len(replies)), key=lambda at: (faults[at] is not None, faults[at] != RIGHT, at))
        for at in sorted(best[: self.sampling.n]):
            if (fault := faults[at]) is not None and fault != RIGHT:
                yield Reject(row, fault)
                continue
            line, solution = read_injection(replies[at].text)
            kept = ("question_id", "question", "answer", "reference", "student", "type")
            yield {
                **{name: row[name] for name in kept},
                "row_id": f"{row['row_id']}/{at}",
                "response": solution,
                "source": "injected",
                "line": line,
            }

    def fault(self, row: Row, reply: Completion) -> str | None:
        """What can be seen to be wrong with an injection; None: nothing."""
        line, solution = read_injection(reply.text)
        if reply.finish_reason == "length":
            return "cut_off"
        if line is None:
            return "no step"
        if (answer := final_answer(solution)) is None:
            return "no_answer"
        if not 1 <= line <= len(solution.splitlines()):
            return "step out of range"
        return RIGHT if answer_key(answer) == answer_key(row["answer"]) else None


def read_injection(text: str) -> tuple[int | None, str]:
    """The line of the error, from 1, and the wrong solution without blank lines and what follows its answer."""
    if (told := fields(text)).keys() >= {"step", "solution"}:
        return whole(told["step"]), _plain(str(told["solution"]))
    found = _STEP_LINE.search(text)
    return int(found[1]) if found else None, _plain(_STEP_LINE.sub("", text))


def _plain(text: str) -> str:
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    last = next((at for at, line in enumerate(lines) if line.lstrip().startswith(ANSWER)), len(lines))
    return "\n".join(lines[: last + 1])
