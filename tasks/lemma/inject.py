"""Injects errors: the teacher writes a wrong solution for each error type drawn."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.engine import Completion
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.row_ids import child_id
from schemas.tables import student_solutions
from tasks.answers.final_answer import ANSWER_PREFIX, answer_key, final_answer
from tasks.base.ask import Ask, Outcome
from tasks.base.json_reply import parse_count, parse_json_reply
from tasks.lemma.diagnose import STEP_PREFIX

INJECTION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"step": {"type": "integer"}, "solution": {"type": "string"}},
    "required": ["step", "solution"],
}
"""JSON schema of a structured injection."""
ENDS_RIGHT = "ends right"
"""Fault of an injection that still ends in the gold answer: a reason to ask again, not to reject."""
# matches "Step: 3", "**Step:** 12.", not "Step: 3 is wrong", "Step 3"
_STEP_LINE = re.compile(rf"^\s*\**{STEP_PREFIX}\**\s*([0-9]{{1,4}})\s*\.?\**\s*$", re.MULTILINE)


class Inject(Ask):
    """Writes a solution with an error of a given type that leads to a wrong answer; the teacher names the line.

    The paper does not ask for the line; `Truncate` later compares it with the diagnosis. If a reply is not usable, or
    still ends in the right answer, another one is requested, up to `tries` per sample. The paper asks once.
    """

    label: ClassVar[str] = "inject"
    tag: ClassVar[str] = "inject"
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = student_solutions.SOLUTIONS_WRITTEN
    role: str | None = "teacher"
    """Role of the model that writes the wrong solution."""
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=4096)
    """How the teacher is sampled: the paper's temperature and length (appendix A.3.1)."""
    tries: int = Field(default=2, ge=1)
    """Most replies that are requested for a sample until one is usable. The paper asks once (1)."""
    structured: bool = False
    """Whether the engine must enforce a JSON object with step and solution; only for engines that can (http, vllm)."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(
            question=row["question"], reference=row["reference"], type=row["type"].replace("_", " ")
        )

    def initial_sampling(self) -> Sampling:
        return self.sampling.model_copy(update={"reply_schema": INJECTION_SCHEMA}) if self.structured else self.sampling

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
        return ENDS_RIGHT if answer_key(answer) == answer_key(row["answer"]) else None


def parse_injection(text: str) -> tuple[int | None, str]:
    """The line of the error, from 1, and the solution without blank lines and without text after its answer."""
    if (parsed := parse_json_reply(text)).keys() >= {"step", "solution"}:
        return parse_count(parsed["step"]), _strip_solution(str(parsed["solution"]))
    match = _STEP_LINE.search(text)
    return int(match[1]) if match else None, _strip_solution(_STEP_LINE.sub("", text))


def _strip_solution(text: str) -> str:
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    last = next((at for at, line in enumerate(lines) if line.lstrip().startswith(ANSWER_PREFIX)), len(lines))
    return "\n".join(lines[: last + 1])
