"""The mock server: what it replies, how it breaks, and that it counts right."""

import asyncio
import itertools
import json
import random
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import ValidationError

from infra.mock_server.behaviour import FAULTS, MockBehaviour
from infra.mock_server.counters import Counters, CounterSnapshot
from infra.mock_server.schema_sampler import UnsupportedSchema, sample_value
from infra.mock_server.server import MockServer

ROOT = Path(__file__).parents[3]
LONG = 60.0
"""Seconds that nothing here comes near to."""

Told = tuple[int, Any]
Post = Callable[..., Awaitable[Told]]


def chat(text: str = "What is 1?", **more: Any) -> dict[str, Any]:
    """The body of a chat request."""
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def asking(stub: MockServer, work: Callable[[Post], Awaitable[Any]], seconds: float = LONG) -> Any:
    """Do `work` with a plain aiohttp client: (status, parsed body) of what it posts."""

    async def working() -> Any:
        connections = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with aiohttp.ClientSession(stub.url, connector=connections, timeout=timeout) as session:

            async def post(body: Any, path: str = "/v1/chat/completions") -> Told:
                async with session.post(path, json=body) as reply:
                    return reply.status, json.loads(await reply.read())

            return await work(post)

    return asyncio.run(working())


def each(stub: MockServer, *bodies: Any, **more: Any) -> list[Told]:
    """The bodies one after another."""

    async def work(post: Post) -> list[Told]:
        return [await post(body, **more) for body in bodies]

    return asking(stub, work)


def at_once(stub: MockServer, *bodies: Any) -> list[Told]:
    """The bodies all at the same time."""

    async def work(post: Post) -> list[Told]:
        return await asyncio.gather(*(post(body) for body in bodies))

    return asking(stub, work)


def text(told: Told, index: int = 0) -> str:
    """What a chat reply says."""
    assert told[0] == 200, told
    return told[1]["choices"][index]["message"]["content"]


# -- replies ----------------------------------------------------------------------------------------------------------


def test_a_reply_follows_from_the_body_and_its_seed_and_ends_in_a_number() -> None:
    bodies = [chat(seed=1), chat(seed=2), chat(), chat("What is 2?", seed=1)]
    with MockServer() as one:
        first, again = each(one, *bodies), each(one, *bodies)
    with MockServer() as two, MockServer(MockBehaviour(seed=1)) as other:
        same, different = each(two, *bodies), each(other, *bodies)
    assert first == again == same
    texts = [text(told) for told in [*first, *different]]
    assert len(set(texts)) == 8
    for said in texts:
        assert len(said.split()) == MockBehaviour().words
        mark, number = said.splitlines()[-1].split()
        assert mark == "####" and number.isdigit()


def test_the_order_of_a_bodys_names_changes_nothing() -> None:
    body = chat(seed=1)
    with MockServer() as stub:
        first, second = each(stub, body, dict(reversed(body.items())))
        counts = stub.read_counters()
    assert first == second
    assert (counts.bodies, counts.seeded) == (2, 1)


def test_the_usage_counts_words_and_the_end_of_a_reply() -> None:
    with MockServer(reply=lambda body, sample: "one two three") as stub:
        ((status, reply),) = each(stub, chat("What is it?", n=2))
    assert status == 200
    assert reply["usage"] == {"prompt_tokens": 4, "completion_tokens": 8, "total_tokens": 12}


def test_a_function_of_the_callers_writes_each_of_n_samples() -> None:
    with MockServer(reply=lambda body, sample: f"{body['messages'][0]['content']} {sample}") as stub:
        ((_, reply),) = each(stub, chat("hm", n=3))
    assert [(c["index"], c["message"]["content"]) for c in reply["choices"]] == [(0, "hm 0"), (1, "hm 1"), (2, "hm 2")]


def test_n_samples_differ() -> None:
    with MockServer() as stub:
        (told,) = each(stub, chat(n=4))
    assert len({text(told, n) for n in range(4)}) == 4


