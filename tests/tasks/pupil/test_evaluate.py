"""The examination: a perfect pupil gets full marks, and a guessing one does not."""

import pytest

from infra.engines.fake import FakeEngine
from schemas.prompts import Prompt
from tasks.proving_ground import library
from tasks.proving_ground.oracle import read_question
from tasks.pupil.evaluate import EvalSize, evaluate, roc_auc
from tasks.pupil.examples import EVALUATION_SEEDS, write_judgement

EXAM = EvalSize(problems=60, samples=2, questions=400, batch=100)


def perfect(prompt: Prompt, seed: int) -> str:
    if prompt.stage == "write_question":
        return library.draw_problem(EVALUATION_SEEDS[seed % 10**9], solvable=seed % 4 > 0).question
    problem = read_question(prompt.inputs["question"]).problem
    assert problem is not None
    return problem.solution if prompt.stage == "solve" else write_judgement(problem)


def test_a_perfect_pupil_gets_full_marks() -> None:
    marks = evaluate(FakeEngine(perfect), EXAM)
    assert (
        marks["solve_greedy_accuracy"]
        == marks["solve_sampled_accuracy"]
        == marks["solve_pass_at_2"]
        == marks["judge_solvable_balanced_accuracy"]
        == 1.0
    )
    assert marks["written_in_distribution"] == 1.0 and 0.65 < marks["written_solvable"] < 0.85
    assert marks["written_distinct"] > 0.95 and marks["written_topic_distance"] < 8
    assert not [key for key in marks if key.startswith("error_kind_share.")]


def test_a_silent_pupil_fails() -> None:
    marks = evaluate(FakeEngine(), EXAM)
    assert (
        marks["solve_greedy_accuracy"]
        == marks["written_in_distribution"]
        == marks["judge_solvable_balanced_accuracy"]
        == 0.0
    )
    assert marks["reward_auc"] == 0.5 and marks["error_kind_share.no_answer"] == 1.0


def test_a_reward_that_ranks_right_over_wrong_has_area_one() -> None:
    assert roc_auc([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert roc_auc([0.9, 0.1], [0.5]) == 0.5
    assert roc_auc([0.5], [0.5]) == 0.5
    assert roc_auc([0.3, 0.6], [0.4, 0.6]) == pytest.approx((0 + 0 + 1 + 0.5) / 4)
