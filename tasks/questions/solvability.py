"""Keeps questions that a model judges solvable (ScaleQuest, section 2.4)."""

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
from tasks.base.llm_judge import JudgeStage, Synonyms, parse_verdict, vote_of

VERDICT_WORDS = ("yes", "no")
"""The verdicts of a judgement."""
VERDICT_SYNONYMS = {
    "yes": ("solvable", "can be solved", "it can be solved", "the question can be solved", "the question is solvable"),
    "no": (
        *(
            "unsolvable",
            "not solvable",
            "cannot be solved",
            "can't be solved",
            "can not be solved",
            "it cannot be solved",
        ),
        *("the question cannot be solved", "the question is not solvable", "the question is unsolvable", "insolvable"),
    ),
}
"""Other words for them."""


def parse_solvability(text: str) -> bool | None:
    """Whether a judgement, with its verdict in the last line or as JSON, says solvable; None if it has no verdict."""
    return {"yes": True, "no": False}.get(parse_verdict(text, VERDICT_WORDS, VERDICT_SYNONYMS) or "")


class JudgeSolvable(JudgeStage, Filter):
    """Keeps questions that a model judges solvable after a short reason; several samples vote."""

    label: ClassVar[str] = "judge_solvable"
    tag: ClassVar[str] = "judge_solvable"
    needs: ClassVar[tuple[str, ...]] = ("question",)
    verdict_words: ClassVar[tuple[str, ...]] = VERDICT_WORDS
    verdict_synonyms: ClassVar[Synonyms] = VERDICT_SYNONYMS
    sampling: Sampling = Sampling(max_tokens=160)
    """How the judge is sampled."""
    least_share: float = Field(default=0.5, ge=0.5, le=1)
    """Least share of the judge's verdicts that must find the question solvable; in any case more than half."""
    least_confidence: float = Field(default=0, ge=0, le=1)
    """Least probability, over all tokens of a judgement, for it to count as `yes`; below, it counts as unsure. 0: no
    limit. Meant for judges that write few words. Of the pupil's greedy judgements 91.5 % are right, and 95.6 % of those
    with 0.55 or more."""

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
        """The verdict of one sample; a `yes` below `least_confidence` is `unsure`.

        Raises EngineError if confidence is required and the reply has no log-probabilities.
        """
        word = vote_of(reply, VERDICT_WORDS, VERDICT_SYNONYMS)
        if word != "yes" or not self.least_confidence:
            return word
        if not reply.logprobs:
            raise EngineError(f"role {self.role!r} gives no log-probabilities; leave out least_confidence")
        return "yes" if math.exp(sum(reply.logprobs)) >= self.least_confidence else "unsure"
