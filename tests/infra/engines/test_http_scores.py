"""Scores over HTTP: the evidence that one needs, thinking models, and reward models behind a server."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from infra.engines.http import HttpEngine
from infra.mock_server.server import MockServer
from schemas.engine import Failure, Reply, Request
from schemas.engine_specs import HttpSpec
from schemas.errors import EngineError
from schemas.prompts import Sampling
from tests.support.engine_contract import JUDGE, ScorerContract
from tests.support.scripted_server import Answer, ScriptedServer, chat_reply


@contextmanager
def opened(server: ScriptedServer | MockServer, **fields: Any) -> Iterator[HttpEngine]:
    engine = HttpEngine(HttpSpec(**{"kind": "http", "model": "m", "base_url": (f"{server.url}/v1",), **fields}))
    try:
        yield engine
    finally:
        engine.close()


def score_all(engine: HttpEngine, rows: int = 1) -> dict[str, Reply]:
    requests = [Request(str(i), JUDGE, (0,)) for i in range(rows)]
    return {request.row_id: reply for request, reply in engine.score(requests)}


def first_token(likely: dict[str, float], api: str = "chat", **message: Any) -> dict[str, Any]:
    """A reply of one token with these alternatives."""
    token = max(likely, key=lambda each: likely[each])
    if api == "tagged":
        logprobs = {"tokens": [token], "token_logprobs": [likely[token]], "top_logprobs": [likely]}
        return chat_reply(token) | {"choices": [{"text": token, "finish_reason": "length", "logprobs": logprobs}]}
    top = [{"token": each, "logprob": value} for each, value in likely.items()]
    reply = chat_reply({"content": token} | message, finish_reason="length")
    reply["choices"][0]["logprobs"] = {"content": [{"token": token, "logprob": likely[token], "top_logprobs": top}]}
    return reply


def score_of(likely: dict[str, float], **fields: Any) -> float | Failure:
    api = fields.get("api", "chat")
    with ScriptedServer(lambda asked: Answer(first_token(likely, api))) as server, opened(server, **fields) as engine:
        (reply,) = score_all(engine).values()
    return reply if isinstance(reply, Failure) else float(reply[0].text)


@pytest.mark.parametrize("api", ["chat", "tagged"])
@pytest.mark.parametrize(
    ("likely", "expected"),
    [
        ({"yes": math.log(0.6), "no": math.log(0.2)}, 0.75),
        ({"Yes": math.log(0.3), " yes": math.log(0.3), "No": math.log(0.2)}, 0.75),
        ({"\u0120yes": math.log(0.3), "\u2581no": math.log(0.3)}, 0.5),
        ({"To": math.log(0.88), "yes": math.log(0.08), "no": math.log(0.04)}, 2 / 3),
        ({"no": -0.001}, 0.0),
    ],
)
def test_a_score_is_what_yes_has_of_both_words(likely: dict[str, float], expected: float, api: str) -> None:
    assert score_of(likely, api=api) == pytest.approx(expected)


@pytest.mark.parametrize("api", ["chat", "tagged"])
@pytest.mark.parametrize(
    "likely",
    [
        {"To": -0.01, "Let": -5.0},
        {"To": -0.01, "Let": -5.0, "yes": -17.0},
        {"\n": -0.1, " yes": -4.0},
        {"The": -0.5, "no": -3.0, "yes": -4.0},
        {"1": -0.2, "**": -2.0, "nothing": -0.3},
    ],
)
def test_a_model_that_says_something_else_gives_no_score(likely: dict[str, float], api: str) -> None:
    failure = score_of(likely, api=api)
    assert isinstance(failure, Failure) and failure.reason == "says neither yes nor no"
    assert repr(next(iter(likely))) in failure.error


@pytest.mark.parametrize("token", ["<think>", "<", "[THINK]", "<|channel|>"])
def test_a_model_that_begins_with_a_thought_is_told_with_the_way_out(token: str) -> None:
    failure = score_of({token: -0.01, "yes": -6.0})
    assert isinstance(failure, Failure) and failure.reason == "thinks before it replies"
    assert "set thinks = true" in failure.error
    failure = score_of({token: -0.01, "yes": -6.0}, thinks=True)
    assert isinstance(failure, Failure) and "although it was asked not to" in failure.error


def test_a_thought_that_the_server_has_taken_out_is_noticed_too() -> None:
    reply = first_token({"yes": -0.1}, content=None, reasoning_content="yes")
    with ScriptedServer(lambda asked: Answer(reply)) as server, opened(server) as engine:
        (failure,) = score_all(engine).values()
    assert isinstance(failure, Failure) and failure.reason == "thinks before it replies"


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({}, None),
        ({"thinks": True}, {"enable_thinking": False}),
        (
            {"thinks": True, "extra_body": {"chat_template_kwargs": {"thinking": False}}},
            {"enable_thinking": False} | {"thinking": False},
        ),
        ({"extra_body": {"chat_template_kwargs": {"thinking": False}}}, {"thinking": False}),
    ],
)
def test_a_thinking_model_is_asked_for_scores_without_its_thought(fields: dict[str, Any], sent: Any) -> None:
    reply = first_token({"yes": -0.1})
    with ScriptedServer(lambda asked: Answer(reply)) as server, opened(server, **fields) as engine:
        score_all(engine)
    assert server.asked[0].body.get("chat_template_kwargs") == sent
    assert (server.asked[0].body["max_tokens"], server.asked[0].body["top_logprobs"]) == (1, 20)


def test_a_scorer_that_never_says_either_word_stops_the_run() -> None:
    reply = first_token({"To": -0.01})
    with (
        ScriptedServer(lambda asked: Answer(reply)) as server,
        opened(server) as engine,
        pytest.raises(EngineError, match="the first 20 requests were all answered without a score"),
    ):
        score_all(engine, rows=60)


REWARDS: dict[str, list[tuple[Any, float]]] = {
    "pooling": [
        ([{"data": [0.0]}], 0.5),
        ([{"data": [[2.0]]}], 1 / (1 + math.exp(-2))),
        ([{"data": [[9.0], [-1.0]]}], 1 / (1 + math.exp(1))),
        ([{"data": [1.0, 3.0]}], 1 / (1 + math.exp(-2))),
        ([{"data": [-1e6]}], 0.0),
        ([{"data": 0.0}], 0.5),
    ],
    "score": [([{"index": 0, "object": "score", "score": 0.25}], 0.25), ([{"score": 1}], 1.0), ([{"score": 0.0}], 0.0)],
    "classify": [
        ([{"label": "yes", "probs": [0.2, 0.8], "num_classes": 2}], 0.8),
        ([{"probs": [0.3], "num_classes": 1}], 0.3),
        ([{"probs": [0.1, 0.2, 0.7]}], 0.7),
    ],
}


@pytest.mark.parametrize(
    ("api", "data", "expected"), [(api, *each) for api, pairs in REWARDS.items() for each in pairs]
)
def test_a_reward_model_behind_a_server_gives_scores(api: str, data: Any, expected: float) -> None:
    answer = Answer({"data": data, "usage": {"prompt_tokens": 9, "total_tokens": 9}})
    with ScriptedServer(lambda asked: answer) as server, opened(server, score_api=api) as engine:
        ((reply,),) = score_all(engine).values()
    assert float(reply.text) == pytest.approx(expected, abs=1e-9)
    assert (reply.prompt_tokens, reply.completion_tokens) == (9, 0)
    (asked,) = server.asked
    assert asked.path == f"/{api}" and asked.body["use_activation"] is (api != "pooling")
    question, solution = JUDGE.inputs.values()
    if api == "score":
        assert (asked.body["text_1"], asked.body["text_2"]) == (question, solution)
    else:
        assert [each["content"] for each in asked.body["messages"]] == [question, solution]


@pytest.mark.parametrize(
    ("api", "data"),
    [
        ("score", [{"score": 3.5}]),
        ("score", [{"score": math.nan}]),
        ("score", []),
        ("classify", [{"probs": []}]),
        ("pooling", [{"data": []}]),
        ("pooling", [{"data": "AAAA"}]),
    ],
)
def test_a_reward_that_is_none_is_no_score(api: str, data: Any) -> None:
    with ScriptedServer(lambda asked: Answer({"data": data})) as server, opened(server, score_api=api) as engine:
        (failure,) = score_all(engine).values()
    assert isinstance(failure, Failure) and failure.reason in ("not understood", "no JSON")


def test_a_reward_model_writes_no_text() -> None:
    with (
        MockServer() as server,
        opened(server, score_api="pooling") as engine,
        pytest.raises(EngineError, match="m only scores; give this role a model that generates text"),
    ):
        list(engine.stream([Request("0", JUDGE, (0,))], Sampling()))


class TestPooling(ScorerContract):
    @pytest.fixture
    def engine(self) -> Iterator[HttpEngine]:
        with MockServer() as server, opened(server, score_api="pooling") as engine:
            yield engine


class TestScore(ScorerContract):
    @pytest.fixture
    def engine(self) -> Iterator[HttpEngine]:
        with MockServer() as server, opened(server, score_api="score") as engine:
            yield engine


class TestClassify(ScorerContract):
    @pytest.fixture
    def engine(self) -> Iterator[HttpEngine]:
        with MockServer() as server, opened(server, score_api="classify") as engine:
            yield engine
