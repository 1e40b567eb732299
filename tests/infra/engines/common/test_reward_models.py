"""A reward is read where the model gives it, and nothing is read where it gives none."""

from typing import Any

import pytest
from pydantic import ValidationError

from infra.engines.common.reward_models import (
    combine_steps,
    count_steps,
    probability_of,
    read_score,
    reward_model_chat,
    single_token,
    split_steps,
)
from schemas.engine import Failure
from schemas.engine_specs import RegressorSpec, RewardModelSpec, VllmSpec
from schemas.identity import fingerprint
from schemas.prompts import Prompt
from tests.support.engine_contract import JUDGE, QUESTION

STEP = 9
"""Id of the step token."""
PROCESS = RewardModelSpec(step_token="<extra_0>", step_scores="min")


@pytest.mark.parametrize(
    ("solution", "steps"),
    [
        ("3 + 4 = 7\n\n#### 7", ["3 + 4 = 7", "#### 7"]),
        ("3 + 4 = 7\n#### 7", ["3 + 4 = 7", "#### 7"]),
        ("First\nhalf.\n \n\n\tSecond\nhalf.\n", ["First\nhalf.", "Second\nhalf."]),
        ("7", ["7"]),
        (" \n\n ", []),
    ],
)
def test_steps_are_blocks_or_else_lines(solution: str, steps: list[str]) -> None:
    assert split_steps(solution) == steps
    prompt = JUDGE.model_copy(update={"inputs": {"question": QUESTION, "solution": solution}})
    assert count_steps(prompt) == len(steps)
    *_, assistant = reward_model_chat(prompt, "<s>")
    assert assistant == {"role": "assistant", "content": "".join(f"{step}<s>" for step in steps)}


def test_the_last_input_is_the_assistants_turn() -> None:
    asked, answered = reward_model_chat(JUDGE)
    assert (asked["content"], answered["content"]) == (QUESTION, "3 + 4 = 7\n#### 7")
    assert reward_model_chat(Prompt(stage="x", inputs={"question": "?"}))[1]["content"] == "?"


@pytest.mark.parametrize(("labels", "score"), [([0.0], 0.5), ([0.0, 0.0], 0.5), ([1.0, 3.0], 0.8808), ([800.0], 1.0)])
def test_labels_are_probabilities(labels: list[float], score: float) -> None:
    assert probability_of(labels) == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize(("how", "score"), [("min", 0.2), ("product", 0.08), ("last", 0.5)])
def test_the_scores_of_steps_make_one(how: str, score: float) -> None:
    assert combine_steps([0.8, 0.2, 0.5], how) == pytest.approx(score)


@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        ([[9.0, 0.0], [0.0, 2.0], [9.0, 0.0], [0.0, 1.0]], [1, STEP, 2, STEP]),
        ([[0.0, 2.0], [0.0, 1.0]], [1, STEP, 2, STEP]),
        ([[0.0, 2.0], [0.0, 1.0], [3.0, 0.0]], [STEP, STEP, 2]),
    ],
)
def test_an_engine_may_return_all_tokens_or_the_steps_alone(rows: list[list[float]], ids: list[int]) -> None:
    assert read_score(rows, ids, 2, PROCESS, STEP) == pytest.approx(probability_of([0.0, 1.0]))


@pytest.mark.parametrize(
    ("rows", "ids", "steps", "reason"),
    [
        ([], [1, 2], 1, "no score"),
        ([[]], [1, 2], 1, "no score"),
        ([[0.0, 1.0]] * 3, [1, 2, 3], 2, "no step scores"),
        ([[0.0, 1.0]] * 3, [1, STEP, 3], 2, "no step scores"),
        ([[0.0, 1.0]], [1, STEP, 3, STEP], 2, "no step scores"),
        ([[0.0, 1.0]] * 2, [1, 2], 0, "no step scores"),
    ],
)
def test_a_model_that_gives_no_value_fails_the_row_and_crashes_nothing(
    rows: list[list[float]], ids: list[int], steps: int, reason: str
) -> None:
    failure = read_score(rows, ids, steps, PROCESS, STEP)
    assert isinstance(failure, Failure) and failure.reason == reason and "check" in failure.error


@pytest.mark.parametrize(("rows", "score"), [([[0.0]], 0.5), ([[5.0], [0.0]], 0.5), ([[0.0, 0.0], [1.0, 3.0]], 0.8808)])
def test_without_steps_the_last_token_counts(rows: list[list[float]], score: float) -> None:
    assert read_score(rows, [1, 2], 1, RewardModelSpec(), None) == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("ids", [[], [1, 2], [1, 2, 3]])
def test_a_token_must_be_one(ids: list[int]) -> None:
    with pytest.raises(ValueError, match=rf"step_token '<x>' is {len(ids)} tokens of the model's tokeniser, not one"):
        single_token(lambda text: ids, "<x>", "step_token")
    assert single_token(lambda text: [7], "<x>", "step_token") == 7
    assert single_token(lambda text: ids, "", "step_token") is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"step_token": "<extra_0>"}, "needs both step_token and step_scores"),
        ({"step_scores": "min"}, "needs both step_token and step_scores"),
        ({"step_token": "<a>", "step_scores": "min", "reward_token": "<b>"}, "not both"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(fields: dict[str, Any], reason: str) -> None:
    for kind, base in (
        (RegressorSpec, {"kind": "regressor"}),
        (VllmSpec, {"kind": "vllm", "model": "a/b", "pooling": True}),
    ):
        with pytest.raises(ValidationError, match=reason):
            kind(**base, **fields)


@pytest.mark.parametrize("fields", [{"reward_token": "<b>"}, {"step_token": "<a>", "step_scores": "last"}])
def test_a_model_that_writes_has_no_reward_token(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="set pooling = true as well"):
        VllmSpec(kind="vllm", model="a/b", **fields)


@pytest.mark.parametrize(
    "fields",
    [{"trust_remote_code": True}, {"reward_token": "<b>"}, {"step_token": "<a>", "step_scores": "last"}],
)
def test_how_a_reward_is_read_counts_for_the_identity(fields: dict[str, Any]) -> None:
    plain = RegressorSpec(kind="regressor")
    assert fingerprint(RegressorSpec(kind="regressor", **fields)) != fingerprint(plain)
    assert fingerprint(plain) == fingerprint(RegressorSpec(kind="regressor", trust_remote_code=False, step_token=""))
