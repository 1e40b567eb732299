"""Replies as servers write them: what the http engine makes of each, and what one that cannot be read costs."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from infra.engines.http import HttpEngine
from schemas.engine import Completion, Failure, Reply, Request
from schemas.engine_specs import HttpSpec
from schemas.errors import EngineError
from schemas.prompts import Prompt, Sampling
from tests.support.scripted_server import Answer, Asked, ScriptedServer, chat_reply

SAMPLED = Sampling(temperature=1.0, max_tokens=64)


@contextmanager
def opened(server: ScriptedServer, **fields: Any) -> Iterator[HttpEngine]:
    engine = HttpEngine(HttpSpec(**{"kind": "http", "model": "m", "base_url": (f"{server.url}/v1",), **fields}))
    try:
        yield engine
    finally:
        engine.close()


def ask(engine: HttpEngine, rows: int = 1, n: int = 1, sampling: Sampling = SAMPLED) -> dict[str, Reply]:
    requests = [
        Request(str(i), Prompt(stage="solve", inputs={"question": f"{i}?"}, instruction="Solve."), tuple(range(n)))
        for i in range(rows)
    ]
    return {request.row_id: reply for request, reply in engine.stream(requests, sampling)}


def reply_to(content: Any, api: str = "chat", status: int = 200) -> Completion | Failure:
    """What the engine makes of one reply of a server."""
    with ScriptedServer(lambda asked: Answer(content, status)) as server, opened(server, api=api) as engine:
        (reply,) = ask(engine).values()
    return reply if isinstance(reply, Failure) else reply[0]


def completion(content: Any, api: str = "chat") -> Completion:
    reply = reply_to(content, api)
    assert isinstance(reply, Completion), reply
    return reply


@pytest.mark.parametrize(
    ("word", "reason", "fault"),
    [
        ("stop", "stop", None),
        ("eos_token", "stop", None),
        ("STOP", "stop", None),
        ("end_turn", "stop", None),
        ("length", "length", "cut_off"),
        ("MAX_TOKENS", "length", "cut_off"),
        ("model_length", "length", "cut_off"),
        ("content_filter", "content_filter", "content_filter"),
        ("insufficient_system_resource", "insufficient_system_resource", "insufficient_system_resource"),
        ("tool_calls", "tool_calls", "tool_calls"),
        ("function_call", "function_call", "function_call"),
        ("abort", "abort", "abort"),
        (None, "unknown", "unknown"),
        ("", "unknown", "unknown"),
    ],
)
@pytest.mark.parametrize("api", ["chat", "tagged"])
def test_a_reply_ends_for_the_servers_own_reason(word: Any, reason: str, fault: str | None, api: str) -> None:
    whole = chat_reply("2+2 = 4. So the #### 12", finish_reason=word)
    if api == "tagged":
        whole["choices"] = [{"text": "2+2 = 4. So the #### 12", "finish_reason": word}]
    reply = completion(whole, api)
    assert (reply.text, reply.finish_reason, reply.fault) == ("2+2 = 4. So the #### 12", reason, fault)


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "refusal": "I cannot help with that."},
        {"content": "", "refusal": "I cannot help with that."},
        {"content": [{"type": "refusal", "refusal": "I cannot help with that."}]},
    ],
)
def test_a_refusal_is_a_fault_and_its_words_are_kept(message: dict[str, Any]) -> None:
    reply = completion(chat_reply(message))
    assert (reply.text, reply.fault) == ("I cannot help with that.", "refusal")


@pytest.mark.parametrize(
    "calls", [{"tool_calls": [{"id": "1", "function": {"name": "f"}}]}, {"function_call": {"name": "f"}}]
)
def test_a_reply_that_only_calls_a_tool_says_so_although_it_ends_with_stop(calls: dict[str, Any]) -> None:
    assert completion(chat_reply({"content": None, **calls})).fault == "tool_calls"


THOUGHT, TEXT = "3 and 4 make 7.", "3 + 4 = 7\n#### 7"


@pytest.mark.parametrize(
    "message",
    [
        {"content": TEXT, "reasoning_content": THOUGHT},
        {"content": TEXT, "reasoning": THOUGHT},
        {"content": TEXT, "reasoning": THOUGHT, "reasoning_content": THOUGHT},
        {"content": f"<think>\n{THOUGHT}\n</think>\n\n{TEXT}"},
        {"content": f"{THOUGHT}\n</think>\n\n{TEXT}"},
        {"content": f"[THINK]{THOUGHT}[/THINK]{TEXT}"},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]},
                {"type": "text", "text": TEXT},
            ]
        },
        {"content": [{"type": "thinking", "thinking": THOUGHT}, {"type": "text", "text": TEXT}]},
        {"content": [{"type": "reasoning", "text": THOUGHT}, {"type": "output_text", "text": TEXT}]},
    ],
)
def test_a_thought_is_kept_beside_the_reply_wherever_the_server_puts_it(message: dict[str, Any]) -> None:
    reply = completion(chat_reply(message))
    assert (reply.text, reply.reasoning, reply.fault) == (TEXT, THOUGHT, None)


def test_a_thought_that_took_all_tokens_is_a_reply_that_was_cut_off() -> None:
    reply = completion(chat_reply({"content": None, "reasoning_content": THOUGHT}, finish_reason="length"))
    assert (reply.text, reply.reasoning, reply.fault) == ("", THOUGHT, "cut_off")


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "3 + 4 "}, {"type": "text", "text": "= 7\n#### 7"}],
        [{"type": "text", "text": TEXT}, {"type": "reference", "reference_ids": [1]}],
        ["3 + 4 = 7\n", {"text": "#### 7"}],
        {"type": "text", "text": TEXT},
    ],
)
def test_content_in_parts_is_joined(content: Any) -> None:
    assert completion(chat_reply({"content": content})).text == TEXT


@pytest.mark.parametrize("blanks", [b"\n", b"\n\n\n\n   \r\n", b" " * 5000])
def test_blanks_that_keep_the_connection_alive_are_no_part_of_the_reply(blanks: bytes) -> None:
    assert completion(blanks + json.dumps(chat_reply(TEXT)).encode() + b"\n").text == TEXT


def events(*pieces: dict[str, Any], done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(piece)}" for piece in pieces] + ["data: [DONE]"] * done
    return "\n\n".join(lines).encode()


def delta(finish_reason: str | None = None, **fields: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason}]}


@pytest.mark.parametrize(
    "stream",
    [
        events(delta(role="assistant", content=""), delta(content="3 + 4 = 7\n"), delta("stop", content="#### 7")),
        b": keep-alive\n\n" + events(delta(content=TEXT), delta("stop"), {"choices": [], "usage": {"total_tokens": 9}}),
        b"event: message\n" + events({"choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}]}),
        events(delta(content=TEXT), delta("stop"), done=False),
    ],
)
def test_a_stream_that_was_not_asked_for_is_put_together(stream: bytes) -> None:
    reply = completion(stream)
    assert (reply.text, reply.fault) == (TEXT, None)


def test_thoughts_and_log_probabilities_of_a_stream_are_put_together_too() -> None:
    logprobs = {"content": [{"token": "7", "logprob": -0.5}]}
    piece = {"choices": [{"index": 0, "delta": {"content": "7"}, "logprobs": logprobs, "finish_reason": "stop"}]}
    stream = events(delta(reasoning_content="3 and 4 "), delta(reasoning_content="make 7."), piece)
    reply = completion(stream)
    assert (reply.text, reply.reasoning, reply.logprobs) == ("7", THOUGHT, (-0.5,))


def test_a_stream_that_ends_too_early_is_told_as_one() -> None:
    with (
        ScriptedServer(lambda asked: Answer(events(delta(content="3 +"), done=False))) as server,
        opened(server, max_attempts=1) as engine,
    ):
        (failure,) = ask(engine).values()
    assert isinstance(failure, Failure) and "a stream of events, which was not asked for" in failure.error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"error": {"code": 401, "message": "No auth credentials found"}}, "HTTP 401: .*No auth.* check the key"),
        ({"error": {"code": "invalid_api_key", "message": "bad key"}}, "HTTP 401: .*bad key"),
        ({"error": {"code": 402, "message": "Insufficient credits"}}, "HTTP 402: .*Insufficient credits"),
        ({"error": {"message": "no such model", "type": "NotFoundError", "code": 404}}, "HTTP 404: .*check model"),
        ({"choices": [{"error": {"code": 401, "message": "key"}, "message": {"content": ""}}]}, "HTTP 401"),
    ],
)
def test_an_error_inside_a_200_stops_the_run_where_its_status_would(error: dict[str, Any], told: str) -> None:
    with pytest.raises(EngineError, match=told):
        reply_to(error)


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"code": 502, "message": "Provider returned error"}},
        {"error": {"code": 429, "message": "Rate limited upstream"}},
        {"error": "upstream connect error"},
        {
            "choices": [
                {"finish_reason": "error", "error": {"code": 503, "message": "x"}, "message": {"content": "3 +"}}
            ]
        },
        {"object": "error", "message": "overloaded", "type": "overloaded_error", "code": None},
    ],
)
def test_an_error_inside_a_200_that_may_pass_is_tried_again(error: dict[str, Any]) -> None:
    answers = iter([Answer(error), Answer(chat_reply(TEXT))])
    with ScriptedServer(lambda asked: next(answers)) as server, opened(server) as engine:
        ((reply,),) = ask(engine).values()
        assert reply.text == TEXT and len(server.asked) == 2


def test_an_error_inside_a_200_that_concerns_the_prompt_is_the_rows_own() -> None:
    failure = reply_to({"error": {"code": 400, "message": "Your prompt was flagged by moderation"}})
    assert isinstance(failure, Failure) and failure.reason == "refused with 400" and "flagged" in failure.error


@pytest.mark.parametrize(
    ("usage", "prompt", "reply_tokens", "is_estimate"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 3}, 9, 3, False),
        ({"prompt_tokens": 9.0, "completion_tokens": "3"}, 9, 3, False),
        ({"prompt_tokens": 9, "total_tokens": 12}, 9, 3, False),
        (None, 5, 4, True),
        ({}, 5, 4, True),
        ({"prompt_tokens": 9, "completion_tokens": None}, 9, 4, True),
        ({"prompt_tokens": 9, "completion_tokens": 0}, 9, 4, True),
        ({"prompt_tokens": 0, "completion_tokens": 0}, 5, 4, True),
        ({"total_tokens": 20}, 16, 4, True),
        ({"prompt_tokens": -1, "completion_tokens": True}, 5, 4, True),
        ("none", 5, 4, True),
        ([], 5, 4, True),
    ],
)
def test_tokens_that_are_not_counted_are_estimated_and_marked(
    usage: Any, prompt: int, reply_tokens: int, is_estimate: bool
) -> None:
    reply = completion(chat_reply(TEXT) | {"usage": usage})
    assert (reply.prompt_tokens, reply.completion_tokens) == (prompt, reply_tokens)
    assert reply.tokens_estimated is is_estimate and reply.text == TEXT


def test_samples_share_the_tokens_that_the_server_counts_together() -> None:
    reply = chat_reply(TEXT, TEXT, TEXT) | {"usage": {"prompt_tokens": 9, "completion_tokens": 8}}
    with ScriptedServer(lambda asked: Answer(reply)) as server, opened(server) as engine:
        (completions,) = ask(engine, n=3).values()
    assert isinstance(completions, list)
    assert [(each.prompt_tokens, each.completion_tokens) for each in completions] == [(9, 3), (0, 3), (0, 2)]


@pytest.mark.parametrize(
    ("texts", "counted", "extra", "tokens"),
    [
        pytest.param((TEXT, TEXT), 4, {"timings": {"predicted_n": 4}}, [4, 4], id="as llama.cpp says by a field"),
        pytest.param(("x" * 40,) * 5, 10, {}, [10] * 5, id="by far too many characters a token"),
        pytest.param(("yes",) * 4, 1, {}, [1] * 4, id="one token for four words"),
        pytest.param(("x" * 40,) * 5, 50, {}, [10] * 5, id="all are counted"),
        pytest.param((TEXT,), 4, {"timings": {}}, [4], id="one sample"),
    ],
)
def test_a_count_of_one_sample_is_not_taken_for_that_of_all(
    texts: tuple[str, ...], counted: int, extra: dict[str, Any], tokens: list[int]
) -> None:
    reply = chat_reply(*texts) | {"usage": {"prompt_tokens": 9, "completion_tokens": counted}} | extra
    with ScriptedServer(lambda asked: Answer(reply)) as server, opened(server) as engine:
        (completions,) = ask(engine, n=len(texts)).values()
    completions = completions if isinstance(completions, list) else [completions]
    assert [each.completion_tokens for each in completions] == tokens
    assert completions[0].prompt_tokens == 9
    assert completions[0].tokens_estimated is (sum(tokens) > counted)


def test_a_thought_counts_for_the_estimate() -> None:
    reply = completion(chat_reply({"content": "7", "reasoning": "x" * 399}) | {"usage": None})
    assert reply.completion_tokens == 100


STREAMS = (b"data: [1]", b'data: {"choices": 7}', b"data: {", b": nothing but comments")


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_that_cannot_be_read_fails_like_a_body_that_is_no_json(stream: bytes) -> None:
    with ScriptedServer(lambda asked: Answer(stream)) as server, opened(server, max_attempts=1) as engine:
        (failure,) = ask(engine).values()
    assert isinstance(failure, Failure) and failure.reason == "no JSON"


MISREAD: dict[str, Any] = {
    "no choices": {"id": "1"},
    "empty choices": {"choices": []},
    "choices of another type": {"choices": {"0": "7"}},
    "a number": {"choices": [{"message": {"content": 7}, "finish_reason": "stop"}]},
    "no message": {"choices": [{"finish_reason": "stop"}]},
    "parts of an unknown type": {"choices": [{"message": {"content": [{"type": "image_url"}]}}]},
    "a list": [1, 2],
    "a text": "7",
    "null": b"null",
}


@pytest.mark.parametrize("kind", MISREAD)
def test_a_reply_that_cannot_be_read_costs_two_attempts_and_says_what_it_was(kind: str) -> None:
    with ScriptedServer(lambda asked: Answer(MISREAD[kind])) as server, opened(server, max_attempts=6) as engine:
        (failure,) = ask(engine).values()
        assert len(server.asked) == 2
    assert isinstance(failure, Failure) and (failure.reason, failure.attempts) == ("not understood", 2)
    assert "in the reply" in failure.error


def test_a_server_whose_replies_cannot_be_read_stops_the_run_and_does_not_use_up_the_rows() -> None:
    with (
        ScriptedServer(lambda asked: Answer({"result": "7"})) as server,
        opened(server, max_in_flight=4) as engine,
        pytest.raises(EngineError, match="20 rows in a row got a reply that cannot be read, the last: KeyError"),
    ):
        ask(engine, rows=100)
    assert len(server.asked) <= 50


def test_a_row_whose_reply_cannot_be_read_does_not_stop_the_others() -> None:
    def answer(asked: Asked) -> Answer:
        return Answer({"result": 1} if "13?" in str(asked.body) else chat_reply(TEXT))

    with ScriptedServer(answer) as server, opened(server) as engine:
        replies = ask(engine, rows=40)
    assert [row for row, reply in replies.items() if isinstance(reply, Failure)] == ["13"]


def refusing(field: str, error: Any, status: int = 400) -> Callable[[Asked], Answer]:
    """A server that refuses requests which hold `field`."""

    def answer(asked: Asked) -> Answer:
        if field in asked.body:
            return Answer(error, status)
        return Answer(chat_reply(*[TEXT] * asked.body.get("n", 1)))

    return answer


REFUSALS: dict[str, Callable[[str], tuple[Any, int]]] = {
    "OpenAI": lambda field: (
        {"error": {"message": f"Unsupported parameter: '{field}' is not supported with this model.", "param": field}},
        400,
    ),
    "FastAPI": lambda field: (
        {"detail": [{"type": "extra_forbidden", "loc": ["body", field], "msg": "Extra inputs are not permitted"}]},
        422,
    ),
    "Mistral": lambda field: (
        {"object": "error", "message": {"detail": [{"loc": ["body", field], "msg": "Extra inputs are not permitted"}]}},
        422,
    ),
    "words": lambda field: ({"error": {"message": f"property `{field}` is unsupported", "type": "bad"}}, 400),
}


@pytest.mark.parametrize("style", REFUSALS)
@pytest.mark.parametrize("field", ["seed", "top_p", "temperature", "max_tokens"])
def test_a_refused_field_stops_the_run_at_once_and_names_the_way_out(style: str, field: str) -> None:
    error, status = REFUSALS[style](field)
    with ScriptedServer(refusing(field, error, status)) as server, opened(server) as engine:
        with pytest.raises(EngineError, match=f'refuses {field}; write drop = \\["{field}"\\] into the role'):
            ask(engine)
        assert len(server.asked) == 1
    with ScriptedServer(refusing(field, error, status)) as server, opened(server, drop=(field,)) as engine:
        ((reply,),) = ask(engine).values()
    assert reply.text == TEXT and field not in server.asked[0].body


def test_a_server_that_names_another_field_is_believed() -> None:
    error, _ = REFUSALS["OpenAI"]("max_tokens")
    error["error"]["message"] += " Use 'max_completion_tokens' instead."
    with ScriptedServer(refusing("max_tokens", error)) as server:
        with opened(server) as engine, pytest.raises(EngineError, match=r'write rename = \{ max_tokens = "max_comp'):
            ask(engine)
        with opened(server, rename={"max_tokens": "max_completion_tokens"}) as engine:
            ask(engine)
    assert server.asked[-1].body["max_completion_tokens"] == 64


def test_of_two_fields_that_exclude_each_other_one_is_dropped() -> None:
    words = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
    with (
        ScriptedServer(lambda asked: Answer({"error": {"message": words}}, 400)) as server,
        opened(server) as engine,
        pytest.raises(EngineError, match='write drop = \\["top_p"\\]'),
    ):
        ask(engine)


@pytest.mark.parametrize("style", REFUSALS)
def test_a_server_that_refuses_n_is_asked_for_one_sample_at_a_time(
    style: str, caplog: pytest.LogCaptureFixture
) -> None:
    error, status = REFUSALS[style]("n")
    caplog.set_level(logging.WARNING)
    with ScriptedServer(refusing("n", error, status)) as server, opened(server) as engine:
        first, second = ask(engine, rows=4, n=3), ask(engine, rows=4, n=3)
        refused = sum("n" in asked.body for asked in server.asked)
    assert all(len(reply) == 3 for reply in [*first.values(), *second.values()])
    assert refused <= 4 and len(server.asked) == refused + 24
    assert {asked.body["seed"] for asked in server.asked} == {0, 1, 2}
    assert [record.message for record in caplog.records if "refuses n" in record.message] == [
        f"{server.url}/v1 refuses n; each sample is asked for by a request of its own"
    ]


@pytest.mark.parametrize(
    "words",
    [
        "n > 1 is not supported",
        "Only one completion choice is allowed",
        "Invalid n value (currently only n = 1 is supported)",
        "multiple choices are not supported by this model",
    ],
)
def test_whatever_the_words_in_which_n_is_refused(words: str) -> None:
    def answer(asked: Asked) -> Answer:
        is_one = asked.body.get("n", 1) == 1
        return Answer(chat_reply(TEXT)) if is_one else Answer({"error": {"message": words, "code": 400}}, 400)

    with ScriptedServer(answer) as server, opened(server) as engine:
        (reply,) = ask(engine, n=2).values()
    assert len(reply) == 2


SCHEMA = SAMPLED.model_copy(update={"reply_schema": {"type": "object"}})


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("This response_format type is unavailable now", 400),
        ("json_schema is not supported by this model", 400),
        ("guided decoding is not available", 422),
        ("Structured outputs are not supported", 400),
    ],
)
def test_a_server_that_cannot_hold_replies_to_a_schema_is_asked_without_one(
    words: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with (
        ScriptedServer(refusing("response_format", {"error": {"message": words}}, status)) as server,
        opened(server) as engine,
    ):
        ask(engine, sampling=SCHEMA)
        ask(engine, sampling=SCHEMA)
    assert ["response_format" in asked.body for asked in server.asked] == [True, False, False]
    assert sum("refuses response_format" in record.message for record in caplog.records) == 1


def test_a_role_may_say_that_no_schema_is_sent() -> None:
    with (
        ScriptedServer(lambda asked: Answer(chat_reply(TEXT))) as server,
        opened(server, structured=False) as engine,
    ):
        ask(engine, sampling=SCHEMA)
    assert "response_format" not in server.asked[0].body


SHORT = {
    "vLLM": "'max_tokens' or 'max_completion_tokens' is too large: 64. This model's maximum context length is 100 "
    "tokens and your request has 40 input tokens (64 > 100 - 40).",
    "OpenAI": "This model's maximum context length is 100 tokens. However, you requested 104 tokens (40 in the "
    "messages, 64 in the completion). Please reduce the length of the messages or completion.",
    "TGI": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 100. Given: 40 `inputs` tokens and "
    "64 `max_new_tokens`",
}


@pytest.mark.parametrize("server", SHORT)
def test_a_reply_budget_that_is_too_large_is_not_taken_for_a_long_prompt(server: str) -> None:
    failure = reply_to({"error": {"message": SHORT[server]}}, status=422 if server == "TGI" else 400)
    assert isinstance(failure, Failure) and failure.reason == "max_tokens too large"
    assert "lower max_tokens of solve, which is 64" in failure.error


@pytest.mark.parametrize("server", SHORT)
def test_a_reply_budget_as_large_as_the_context_stops_the_run(server: str) -> None:
    with pytest.raises(EngineError, match="no prompt fits beside the reply; lower max_tokens of solve, which is 64"):
        reply_to({"error": {"message": SHORT[server].replace("100", "64")}}, status=400)


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens is too large: 64. This model supports at most 32 completion tokens, whereas you provided 64.",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 32]",
        "Range of max_tokens should be [1, 32]",
    ],
)
def test_a_reply_budget_that_the_model_never_fills_stops_the_run(words: str) -> None:
    with pytest.raises(EngineError, match="lower max_tokens of solve, which is 64"):
        reply_to({"error": {"message": words, "param": "max_tokens"}}, status=400)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it", 400),
        ("the request exceeds the available context size. try increasing the context size", 500),
        ("The input token count (2845475) exceeds the maximum number of tokens allowed (1048576).", 400),
        ("Input validation error: `inputs` must have less than 1024 tokens. Given: 2000", 422),
        ("Requested tokens (2285) exceed context window of 2048", 500),
        ("Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", 400),
        ("prompt is too long: 210000 tokens > 200000 maximum", 400),
        ("The input (5000 tokens) is longer than the model's context length (4096 tokens).", 400),
        ("Request Entity Too Large", 413),
    ],
)
def test_a_prompt_that_is_too_long_has_a_reason_of_its_own_on_every_server(words: str, status: int) -> None:
    failure = reply_to({"error": {"message": words}}, status=status)
    assert isinstance(failure, Failure) and (failure.reason, failure.attempts) == ("context too long", 1)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("some/model is not a valid model ID", 400),
        ("The model `m` does not exist", 400),
        ("model 'm' not found", 404),
    ],
)
def test_an_unknown_model_stops_the_run_at_the_first_request(words: str, status: int) -> None:
    with pytest.raises(EngineError, match="check model 'm' and base_url"):
        reply_to({"error": {"message": words}}, status=status)