def test_a_completion_may_hold_several_prompts() -> None:
    body = {"model": "m", "prompt": ["a", "b"], "n": 2, "seed": 5}
    with MockServer() as stub:
        ((status, reply),) = each(stub, body, path="/v1/completions")
    assert (status, reply["object"]) == (200, "text_completion")
    assert len({choice["text"] for choice in reply["choices"]}) == 4


@pytest.mark.parametrize(
    ("asked", "said", "reason", "used"),
    [
        ({}, "one two\nthree four", "stop", 5),
        ({"max_tokens": 5}, "one two\nthree four", "stop", 5),
        ({"max_tokens": 4}, "one two\nthree four", "length", 4),
        ({"max_tokens": 3}, "one two\nthree", "length", 3),
        ({"max_completion_tokens": 1}, "one", "length", 1),
        ({"stop": "three"}, "one two\n", "stop", 3),
        ({"stop": ["four", "two"]}, "one ", "stop", 2),
        ({"stop": "two", "max_tokens": 1}, "one ", "length", 1),
    ],
)
def test_a_reply_ends_by_itself_at_a_stop_word_or_at_its_length(
    asked: dict[str, Any], said: str, reason: str, used: int
) -> None:
    with MockServer(reply=lambda body, sample: "one two\nthree four") as stub:
        ((_, reply),) = each(stub, chat(**asked))
    (choice,) = reply["choices"]
    assert (choice["message"]["content"].rstrip(" "), choice["finish_reason"]) == (said.rstrip(" "), reason)
    assert reply["usage"]["completion_tokens"] == used


def test_logprobs_are_given_for_every_token_in_both_formats() -> None:
    with MockServer(reply=lambda body, sample: "one two") as stub:
        ((_, talk), (_, cut), (_, none)) = each(stub, chat(logprobs=True), chat(logprobs=True, max_tokens=1), chat())
        ((_, plain),) = each(stub, {"prompt": "hm", "logprobs": 0}, path="/v1/completions")
    content = talk["choices"][0]["logprobs"]["content"]
    assert [entry["token"] for entry in content] == ["one", " two", ""]
    assert all(entry["logprob"] < 0 for entry in content)
    assert len(cut["choices"][0]["logprobs"]["content"]) == cut["usage"]["completion_tokens"] == 1
    assert none["choices"][0]["logprobs"] is None
    assert plain["choices"][0]["logprobs"]["token_logprobs"] == [entry["logprob"] for entry in content]


SCHEMA = {
    "type": "object",
    "required": ["answer"],
    "properties": {
        "answer": {"type": "integer", "minimum": 5, "exclusiveMaximum": 7},
        "score": {"type": "number", "minimum": 0.25, "maximum": 0.75},
        "least": {"type": "integer", "maximum": -5},
        "why": {"type": "string", "minLength": 12, "maxLength": 15},
        "sure": {"type": "boolean"},
        "verdict": {"enum": ["correct", "wrong"]},
        "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        "steps": {"type": "array", "minItems": 2, "maxItems": 4, "items": {"$ref": "#/$defs/step"}},
    },
    "$defs": {"step": {"type": "object", "properties": {"text": {"type": ["string", "null"]}}}},
}


