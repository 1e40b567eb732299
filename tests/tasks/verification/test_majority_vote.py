"""Verdicts without a gold: by consensus, by weighed consensus, and by reward."""

from math import log2
from typing import Any

import pyarrow as pa
import pytest

from infra.engines.fake import FakeEngine
from schemas.arrow import conform
from schemas.errors import BadInput
from schemas.outcomes import Quarantine, Reject, Row
from schemas.steps import Merge
from schemas.tables import answers, verdicts
from tasks.answers.reward import ScoreAnswer
from tasks.verification.majority_vote import ANSWER_KEYS, ExtractAnswerKey, MajorityVote, WeightedVote
from tasks.verification.reward_model import RewardThreshold, ScoreResponse
from tests.support.merging import run_merge


def attempts(*said: str) -> list[Row]:
    """Attempts at one question; an empty text states no answer."""
    return [
        {"row_id": f"q/{i}", "question": "1 + 1?", "response": f"#### {text}" if text else "Hm.", "answer": "2"}
        for i, text in enumerate(said)
    ]


def rewards(*given: float | None) -> pa.Table:
    rows = [{"row_id": f"q/{i}", "reward": reward} for i, reward in enumerate(given) if reward is not None]
    return pa.Table.from_pylist(rows, schema=answers.REWARDS)


def judged(merge: Merge, rows: list[Row], *more: pa.Table) -> list[Row]:
    read = conform(list(ExtractAnswerKey().rows(rows, None)), ANSWER_KEYS, "read")
    return list(run_merge(merge, rows, read, *more).values())


def rules(merge: Merge, rows: list[Row], *more: pa.Table) -> list[tuple[str, str]]:
    return [(row["verdict"], row["rule"]) for row in judged(merge, rows, *more)]


RIGHT, WRONG = ("correct", "majority"), ("wrong", "minority")


def test_what_most_samples_agree_on_is_right_in_whatever_form() -> None:
    found = judged(MajorityVote(), attempts("1.50", "3/2", "2", "$1.5"))
    assert [(row["verdict"], row["rule"]) for row in found] == [RIGHT, RIGHT, WRONG, RIGHT]
    assert [(row["gold_parsed"], row["answer_parsed"]) for row in found][2] == ("3/2", "2")
    assert {(row["agreement"], row["samples"], row["verifier"]) for row in found} == {(0.75, 4, "questmill.vote")}
    assert found[0]["entropy"] == pytest.approx(-0.75 * log2(0.75) - 0.25 * log2(0.25))


@pytest.mark.parametrize(
    ("said", "merge", "rule"),
    [
        (("1", "1", "2", "2"), MajorityVote(least_agreement=0), "tie"),
        (("1", "1", "2", "3", "4"), MajorityVote(), "little_agreement"),
        (("1",), MajorityVote(), "few_samples"),
        (("1", "1", "", "", ""), MajorityVote(), "little_agreement"),
    ],
)
def test_where_too_few_agree_nothing_is_said_of_any(said: tuple[str, ...], merge: MajorityVote, rule: str) -> None:
    found = rules(merge, attempts(*said))
    stated = [found for found, text in zip(found, said, strict=True) if text]
    assert set(stated) == {("unverifiable", rule)}


def test_the_least_agreement_is_itself_enough() -> None:
    assert rules(MajorityVote(least_agreement=0.5), attempts("1", "1", "2", "3")) == [RIGHT, RIGHT, WRONG, WRONG]


def test_a_sample_without_an_answer_counts_and_is_unparseable() -> None:
    found = judged(MajorityVote(), attempts("1", "1", ""))
    assert [(row["verdict"], row["rule"]) for row in found] == [RIGHT, RIGHT, ("unparseable", "no_answer")]
    assert found[0]["agreement"] == pytest.approx(2 / 3)


def test_samples_that_all_agree_have_no_entropy() -> None:
    assert {row["entropy"] for row in judged(MajorityVote(), attempts("1", "1"))} == {0.0}


def test_equal_answers_are_one_however_they_are_written() -> None:
    assert {verdict for verdict, _ in rules(MajorityVote(), attempts("1/2", "0.5", r"\frac12", r"\frac{1}{2}"))} == {
        "correct"
    }


def test_one_answer_beside_none_is_no_consensus() -> None:
    assert rules(MajorityVote(), attempts("1", ""))[0] == ("unverifiable", "few_samples")


def test_samples_are_grouped_by_the_column_that_was_named() -> None:
    rows = [row | {"problem": at % 2} for at, row in enumerate(attempts("1", "2", "1", "2"))]
    read = conform(list(ExtractAnswerKey(group_column="problem").rows(rows, None)), ANSWER_KEYS, "read")
    assert {row["verdict"] for row in run_merge(MajorityVote(), rows, read).values()} == {"correct"}
    with pytest.raises(BadInput, match="no column 'theme'; name the shared one with `group_column`"):
        list(ExtractAnswerKey(group_column="theme").rows(rows, None))


def test_an_attempt_whose_group_is_null_is_of_no_question_and_quarantined() -> None:
    pids = [None, 7.0, None, 7.0, float("nan")]
    rows = [row | {"pid": pid} for pid, row in zip(pids, attempts("3", "1", "2", "1", "2"), strict=True)]
    found = list(ExtractAnswerKey(group_column="pid").rows(rows, None))
    lost = [outcome for outcome in found if isinstance(outcome, Quarantine)]
    assert [(each.row["row_id"], each.reason) for each in lost] == [(f"q/{i}", "null pid") for i in (0, 2, 4)]
    read = conform([row for row in found if not isinstance(row, Quarantine)], ANSWER_KEYS, "read")
    told = run_merge(MajorityVote(), rows, read)
    assert [told[f"q/{i}"]["reject"] for i in range(5)] == ["no verdict", None, "no verdict", None, "no verdict"]
    assert [(told[key]["verdict"], told[key]["samples"]) for key in ("q/1", "q/3")] == [("correct", 2)] * 2


