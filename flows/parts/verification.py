"""Which verifiers a recipe asks, how they are configured, and what becomes one verdict of several."""

from typing import Literal, Self

from pydantic import Field, field_validator

from flows.run.run import Run, Table
from schemas.input import Source
from schemas.recipe import Recipe
from schemas.tables import verdicts
from tasks.verification.code_execution.execute import Execute
from tasks.verification.combine import CombineMode, CombineVerdicts, KeepUndecided
from tasks.verification.llm_judge import JudgeResponse
from tasks.verification.majority_vote import ExtractAnswerKey, MajorityVote, WeightedVote
from tasks.verification.oracle import VerifyByOracle
from tasks.verification.pairwise_judge import JudgePair, PairWithRival, VerdictFromPairs
from tasks.verification.reward_model import RewardThreshold, ScoreResponse
from tasks.verification.verify import Verify

VerifierName = Literal[
    "answer_match", "execute", "oracle", "vote", "weighted_vote", "reward", "llm_judge", "pairwise_judge"
]

CROSS_ATTEMPT: dict[str, tuple[str, ...]] = {
    "vote": MajorityVote.extra_columns,
    "weighted_vote": MajorityVote.extra_columns,
    "reward": RewardThreshold.extra_columns,
    "pairwise_judge": VerdictFromPairs.extra_columns,
}
"""Verifiers that hold the attempts at one question against each other, so they must see them all; and what they add."""
MODEL_FIELDS = {
    "reward": ("reward", "weighted_vote"),
    "llm_judge": ("llm_judge",),
    "pairwise_judge": ("pairwise_judge",),
}
"""Fields whose stage asks a model, and the verifiers that need it."""


class Verifiers(Recipe, Source):
    """One or several verifiers, in the order in which they are believed."""

    verifiers: tuple[VerifierName, ...] = Field(default=("answer_match",), min_length=1)
    """`answer_match`, `execute`, `oracle`, `vote`, `weighted_vote`, `reward`, `llm_judge`, `pairwise_judge`."""
    combine: CombineMode = "first_decided"
    """What makes one verdict of several: `all_of`, `any_of`, or `first_decided`, which asks the later ones only about
    what the earlier ones leave open. Left to right, where there are more than two."""
    answer_match: Verify = Verify()
    """`answer_match`: final answers are compared with the gold, exactly and at last by Math-Verify."""
    execute: Execute = Execute(column="response")
    """`execute`: the response is a Python program, whose last line is compared with the gold."""
    oracle: VerifyByOracle = VerifyByOracle()
    """`oracle`: knows the questions of the proving ground, and no others."""
    answer_keys: ExtractAnswerKey = ExtractAnswerKey()
    """Final answers for votes, rewards and pairs, and which attempts belong together."""
    vote: MajorityVote = MajorityVote()
    """`vote`: what most attempts at a question agree on; `weighted_vote`: the same, weighed by reward."""
    reward: ScoreResponse = ScoreResponse()
    """`reward`: what a reward model thinks of a response."""
    reward_threshold: RewardThreshold = RewardThreshold()
    """From which reward, or by which margin, it is right."""
    llm_judge: JudgeResponse = JudgeResponse()
    """`llm_judge`: a model gives its reason and its verdict; several samples vote."""
    pairwise_judge: JudgePair = JudgePair()
    """`pairwise_judge`: a model prefers a response to its rival, in both orders."""

    @field_validator("verifiers")
    @classmethod
    def _check_unique(cls, names: tuple[VerifierName, ...]) -> tuple[VerifierName, ...]:
        if len(set(names)) < len(names):
            raise ValueError("a verifier is named twice, and would agree with itself; name each once")
        return names

    def without_idle_roles(self) -> Self:
        """The same, where a model is wanted only for verifiers that are asked."""
        idle = [field for field, users in MODEL_FIELDS.items() if not {*users} & {*self.verifiers}]
        return self.model_copy(update={f: getattr(self, f).model_copy(update={"role": None}) for f in idle})

    def added_columns(self) -> list[str]:
        """Names of the columns of a verdict, which no column of the input may bear."""
        narrow = {"execute": Execute.table.names, "llm_judge": JudgeResponse.table.names}
        (only, *more) = self.verifiers
        own = list(CombineVerdicts.extra_columns) if more else [*narrow.get(only, []), *CROSS_ATTEMPT.get(only, ())]
        return list(dict.fromkeys([*verdicts.VERDICT_SCHEMA.names, *own]))


def verify_attempts(run: Run, recipe: Verifiers, attempts: Table) -> Table:
    """A verdict for every attempt."""
    first, *more = recipe.verifiers
    result = _run_verifier(run, recipe, first, attempts)
    names: str = first
    for name in more:
        undecided = attempts
        if recipe.combine == "first_decided" and name not in CROSS_ATTEMPT:
            undecided = run.merge(KeepUndecided(), attempts, result, shard_rows=recipe.shard_rows)
        combine = CombineVerdicts(mode=recipe.combine, verifiers=(names, name))
        result = run.merge(combine, attempts, result, _run_verifier(run, recipe, name, undecided))
        names = f"{recipe.combine}({names}, {name})"
    return result


def _run_verifier(run: Run, recipe: Verifiers, name: VerifierName, attempts: Table) -> Table:
    """What one verifier says."""
    if name not in CROSS_ATTEMPT:
        stages = {
            "answer_match": recipe.answer_match,
            "execute": recipe.execute,
            "oracle": recipe.oracle,
            "llm_judge": recipe.llm_judge,
        }
        return run.map(stages[name], attempts)
    answers = run.map(recipe.answer_keys, attempts)
    if name == "vote":
        return run.merge(recipe.vote, attempts, answers)
    if name == "pairwise_judge":
        rivals = run.merge(PairWithRival(), attempts, answers, shard_rows=recipe.shard_rows)
        orders = [
            run.map(recipe.pairwise_judge.model_copy(update={"swapped": swapped}), rivals) for swapped in (False, True)
        ]
        return run.merge(VerdictFromPairs(judge_identity=recipe.pairwise_judge.judge_version), attempts, *orders)
    rewards = run.map(recipe.reward, attempts)
    rule = WeightedVote(**dict(recipe.vote)) if name == "weighted_vote" else recipe.reward_threshold
    return run.merge(rule, attempts, answers, rewards)
