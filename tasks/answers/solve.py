"""The stage that samples solutions of questions."""

from collections import Counter
from collections.abc import Iterator
from math import ceil
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.engine import Completion
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.row_ids import child_id
from schemas.tables import answers
from tasks.answers.final_answer import answer_key, final_answer
from tasks.base.ask import Ask, Outcome


class Solve(Ask):
    """Samples n solutions of each question, each ending in `#### answer`."""

    label: ClassVar[str] = "solve"
    tag: ClassVar[str] = "solve"
    version: ClassVar[int] = 4
    table: ClassVar[pa.Schema] = answers.ANSWERS
    role: str | None = "solver"
    """Role of the model that solves the problems."""
    sampling: Sampling = Sampling(max_tokens=256)
    """How the solver is sampled."""
    adaptive: bool = False
    """Whether to stop before n samples once enough of them agree, or once too few are left for that."""
    stop_at_share: float = Field(default=0.5, ge=0.5, le=1)
    """Share of the n samples that is enough for `adaptive`; give the share that selection requires (0.5: a majority).
    The same questions are published as with all n samples, each with the best of fewer solutions."""

    @property
    def majority_size(self) -> int:
        """Number of samples that must agree so that no other answer can be selected."""
        return max(self.sampling.n // 2 + 1, self.samples_to_publish)

    @property
    def samples_to_publish(self) -> int:
        """Number of samples that must agree for a question to be published."""
        return ceil(round(self.stop_at_share * self.sampling.n, 9))

    def initial_sampling(self) -> Sampling:
        """If `adaptive`, as many samples as must agree; fewer cannot decide. Else all n."""
        return self.sampling.model_copy(update={"n": self.majority_size}) if self.adaptive else self.sampling

    def follow_up(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """As many more samples as the leading answer lacks; None if it has enough or cannot get them."""
        if not self.adaptive:
            return None
        answers = [final_answer(reply.text) for reply in replies if reply.fault is None]
        leading_votes = max(Counter(answer_key(answer) for answer in answers if answer).values(), default=0)
        left = self.sampling.n - len(replies)
        if not left or leading_votes >= self.majority_size or leading_votes + left < self.samples_to_publish:
            return None
        return self.sampling.model_copy(update={"n": min(left, self.majority_size - leading_votes)})

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"])

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        for sample, reply in enumerate(replies):
            answer = final_answer(reply.text)
            if reply.fault:
                yield Reject(row, reply.fault)
            elif answer is None:
                yield Reject(row, "no_answer")
            else:
                solution = reply.text.strip()
                yield {
                    "row_id": child_id(row["row_id"], sample),
                    "question_id": row["row_id"],
                    "question": row["question"],
                    "solution": solution,
                    "reasoning": reply.reasoning,
                    "answer": answer,
                    "asked": len(replies),
                    "answer_key": answer_key(answer),
                }