def test_a_reply_fits_the_schema_that_is_asked_for() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": SCHEMA}}
    with MockServer() as stub:
        told = each(stub, *(chat(seed=seed, response_format=wanted) for seed in range(50)))
        (free,) = each(stub, chat(response_format={"type": "json_object"}))
    values = [json.loads(text(one)) for one in told]
    for value in values:
        assert list(value) == list(SCHEMA["properties"])
        assert value["answer"] in (5, 6) and type(value["answer"]) is int and value["least"] <= -5
        assert 0.25 <= value["score"] <= 0.75 and 12 <= len(value["why"]) <= 15
        assert type(value["sure"]) is bool and value["verdict"] in ("correct", "wrong") and value["note"] is None
        assert 2 <= len(value["steps"]) <= 4 and all(isinstance(step["text"], str) for step in value["steps"])
    assert len({json.dumps(value) for value in values}) == 50
    assert isinstance(json.loads(text(free))["answer"], int)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "dance"}, "type 'dance' is unknown"),
        ({"$ref": "#"}, "refers to nothing"),
        ({"$ref": "#/a", "a": {"$ref": "#/a"}}, "deeper than 16 levels"),
        ({"enum": []}, "cannot be filled"),
        (7, "a schema must be an object"),
    ],
)
def test_a_schema_that_cannot_be_filled_says_why(schema: Any, said: str) -> None:
    with pytest.raises(UnsupportedSchema, match=said.replace("(", "[(]")):
        sample_value(schema, random.Random(0))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([1], "not a JSON object"),
        ({"prompt": "in a chat"}, "messages must be"),
        ({"messages": ["hm"]}, "messages must be"),
        (chat(n=0), "n must be"),
        (chat(max_tokens=1.5), "max_tokens must be"),
        (chat(stream=True), "stream is not supported"),
        (chat(response_format={"type": "json_schema"}), "response_format"),
    ],
)
def test_what_a_real_server_would_not_take_is_a_400(body: Any, said: str) -> None:
    with MockServer() as stub:
        ((status, reply),) = each(stub, body)
        counts = stub.read_counters()
    assert status == 400 and said in reply["error"]["message"]
    assert (counts.requests, counts.answered, counts.by_status) == (1, 0, {400: 1})


def test_lengths_are_lognormal_and_capped() -> None:
    with MockServer(MockBehaviour(words=50, words_sigma=1.0, words_cap=300)) as stub:
        told = each(stub, *(chat(seed=seed) for seed in range(300)))
    lengths = sorted(len(text(one).split()) for one in told)
    assert lengths[0] >= 2 and lengths[-1] == 300
    assert 35 < lengths[150] < 70


# -- latency and capacity ---------------------------------------------------------------------------------------------


def test_latencies_are_lognormal_capped_and_repeat() -> None:
    behaviour = MockBehaviour(latency=2.0, latency_sigma=1.0, latency_cap=10.0)
    drawn = sorted(behaviour.draw_latency(b"%d" % n, 1) for n in range(2000))
    assert drawn == sorted(behaviour.draw_latency(b"%d" % n, 1) for n in range(2000))
    assert drawn[0] > 0 and drawn[-1] == 10.0
    assert 1.8 < drawn[1000] < 2.2
    assert MockBehaviour(latency=2.0).draw_latency(b"x", 1) == 2.0


def test_a_reply_takes_its_latency_and_others_are_served_meanwhile() -> None:
    with MockServer(MockBehaviour(latency=0.2)) as stub:
        told = at_once(stub, *(chat(seed=seed) for seed in range(20)))
        counts = stub.read_counters()
    assert {status for status, _ in told} == {200}
    assert counts.most_in_flight == counts.most_served == 20
    assert counts.first_request is not None and counts.last_reply is not None
    assert 0.2 <= counts.last_reply - counts.first_request < 0.2 * 20


def test_requests_above_the_capacity_wait_for_their_turn() -> None:
    with MockServer(MockBehaviour(latency=0.02, capacity=3)) as stub:
        told = at_once(stub, *(chat(seed=seed) for seed in range(12)))
        counts = stub.read_counters()
    assert {status for status, _ in told} == {200}
    assert (counts.most_served, counts.most_in_flight) == (3, 12)


def test_requests_above_the_capacity_are_refused_where_it_says_so() -> None:
    with MockServer(MockBehaviour(latency=0.5, capacity=3, over_capacity="refuse")) as stub:
        told = at_once(stub, *(chat(seed=seed) for seed in range(12)))
        counts = stub.read_counters()
    assert sorted(status for status, _ in told) == [200] * 3 + [429] * 9
    assert (counts.most_served, counts.answered, counts.faults) == (3, 3, {})


