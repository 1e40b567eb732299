"""Smooths corrections: rewrites what follows the wrong step so that it reads as one line of thought."""

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa

from schemas.engine import Completion
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.tables import corrections
from tasks.base.ask import Ask, Outcome
from tasks.lemma.continuation_reply import ContinuationReply, parse_continuation
from tasks.lemma.corrections import join_trajectory


class Smooth(Ask):
    """Rewrites the reflection and the correction once (section 3.4). The teacher cannot change the prefix.

    The paper has the whole trajectory rewritten, so that the error may be corrected, or the reflection lost, unnoticed.
    """

    label: ClassVar[str] = "smooth"
    tag: ClassVar[str] = "smooth"
    carries_user_columns: ClassVar[bool] = True
    version: ClassVar[int] = 3
    table: ClassVar[pa.Schema] = corrections.CORRECTION_DRAFTS
    role: str | None = "teacher"
    """Role of the model that rewrites the correction."""
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=4096)
    """How the teacher is sampled: the paper's temperature and length (appendix A.3.1)."""
    structured: bool = False
    """Whether the engine must enforce a JSON object with reflection and correction; only for engines that can (http,
    vllm)."""

    def prompt(self, row: Row) -> Prompt:
        continuation = row["trajectory"][row["reflection_start"] :]
        return self.make_prompt(question=row["question"], attempt=row["prefix"], correction=continuation)

    def initial_sampling(self) -> Sampling:
        schema = ContinuationReply.schema_of_reply()
        return self.sampling.model_copy(update={"reply_schema": schema}) if self.structured else self.sampling

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        (reply,) = replies[:1]
        continuation = parse_continuation(reply.text, row["prefix"])
        if reply.fault:
            yield Reject(row, reply.fault)
        elif continuation.repeats:
            yield Reject(row, "repeats the attempt")
        elif not continuation.reflection or not continuation.correction:
            yield Reject(row, "no correction")
        else:
            yield {
                name: value for name, value in join_trajectory(row, continuation).items() if name in self.table.names
            }
