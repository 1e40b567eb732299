"""What a score is made of."""

import math

import pytest

from infra.engines.common.yes_no import (
    NO_SPELLINGS,
    YES_SPELLINGS,
    no_verdict,
    opens_thought,
    single_token_ids,
    yes_probability,
)
from infra.engines.embedded import EmbeddedEngine
from schemas.engine import Failure, Request
from schemas.engine_specs import EmbeddedSpec
from tests.support.engine_contract import JUDGE


def test_a_score_is_the_share_of_yes_among_both_words() -> None:
    assert yes_probability([math.log(0.3), math.log(0.3)], [math.log(0.2)]) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ([], []),
        ([-math.inf], [-math.inf]),
        ([-17.0], []),
        ([], [-4.0]),
        ([math.log(0.05)], [math.log(0.049)]),
        ([math.log(0.01)] * 5, [math.log(0.04)]),
    ],
)
def test_a_model_that_hardly_gives_either_word_has_no_score(yes: list[float], no: list[float]) -> None:
    assert yes_probability(yes, no) is None


def test_a_tenth_of_the_probability_is_enough() -> None:
    assert yes_probability([math.log(0.06)], [math.log(0.05)]) == pytest.approx(6 / 11)


@pytest.mark.parametrize(
    "token", ["<think>", "<", "<th", "\u2581<think>", "[THINK]", "<|channel|>", "<thought>", " <think>\n"]
)
def test_a_token_that_opens_a_thought_is_known(token: str) -> None:
    assert opens_thought(token)


@pytest.mark.parametrize("token", ["", " ", "To", "[", "yes", "**", "{", "1", "<answer>"])
def test_any_other_token_opens_none(token: str) -> None:
    assert not opens_thought(token)


def test_the_failure_names_the_likeliest_tokens() -> None:
    failure = no_verdict({"To": -0.1, "Let": -2.5, "The": -9.0, "yes": -17.0})
    assert failure.reason == "says neither yes nor no" and "the likeliest are 'To', 'Let', 'The';" in failure.error


@pytest.mark.parametrize("tag", ["solve", "write_question", "no_such_tag"])
def test_the_shipped_model_gives_no_score_for_what_asks_for_no_verdict(tag: str) -> None:
    engine = EmbeddedEngine(EmbeddedSpec())
    asked = JUDGE.model_copy(update={"stage": tag, "inputs": {"question": "How many?"}})
    requests = [Request("0", asked, (0,)), Request("1", JUDGE, (0,))]
    replies = {request.row_id: reply for request, reply in engine.score(requests)}
    engine.close()
    assert isinstance(replies["0"], Failure) and replies["0"].reason == "says neither yes nor no"
    assert isinstance(replies["1"], list) and 0 <= float(replies["1"][0].text) <= 1


def test_only_spellings_of_one_token_count_and_each_token_once() -> None:
    vocabulary = {"yes": [7], "Yes": [3], "YES": [1, 2], " yes": [7], " Yes": []}
    assert single_token_ids(vocabulary.__getitem__, YES_SPELLINGS) == [3, 7]
    assert single_token_ids(lambda text: [1, 2], NO_SPELLINGS) == []