# -- chaos ------------------------------------------------------------------------------------------------------------


def broken(behaviour: MockBehaviour, seconds: float = LONG) -> tuple[Any, CounterSnapshot]:
    """What a client meets that asks once, and the counts then."""

    async def work(post: Post) -> Any:
        try:
            return await post(chat())
        except Exception as error:
            return error

    with MockServer(behaviour) as stub:
        return asking(stub, work, seconds), stub.read_counters()


def test_too_many_carries_a_retry_after() -> None:
    async def work() -> tuple[int, str, Any]:
        async with (
            aiohttp.ClientSession(stub.url) as session,
            session.post("/v1/chat/completions", json=chat()) as reply,
        ):
            return reply.status, reply.headers["Retry-After"], await reply.json()

    with MockServer(MockBehaviour(fault_rate_limited=1.0, retry_after=0.5)) as stub:
        status, wait, reply = asyncio.run(work())
        assert stub.read_counters().faults == {"fault_rate_limited": 1}
    assert (status, wait, reply["error"]["code"]) == (429, "0.5", "rate_limit_exceeded")


def test_a_failure_is_a_500() -> None:
    (status, reply), counts = broken(MockBehaviour(fault_server_error=1.0))
    assert (status, reply["error"]["type"]) == (500, "server_error")
    assert (counts.answered, counts.by_status, counts.faults) == (0, {500: 1}, {"fault_server_error": 1})


def test_a_cut_ends_in_the_middle_of_the_body() -> None:
    error, counts = broken(MockBehaviour(fault_cut_off=1.0))
    assert isinstance(error, aiohttp.ClientPayloadError)
    assert (counts.answered, counts.by_status, counts.faults) == (0, {200: 1}, {"fault_cut_off": 1})


def test_wrong_json_is_whole_by_its_length_and_no_json() -> None:
    error, counts = broken(MockBehaviour(fault_invalid_json=1.0))
    assert isinstance(error, json.JSONDecodeError)
    assert (counts.answered, counts.by_status, counts.faults) == (0, {200: 1}, {"fault_invalid_json": 1})


def test_a_hang_sends_no_byte_and_ends_with_its_client() -> None:
    error, counts = broken(MockBehaviour(fault_hang=1.0), seconds=0.2)
    assert isinstance(error, TimeoutError)
    assert (counts.requests, counts.by_status, counts.faults) == (1, {}, {"fault_hang": 1})


def test_a_hang_closes_its_connection_in_the_end() -> None:
    error, counts = broken(MockBehaviour(fault_hang=1.0, hang_seconds=0.1))
    assert isinstance(error, aiohttp.ServerDisconnectedError)
    assert (counts.answered, counts.by_status, counts.in_flight) == (0, {}, 0)


def test_a_drip_is_slow_and_right() -> None:
    async def work() -> tuple[float, int, Any]:
        async with aiohttp.ClientSession(stub.url) as session:
            clock = asyncio.get_running_loop().time
            async with session.post("/v1/chat/completions", json=chat()) as reply:
                begun, pieces = clock(), []
                async for piece in reply.content.iter_any():
                    pieces.append(piece)
                return clock() - begun, len(pieces), json.loads(b"".join(pieces))

    with MockServer(MockBehaviour(fault_slow_body=1.0, slow_body_seconds=0.3)) as stub, MockServer() as quick:
        seconds, pieces, reply = asyncio.run(work())
        assert (stub.read_counters().answered, stub.read_counters().faults) == (1, {"fault_slow_body": 1})
        assert each(quick, chat()) == [(200, reply)]
    assert seconds > 0.2 and pieces > 10


