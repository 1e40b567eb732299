"""Which verifiers a recipe asks, how they are configured, and what becomes one verdict of several."""

from typing import Literal, Self

from pydantic import Field, field_validator

from flows.run.run import Run, Table
from schemas.input import Source
from schemas.tables import verdicts
from tasks.verification.code_execution.execute import Execute
from tasks.verification.combine import Combine, How, Undecided
from tasks.verification.llm_judge import JudgeResponse
from tasks.verification.majority_vote import ReadAnswer, Vote, WeighedVote
from tasks.verification.oracle import ConsultOracle
from tasks.verification.pairwise_judge import JudgePair, SetRival, SettlePairs
from tasks.verification.reward_model import AcceptReward, RateResponse
from tasks.verification.verify import Verify

Name = Literal["ladder", "execute", "oracle", "vote", "weighed_vote", "reward", "panel", "pairs"]

WIDE: dict[str, tuple[str, ...]] = {
    "vote": Vote.evidence,
    "weighed_vote": Vote.evidence,
    "reward": AcceptReward.evidence,
    "pairs": SettlePairs.evidence,
}
"""Verifiers that hold the attempts at one question against each other, so they must see them all; and what they add."""
MODELS = {"reward": ("reward", "weighed_vote"), "panel": ("panel",), "pairs": ("pairs",)}
"""Fields whose stage asks a model, and the verifiers that need it."""


class Verifiers(Source):
    """One or several verifiers, in the order in which they are believed."""

    verifiers: tuple[Name, ...] = Field(default=("ladder",), min_length=1)
    """`ladder` (the flag is `judge`), `execute`, `oracle`, `vote`, `weighed_vote`, `reward`, `panel`, `pairs`."""
    compose: How = "first_decided"
    """What makes one verdict of several: `all_of`, `any_of`, or `first_decided`, which asks the later ones only about
    what the earlier ones leave open. Left to right, where there are more than two."""
    judge: Verify = Verify()
    """`ladder`: final answers are compared with the gold, exactly and at last by Math-Verify."""
    execute: Execute = Execute(column="response")
    """`execute`: the response is a Python program, whose last line is compared with the gold."""
    oracle: ConsultOracle = ConsultOracle()
    """`oracle`: knows the questions of the proving ground, and no others."""
    read: ReadAnswer = ReadAnswer()
    """Final answers for votes, rewards and pairs, and which attempts belong together."""
    vote: Vote = Vote()
    """`vote`: what most attempts at a question agree on; `weighed_vote`: the same, weighed by reward."""
    reward: RateResponse = RateResponse()
    """`reward`: what a reward model thinks of a response."""
    accept: AcceptReward = AcceptReward()
    """From which reward, or by which margin, it is right."""
    panel: JudgeResponse = JudgeResponse()
    """`panel`: a model gives its reason and its verdict; several samples vote."""
    pairs: JudgePair = JudgePair()
    """`pairs`: a model prefers a response to its rival, in both orders."""

    @field_validator("verifiers")
    @classmethod
    def _once(cls, names: tuple[Name, ...]) -> tuple[Name, ...]:
        if len(set(names)) < len(names):
            raise ValueError("a verifier is named twice, and would agree with itself; name each once")
        return names

    def needed(self) -> Self:
        """The same, where a model is wanted only for verifiers that are asked."""
        idle = [field for field, users in MODELS.items() if not {*users} & {*self.verifiers}]
        return self.model_copy(update={f: getattr(self, f).model_copy(update={"role": None}) for f in idle})

    def columns_added(self) -> list[str]:
        """Names of the columns of a verdict, which no column of the input may bear."""
        narrow = {"execute": Execute.table.names, "panel": JudgeResponse.table.names}
        (only, *more) = self.verifiers
        own = list(Combine.evidence) if more else [*narrow.get(only, []), *WIDE.get(only, ())]
        return list(dict.fromkeys([*verdicts.SCHEMA.names, *own]))


def judged(run: Run, recipe: Verifiers, attempts: Table) -> Table:
    """A verdict for every attempt."""
    said, *more = recipe.verifiers
    found = _asked(run, recipe, said, attempts)
    names: str = said
    for name in more:
        left = attempts
        if recipe.compose == "first_decided" and name not in WIDE:
            left = run.merge(Undecided(), attempts, found, shard_rows=recipe.shard_rows)
        combine = Combine(how=recipe.compose, names=(names, name))
        found = run.merge(combine, attempts, found, _asked(run, recipe, name, left))
        names = f"{recipe.compose}({names}, {name})"
    return found


def _asked(run: Run, recipe: Verifiers, name: Name, attempts: Table) -> Table:
    """What one verifier says."""
    if name not in WIDE:
        stages = {"ladder": recipe.judge, "execute": recipe.execute, "oracle": recipe.oracle, "panel": recipe.panel}
        return run.map(stages[name], attempts)
    answers = run.map(recipe.read, attempts)
    if name == "vote":
        return run.merge(recipe.vote, attempts, answers)
    if name == "pairs":
        rivals = run.merge(SetRival(), attempts, answers, shard_rows=recipe.shard_rows)
        orders = [run.map(recipe.pairs.model_copy(update={"swapped": swapped}), rivals) for swapped in (False, True)]
        return run.merge(SettlePairs(asked=recipe.pairs.identity), attempts, *orders)
    rewards = run.map(recipe.reward, attempts)
    rule = WeighedVote(**dict(recipe.vote)) if name == "weighed_vote" else recipe.accept
    return run.merge(rule, attempts, answers, rewards)
