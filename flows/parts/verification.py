"""Runs the verifiers of a recipe and combines their verdicts into one."""

from typing import Literal, Self

from pydantic import Field, field_validator

from flows.run.run import Run, Table
from schemas.input import Source
from schemas.recipe import Recipe
from schemas.steps import Stage
from schemas.tables import gold_doubts, verdicts
from tasks.verification.answer_types.check import CheckAnswerType, check_answer_type
from tasks.verification.answer_types.checkers import MATH, AnswerCheckers
from tasks.verification.code_execution.execute import Execute
from tasks.verification.combine import CombineMode, CombineVerdicts, KeepUndecided
from tasks.verification.gold_doubts import FindGoldDoubts
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
"""Verifiers that compare all attempts at a question, with the columns that they add."""
MODEL_FIELDS = {
    "reward": ("reward", "weighted_vote"),
    "llm_judge": ("llm_judge",),
    "pairwise_judge": ("pairwise_judge",),
}
"""Fields whose stage needs a model, with the verifiers that use it."""
GOLD_VERIFIERS = frozenset({"answer_match", "execute"})
"""Verifiers that compare answers with the gold by rules, so that it matters whether the gold can be read."""


class Verifiers(Recipe, Source, AnswerCheckers):
    """One or several verifiers, in order of precedence."""

    verifiers: tuple[VerifierName, ...] = Field(default=("answer_match",), min_length=1)
    """Verifiers to run, in order of precedence. There are `answer_match`, `execute`, `oracle`, `vote`, `weighted_vote`,
    `reward`, `llm_judge` and `pairwise_judge`."""
    combine: CombineMode = "first_decided"
    """How the verdicts of several verifiers become one, from left to right. By default, `first_decided`, later
    verifiers run only on what the earlier ones leave undecided. The others are `all_of` and `any_of`."""
    answer_match: Verify = Verify()
    """How `answer_match` works: it compares final answers with the gold. Exact comparison comes first, Math-Verify
    last."""
    answer_type: str = MATH
    """Type of the gold answers, which says how `answer_match` compares: `math`, `choice`, `text`, `number`, or `auto`,
    which chooses by the gold. With `column` the column `answer_type` of each row names its type."""
    execute: Execute = Execute(column="response")
    """How `execute` works: it runs the response as a Python program and compares its last line with the gold."""
    oracle: VerifyByOracle = VerifyByOracle()
    """How `oracle` works: it knows the exact answers to questions of the proving ground, and to no others."""
    answer_keys: ExtractAnswerKey = ExtractAnswerKey()
    """How final answers are extracted and attempts grouped by question, for votes, rewards and pairwise judging."""
    vote: MajorityVote = MajorityVote()
    """How `vote` works: the most frequent answer to a question wins. In `weighted_vote`, attempts count by reward."""
    reward: ScoreResponse = ScoreResponse()
    """How a reward model scores responses, for `reward` and `weighted_vote`."""
    reward_threshold: RewardThreshold = RewardThreshold()
    """From which reward, or by which margin, `reward` finds a response right."""
    llm_judge: JudgeResponse = JudgeResponse()
    """How `llm_judge` works: a model gives a reason and a verdict. Several samples vote."""
    pairwise_judge: JudgePair = JudgePair()
    """How `pairwise_judge` works: a model compares a response with a rival, in both orders."""
    gold_doubts: FindGoldDoubts = FindGoldDoubts()
    """When a gold is in doubt: how many responses must agree against it. Doubts are reported and change no verdict."""

    @field_validator("answer_type")
    @classmethod
    def _check_answer_type(cls, answer_type: str) -> str:
        return check_answer_type(answer_type)

    @field_validator("verifiers")
    @classmethod
    def _check_unique(cls, names: tuple[VerifierName, ...]) -> tuple[VerifierName, ...]:
        if len(set(names)) < len(names):
            raise ValueError("a verifier is named twice; name each once")
        return names

    def without_idle_roles(self) -> Self:
        """Return the recipe without the roles of verifiers that are not run, so that no model is required for them."""
        idle = [field for field, users in MODEL_FIELDS.items() if not {*users} & {*self.verifiers}]
        return self.model_copy(update={f: getattr(self, f).model_copy(update={"role": None}) for f in idle})

    def added_columns(self) -> list[str]:
        """Return the names of the columns that verification adds, which input columns must not have."""
        narrow = {"execute": Execute.table.names, "llm_judge": JudgeResponse.table.names}
        (only, *more) = self.verifiers
        own = list(CombineVerdicts.extra_columns) if more else [*narrow.get(only, []), *CROSS_ATTEMPT.get(only, ())]
        return list(dict.fromkeys([*verdicts.VERDICT_SCHEMA.names, *own]))


def verify_attempts(run: Run, recipe: Verifiers, attempts: Table) -> Table:
    """Return a verdict for every attempt, combined from all verifiers."""
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


def report_gold_doubts(
    run: Run,
    recipe: Verifiers,
    dataset: str,
    attempts: Table,
    verdicts: Table,
    without_cut_off: bool = False,
    counts_repeats: bool = False,
) -> None:
    """Find the golds that are in doubt, for the view `gold_doubts`, and warn if there are any.

    `without_cut_off` and `counts_repeats` are fields of `FindGoldDoubts` that the recipe decides. Does nothing if no
    verifier of the recipe compares answers with the gold by rules.
    """
    if GOLD_VERIFIERS.isdisjoint(recipe.verifiers):
        return
    facts = {"dataset": dataset, "without_cut_off": without_cut_off, "counts_repeats": counts_repeats}
    step = recipe.gold_doubts.model_copy(update={**facts, "markers": recipe.answer_match.markers})
    run.gate(f"{dataset}_golds", gold_doubts.expectations(dataset), run.merge(step, attempts, verdicts))


def _make_answer_check(recipe: Verifiers) -> Stage:
    """The stage that compares answers: that for mathematics, unless the recipe names other types."""
    if recipe.answer_type == MATH:
        return recipe.answer_match
    checkers = AnswerCheckers(**{name: getattr(recipe, name) for name in AnswerCheckers.model_fields})
    return CheckAnswerType(answer_type=recipe.answer_type, math=recipe.answer_match, checkers=checkers)


def _run_verifier(run: Run, recipe: Verifiers, name: VerifierName, attempts: Table) -> Table:
    """Return the verdicts of one verifier."""
    if name not in CROSS_ATTEMPT:
        stages: dict[str, Stage] = {
            "answer_match": _make_answer_check(recipe),
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
