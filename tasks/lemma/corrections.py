"""Writes corrections: after the wrong step, the teacher adds a reflection and a right solution."""

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from schemas.engine import Completion
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.row_ids import child_id
from schemas.tables import corrections
from tasks.answers.final_answer import ANSWER_PREFIX, answer_key, final_answer
from tasks.base.ask import Ask, Outcome
from tasks.lemma.arithmetic import NUMBER_PATTERN, SIGN_PATTERN, normalize_calculations
from tasks.lemma.continuation_reply import Continuation, ContinuationReply, parse_continuation
from tasks.lemma.prompt_leaks import knows_answer, leaks_prompt
from tasks.lemma.reflections import admits_mistake
from tasks.lemma.segment_steps import split_steps

# matches "2 + 3 = 5", not "2 + 3 is 5", "x = 5"
_OPERATION = re.compile(rf"{NUMBER_PATTERN}(?:{SIGN_PATTERN}{NUMBER_PATTERN})+(?= *=)")
OTHER_ANSWER = "another answer"
"""Fault of a reply whose answer does not match the gold answer exactly: a reason to ask again, not to reject."""


class WriteCorrection(Ask):
    """Writes a correction of each error. The trajectory is prefix and reply, joined by code: nothing is copied.

    If a reply's answer looks wrong, another one is requested, up to `tries` in all. The paper asks once.
    """

    carries_user_columns: ClassVar[bool] = True
    version: ClassVar[int] = 3
    table: ClassVar[pa.Schema] = corrections.CORRECTION_DRAFTS
    strategy: ClassVar[Literal["fix_continue", "fresh_restart"]]

    role: str | None = "teacher"
    """Role of the model that writes the correction."""
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=4096)
    """How the teacher is sampled: the paper's temperature and length (appendix A.3.1)."""
    tries: int = Field(default=2, ge=1)
    """Most replies that are requested for a row until one is usable. The paper asks once (1)."""
    structured: bool = False
    """Whether the engine must enforce a JSON object with reflection and correction; only for engines that can (http,
    vllm)."""

    def initial_sampling(self) -> Sampling:
        schema = ContinuationReply.schema_of_reply()
        return self.sampling.model_copy(update={"reply_schema": schema}) if self.structured else self.sampling

    def follow_up(self, row: Row, replies: list[Completion]) -> Sampling | None:
        if len(replies) >= self.tries or any(self.find_fault(row, reply) is None for reply in replies):
            return None
        return self.initial_sampling().model_copy(update={"n": 1, "temperature": max(self.sampling.temperature, 0.7)})

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        """Use the first reply without a fault, else the first whose answer may be right in another form, else none."""
        faults = [self.find_fault(row, reply) for reply in replies]
        best = next((fault for fault in (None, OTHER_ANSWER) if fault in faults), "")
        if best != "":
            continuation = parse_continuation(replies[faults.index(best)].text, row["prefix"])
            yield join_trajectory(row, continuation) | {
                "row_id": child_id(row["row_id"], self.strategy),
                "strategy": self.strategy,
                "teacher": self.role,
            }
        else:
            yield Reject(row, faults[0] or "")

    def find_fault(self, row: Row, reply: Completion) -> str | None:
        """The fault of a reply that its text shows, or None. The verifier judges the answer later."""
        if reply.fault:
            return reply.fault
        reflection, correction, repeats = parse_continuation(reply.text, row["prefix"])
        if repeats:
            return "repeats the attempt"
        if not reflection or not correction or correction.startswith(ANSWER_PREFIX):
            return "no correction"
        if not admits_mistake(reflection, row["prefix"][row["wrong_start"] :]):
            return "no reflection"
        text, problem_texts = f"{reflection}\n{correction}", (row["question"], row["reference"], row["prefix"])
        if knows_answer(reflection) or leaks_prompt(text, *problem_texts):
            return "meta talk"
        answer = final_answer(correction)
        if answer is None:
            return "no_answer"
        return None if answer_key(answer) == answer_key(row["answer"]) else OTHER_ANSWER


class FixContinue(WriteCorrection):
    """Corrects the wrong step and continues from there, with the reference at hand (section 3.4, Fix & Continue)."""

    label: ClassVar[str] = "fix_continue"
    tag: ClassVar[str] = "fix_continue"
    strategy: ClassVar[Literal["fix_continue"]] = "fix_continue"

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"], reference=row["reference"], attempt=row["prefix"])


class FreshRestart(WriteCorrection):
    """Solves the question again by another method, without a reference (section 3.4, Fresh & Restart)."""

    label: ClassVar[str] = "fresh_restart"
    tag: ClassVar[str] = "fresh_restart"
    strategy: ClassVar[Literal["fresh_restart"]] = "fresh_restart"

    max_overlap: float = Field(default=0.5, ge=0, le=1)
    """Largest share of the prefix's calculations that the new solution may repeat. Not in the paper, which asks for
    another method but does not check. 1: no limit."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"], attempt=row["prefix"])

    def find_fault(self, row: Row, reply: Completion) -> str | None:
        fault = super().find_fault(row, reply)
        if fault not in (None, OTHER_ANSWER):
            return fault
        shared = step_overlap(row["prefix"], parse_continuation(reply.text, row["prefix"]).correction)
        return "same method" if shared > self.max_overlap else fault


def join_trajectory(row: Row, continuation: Continuation) -> Row:
    """Add the trajectory to an error, with the character offsets of its parts."""
    prefix = row["prefix"]
    reflection_end = len(prefix) + 1 + len(continuation.reflection)
    return row | {
        "trajectory": f"{prefix}\n{continuation.reflection}\n{continuation.correction}",
        "reflection_start": len(prefix) + 1,
        "reflection_end": reflection_end,
        "correction_start": reflection_end + 1,
        "correction_end": reflection_end + 1 + len(continuation.correction),
    }


def step_overlap(prefix: str, correction: str) -> float:
    """The share of the prefix's steps that the correction repeats, in [0, 1]; 0 if there is nothing to compare.

    Steps are compared by the numbers that they calculate with, because the result or the operation may be the mistake.
    If the prefix has no calculation, they are compared by words. A step with a mistaken operand is not recognised.
    """
    before, after = _find_operations(prefix), _find_operations(correction)
    if not before:
        before, after = _step_words(prefix), _step_words(correction)
    return len(before & after) / len(before) if before else 0.0


def _find_operations(text: str) -> set[str]:
    operations = _OPERATION.findall(normalize_calculations(text))
    return {" ".join(sorted(re.findall(NUMBER_PATTERN, each))) for each in operations}


def _step_words(text: str) -> set[str]:
    return {" ".join(re.findall(r"[^\W\d]+", text[start:end].lower())) for start, end in split_steps(text)}