def test_a_client_that_gives_up_on_a_drip_was_not_answered() -> None:
    error, counts = broken(MockBehaviour(fault_slow_body=1.0, slow_body_seconds=LONG), seconds=0.2)
    assert isinstance(error, TimeoutError)
    assert counts.answered == 0


def test_a_retry_may_pass_and_the_same_seed_meets_the_same_server() -> None:
    behaviour = MockBehaviour(seed=3, fault_server_error=0.3, fault_rate_limited=0.2)
    bodies = [chat(seed=seed) for seed in range(100)] * 3
    with MockServer(behaviour) as one, MockServer(behaviour) as two:
        first, second = each(one, *bodies), each(two, *reversed(bodies))
        counts = one.read_counters()
    statuses = [status for status, _ in first]
    assert {status: statuses.count(status) for status in set(statuses)} == counts.by_status
    assert 60 < counts.by_status[500] < 120 and 35 < counts.by_status[429] < 85
    attempts = list(zip(statuses[:100], statuses[100:200], statuses[200:], strict=True))
    assert (500, 200, 200) in attempts and (200, 500, 200) in attempts
    # Asked in another order, the n-th attempt at a body meets the same.
    backwards = [status for status, _ in second][::-1]
    assert list(zip(backwards[200:], backwards[100:200], backwards[:100], strict=True)) == attempts


def test_a_forbidden_prompt_is_refused_for_ever_whatever_its_seed() -> None:
    with MockServer(MockBehaviour(forbidden=0.3)) as stub:
        told = [each(stub, *(chat(f"What is {n}?", seed=seed) for n in range(60))) for seed in range(3)]
    statuses = [[status for status, _ in one] for one in told]
    assert statuses[0] == statuses[1] == statuses[2]
    assert 5 < statuses[0].count(400) < 35 and statuses[0].count(200) + statuses[0].count(400) == 60
    assert {reply["error"]["code"] for status, reply in told[0] if status == 400} == {"content_policy_violation"}


def test_a_prompt_longer_than_the_context_says_so_by_its_code() -> None:
    with MockServer(MockBehaviour(context=3)) as stub:
        (short, _), (long, reply) = each(stub, chat("one two three"), chat("one two three four"))
    assert (short, long, reply["error"]["code"]) == (200, 400, "context_length_exceeded")


@pytest.mark.parametrize("status", [401, 402, 403, 503])
def test_every_reply_may_have_one_status(status: int) -> None:
    (told, reply), counts = broken(MockBehaviour(status=status))
    assert told == status and reply["error"]["message"]
    assert counts.by_status == {status: 1}


def test_shares_are_of_one_whole() -> None:
    with pytest.raises(ValidationError, match="add up to more than 1"):
        MockBehaviour(fault_server_error=0.6, fault_cut_off=0.6)
    faults = [MockBehaviour(**dict.fromkeys(FAULTS, 1 / len(FAULTS))).draw_fault(b"%d" % n, 1) for n in range(600)]
    assert {fault: 60 < faults.count(fault) < 140 for fault in set(faults)} == dict.fromkeys(FAULTS, True)


# -- counts -----------------------------------------------------------------------------------------------------------


def test_bodies_are_counted_by_how_often_they_were_asked_and_answered() -> None:
    with MockServer() as stub:
        each(stub, *[chat(seed=1)] * 3, *[chat(seed=2)] * 2, chat(seed=3), chat("other", seed=3))
        counts = stub.read_counters()
    assert (counts.requests, counts.answered, counts.by_status) == (7, 7, {200: 7})
    assert (counts.bodies, counts.seeded, counts.asked_more_than_once) == (4, 4, 2)
    assert (counts.times_asked, counts.answered_more_than_once) == ({1: 2, 2: 1, 3: 1}, 3)
    assert (counts.in_flight, counts.most_in_flight) == (0, 1)


