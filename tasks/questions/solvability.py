"""Keeps questions that a model finds solvable (ScaleQuest, section 2.4)."""

import math
from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from schemas.engine import Completion
from schemas.errors import EngineError
from schemas.outcomes import Quarantine, Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.steps import Filter
from tasks.base.ask import Outcome
from tasks.base.llm_judge import JudgeStage, parse_verdict, vote_of

VERDICT_WORDS = ("yes", "no")
"""What a judgement of a question may end in."""


def parse_solvability(text: str) -> bool | None:
    """The verdict that a judgement ends in, written as a last line or as JSON; None when it reaches none."""
    return {"yes": True, "no": False}.get(parse_verdict(text, VERDICT_WORDS) or "")


class JudgeSolvable(JudgeStage, Filter):
    """Keeps a question that the model finds solvable, after a short reason; several samples are a panel that votes."""

    label: ClassVar[str] = "judge_solvable"
    tag: ClassVar[str] = "judge_solvable"
    needs: ClassVar[tuple[str, ...]] = ("question",)
    verdict_words: ClassVar[tuple[str, ...]] = VERDICT_WORDS
    sampling: Sampling = Sampling(max_tokens=160)
    """How the judge is sampled."""
    least_share: float = Field(default=0.5, ge=0.5, le=1)
    """Share of the panel's verdicts, more than half in any case, that must find the question solvable."""
    least_confidence: float = Field(default=0, ge=0, le=1)
    """A judgement that finds the question solvable, and whose tokens together are less probable than this, is a doubt.

    For a judge of few words: of the pupil's, greedy, 91.5 % are right, and 95.6 % of those from 0.55 up. 0: as it is.
    """

    def initial_sampling(self) -> Sampling:
        return (
            super()
            .initial_sampling()
            .model_copy(update={"logprobs": self.sampling.logprobs or self.least_confidence > 0})
        )

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"])

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        votes = [self.vote(reply) for reply in replies]
        yes, no, unsure = (votes.count(word) for word in ("yes", "no", "unsure"))
        if yes > no + unsure and yes >= self.least_share * (yes + no + unsure):
            yield row
        elif no + unsure:
            yield Reject(row, "unsolvable" if no >= unsure else "unsure")
        else:
            yield Quarantine(row, "no verdict", f"the last judgement ends in {replies[-1].text[-80:]!r}", len(replies))

    def vote(self, reply: Completion) -> str | None:
        """What a member says; a `yes` without the confidence that is asked for is `unsure`."""
        word = vote_of(reply, VERDICT_WORDS)
        if word != "yes" or not self.least_confidence:
            return word
        if not reply.logprobs:
            raise EngineError(f"role {self.role!r} gives no log-probabilities; leave out least_confidence")
        return "yes" if math.exp(sum(reply.logprobs)) >= self.least_confidence else "unsure"