def test_two_good_samples_outweigh_three_doubtful_ones() -> None:
    rows = attempts("1", "1", "1", "2", "2")
    assert rules(MajorityVote(), rows)[0] == RIGHT
    found = judged(WeightedVote(), rows, rewards(0.1, 0.2, 0.1, 0.9, 0.7))
    assert [row["verdict"] for row in found] == ["wrong", "wrong", "wrong", "correct", "correct"]
    assert (found[0]["agreement"], found[0]["verifier"]) == (pytest.approx(0.8), "questmill.weighted_vote")


def test_a_sample_without_a_reward_has_no_weight_and_no_weights_at_all_decide_nothing() -> None:
    rows = attempts("1", "1", "2")
    assert [verdict for verdict, _ in rules(WeightedVote(), rows, rewards(None, None, 0.3))] == [
        "wrong",
        "wrong",
        "correct",
    ]
    assert {verdict for verdict, _ in rules(WeightedVote(), rows, rewards(0.0, 0.0, 0.0))} == {"unverifiable"}


def test_another_configuration_is_another_verifier() -> None:
    rows = attempts("1", "1")
    versions = {
        judged(vote, rows)[0]["verifier_version"] for vote in (MajorityVote(), MajorityVote(least_agreement=0.6))
    }
    assert len(versions) == 2


def test_an_attempt_whose_answer_could_not_be_read_is_rejected() -> None:
    rows = attempts("1", "1")
    read = conform(list(ExtractAnswerKey().rows(rows[:1], None)), ANSWER_KEYS, "read")
    assert [row["reject"] for row in run_merge(MajorityVote(), rows, read).values()] == [None, "no verdict"]


@pytest.mark.parametrize("merge", [MajorityVote(), WeightedVote(), RewardThreshold()], ids=lambda merge: merge.label)
def test_the_record_is_that_of_every_verifier_and_its_evidence(merge: Any) -> None:
    more = (rewards(0.5, 0.6),) if "rewards" in merge.inputs else ()
    (row, _) = judged(merge, attempts("1", "1"), *more)
    assert list(row) == [*verdicts.VERDICT_SCHEMA.names, *merge.extra_columns, "reject"]
    conform([{name: row[name] for name in verdicts.VERDICT_SCHEMA.names}], verdicts.VERDICT_SCHEMA, merge.label)


def test_the_reward_of_a_response_is_asked_for_as_the_pupil_was_taught() -> None:
    engine = FakeEngine(score=lambda prompt: 0.25 if prompt.stage == "judge_answer" else 1.0)
    row, *_ = ScoreResponse().rows(attempts("2"), engine)
    assert row == {"row_id": "q/0", "reward": 0.25}


@pytest.mark.parametrize(("stage", "column"), [(ScoreResponse(), "response"), (ScoreAnswer(), "solution")])
def test_a_reward_model_does_not_see_what_was_thought(stage: ScoreAnswer, column: str) -> None:
    for thought in ("<think>#### 8?</think>\n", "Maybe 8.\n</think>", "[THINK]8?[/THINK]\n"):
        prompt = stage.prompt({"row_id": "r", "question": "?", column: f"{thought}#### 2"})
        assert prompt is not None and prompt.inputs == {"question": "?", "solution": "#### 2"}


@pytest.mark.parametrize("response", ["<think>#### 1", "It is 1.\n<think>Is it?", "[THINK]#### 1"])
def test_a_response_whose_thought_never_ends_has_no_reward_and_is_never_right(response: str) -> None:
    rows = [row | {"response": text} for text, row in zip(("#### 1", response), attempts("1", "1"), strict=True)]
    scored = list(ScoreResponse().rows(rows, FakeEngine(score=lambda prompt: 0.9)))
    assert scored == [{"row_id": "q/0", "reward": 0.9}, Reject(rows[1], "open_thought")]
    assert rules(RewardThreshold(), rows, rewards(0.9)) == [("correct", "high_reward"), ("unparseable", "no_answer")]


@pytest.mark.parametrize(
    ("merge", "found"),
    [
        (RewardThreshold(threshold=0.6), ["high_reward", "low_reward", "low_reward", "no_answer"]),
        (RewardThreshold(threshold=0.6, undecided_band=0.3), ["doubt", "low_reward", "doubt", "no_answer"]),
        (RewardThreshold(threshold=0, margin=0.3), ["high_reward", "high_reward", "behind", "no_answer"]),
        (RewardThreshold(threshold=0, margin=0.5), ["small_margin", "small_margin", "small_margin", "no_answer"]),
        (RewardThreshold(threshold=0.3, margin=0.3), ["high_reward", "high_reward", "behind", "no_answer"]),
        (RewardThreshold(threshold=0.5, margin=0.3), ["high_reward", "high_reward", "low_reward", "no_answer"]),
    ],
)
def test_a_reward_accepts_by_threshold_and_by_its_lead_over_other_answers(
    merge: RewardThreshold, found: list[str]
) -> None:
    table = rewards(0.8, 0.1, 0.4, 0.9)
    assert [rule for _, rule in rules(merge, attempts("1", "1", "2", ""), table)] == found


def test_two_answers_of_one_reward_decide_nothing() -> None:
    found = rules(RewardThreshold(threshold=0, margin=0), attempts("1", "2"), rewards(0.5, 0.5))
    assert found == [("unverifiable", "small_margin")] * 2


def test_an_attempt_without_a_reward_is_unverifiable() -> None:
    assert rules(RewardThreshold(), attempts("1"), rewards(None)) == [("unverifiable", "no_reward")]