def test_counts_are_read_and_reset_over_http_and_are_no_requests() -> None:
    async def work() -> tuple[CounterSnapshot, CounterSnapshot, Any, int, int]:
        async with aiohttp.ClientSession(stub.url, raise_for_status=False) as session:

            async def get(path: str) -> tuple[int, Any]:
                async with session.get(path) as reply:
                    return reply.status, await reply.json(content_type=None)

            before = CounterSnapshot.model_validate((await get("/counts"))[1])
            async with session.post("/reset") as reply:
                assert reply.status == 200
            after = CounterSnapshot.model_validate((await get("/counts"))[1])
            models = (await get("/v1/models"))[1]
            return before, after, models, (await get("/health"))[0], (await get("/v1/dance"))[0]

    with MockServer(MockBehaviour(model="mine")) as stub:
        each(stub, chat(), chat())
        known = stub.read_counters()
        before, after, models, health, unknown = asyncio.run(work())
    assert before == known and before.requests == 2
    assert after == Counters().snapshot()
    assert [model["id"] for model in models["data"]] == ["mine"]
    assert (health, unknown) == (200, 404)


def test_counts_outlive_the_server_and_it_opens_again_on_its_port() -> None:
    stub = MockServer(MockBehaviour(capacity=1))
    with stub:
        each(stub, chat())
        url = stub.url
    assert stub.read_counters().answered == 1
    with stub:
        each(stub, chat())
        assert stub.url == url
    stub.reset()
    assert stub.read_counters().requests == 0


def test_a_server_that_closes_does_not_wait_for_what_hangs() -> None:
    async def work(post: Post) -> Any:
        asked = asyncio.ensure_future(post(chat()))
        while not stub.read_counters().in_flight:
            await asyncio.sleep(0)
        await asyncio.to_thread(stub.__exit__)
        return await asyncio.gather(asked, return_exceptions=True)

    stub = MockServer(MockBehaviour(fault_hang=1.0)).__enter__()
    (error,) = asking(stub, work)
    assert isinstance(error, aiohttp.ClientError)
    assert stub.read_counters().in_flight == 0


def test_counting_does_not_slow_down_with_the_bodies() -> None:
    tally = Counters()
    for n, _ in itertools.product(range(50_000), range(2)):
        asked = tally.open_request("/v1/completions", b"%d" % n)
        tally.record_answer(asked)
        tally.close_request()
    counts = tally.snapshot()
    assert (counts.requests, counts.bodies, counts.times_asked) == (100_000, 50_000, {2: 50_000})
    assert counts.answered_more_than_once == 50_000


# -- the command ------------------------------------------------------------------------------------------------------


def command(*words: str) -> "subprocess.Popen[str]":
    """`questmill mock-server` as a process."""
    command = [sys.executable, "-m", "flows", "mock-server", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_command_prints_its_url_and_serves_until_it_is_interrupted() -> None:
    with command("--port", "0", "--latency", "0.01", "--latency-sigma=0.5", "--status", "402") as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        request = urllib.request.Request(f"{url}/v1/completions", json.dumps({"prompt": "hm"}).encode())
        with pytest.raises(urllib.error.HTTPError, match="402") as refused:
            urllib.request.urlopen(request, timeout=LONG)
        refused.value.close()
        with urllib.request.urlopen(f"{url}/counts", timeout=LONG) as reply:
            assert CounterSnapshot.model_validate_json(reply.read()).by_status == {402: 1}
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LONG)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--latenzy", "1"), 2, "did you mean --latency?"),
        (("--fault_cut_off", "2"), 2, "--fault_cut_off: Input should be less than or equal to 1"),
        (("--port", "70000"), 2, "--port 70000: "),
        (("--help",), 0, "--fault_rate_limited (0.0)"),
    ],
)
def test_the_command_explains_itself_in_one_line(words: tuple[str, ...], code: int, said: str) -> None:
    with command(*words) as process:
        out, err = process.communicate(timeout=LONG)
    assert process.returncode == code
    assert said in out + err
    assert code == 0 or (out == "" and len(err.splitlines()) == 1)
