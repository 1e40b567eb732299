"""The http engine against a real server over HTTP: the contract, and every way in which a server fails."""

import hashlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import ValidationError

from infra.engines.http import HttpEngine
from infra.mock_server.behaviour import MockBehaviour
from infra.mock_server.server import MockServer
from schemas.engine import Failure, Reply, Request, RequestObserver, generate, score
from schemas.engine_specs import HttpSpec
from schemas.errors import EngineError
from schemas.identity import fingerprint
from schemas.prompts import Prompt, Sampling
from tests.support.engine_contract import SOLVE, WRITE, GeneratorContract, ScorerContract
from tests.support.scripted_server import Answer, Asked, ScriptedServer, chat_reply

SAMPLED = Sampling(temperature=1.0, max_tokens=32)


def words(body: dict[str, Any], sample: int) -> str:
    """Twenty words; greedy ones do not depend on the seed."""
    seed = (body["seed"], sample) if body["temperature"] else ""
    key = f"{body.get('messages')}{body.get('prompt')}{seed}"
    return " ".join(hashlib.sha256(f"{key}{i}".encode()).hexdigest()[:4] for i in range(20))


def yes_or_no(body: dict[str, Any], sample: int) -> str:
    return "yes" if "7" in str(body.get("messages")) else "no"


@contextmanager
def opened(stub: MockServer | ScriptedServer, **fields: Any) -> Iterator[HttpEngine]:
    spec = HttpSpec(**{"kind": "http", "model": "stub", "base_url": (f"{stub.url}/v1",), **fields})
    engine = HttpEngine(spec)
    try:
        yield engine
    finally:
        engine.close()


def asked(engine: HttpEngine, rows: int, n: int = 1, watch: RequestObserver | None = None) -> dict[str, Reply]:
    """Replies to `rows` different questions."""
    requests = [
        Request(str(i), Prompt(stage="solve", inputs={"question": f"{i}?"}), tuple(range(n * i, n * i + n)))
        for i in range(rows)
    ]
    return {request.row_id: reply for request, reply in engine.stream(requests, SAMPLED, watch or RequestObserver())}


class TestChat(GeneratorContract):
    @pytest.fixture
    def engine(self) -> Iterator[HttpEngine]:
        with MockServer(reply=words) as stub, opened(stub) as engine:
            yield engine
            engine.close()  # the first of two


class TestTagged(GeneratorContract):
    @pytest.fixture
    def engine(self) -> Iterator[HttpEngine]:
        with MockServer(reply=words) as stub, opened(stub, api="tagged") as engine:
            yield engine


class TestOneSampleARequest(GeneratorContract):
    @pytest.fixture
    def engine(self) -> Iterator[HttpEngine]:
        with MockServer(reply=words) as stub, opened(stub, supports_n=False) as engine:
            yield engine


class TestScores(ScorerContract):
    @pytest.fixture
    def engine(self) -> Iterator[HttpEngine]:
        with MockServer(reply=yes_or_no) as stub, opened(stub) as engine:
            yield engine


@pytest.mark.parametrize("fault", ["fault_rate_limited", "fault_server_error", "fault_cut_off", "fault_invalid_json"])
def test_what_may_pass_is_tried_again_until_it_passes(fault: str) -> None:
    behaviour = MockBehaviour(**{fault: 0.3}, retry_after=0.01)
    with MockServer(behaviour) as stub, opened(stub, max_attempts=12) as engine:
        replies = asked(engine, 40)
        assert stub.read_counters().faults[fault] > 3
    assert len(replies) == 40 and not any(isinstance(reply, Failure) for reply in replies.values())


@pytest.mark.early
def test_a_request_that_hangs_is_given_up_at_our_own_deadline_and_asked_again() -> None:
    with (
        MockServer(MockBehaviour(fault_hang=0.5, hang_seconds=600)) as stub,
        opened(stub, deadline=0.3, max_attempts=12) as engine,
    ):
        replies = asked(engine, 12)
        assert stub.read_counters().faults["fault_hang"] > 2
    assert not any(isinstance(reply, Failure) for reply in replies.values())


def test_what_never_passes_fails_with_its_reason_and_the_number_of_attempts() -> None:
    with MockServer(MockBehaviour(status=500)) as stub, opened(stub, max_attempts=2) as engine:
        (failure,) = asked(engine, 1).values()
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.attempts) == ("server error", 2) and failure.error.startswith("HTTP 500")


def test_what_the_server_forbids_is_not_tried_again() -> None:
    with MockServer(MockBehaviour(forbidden=0.3)) as stub, opened(stub) as engine:
        replies = asked(engine, 60)
        assert stub.read_counters().requests == 60
    failures = [reply for reply in replies.values() if isinstance(reply, Failure)]
    assert 5 < len(failures) < 35
    assert {(failure.reason, failure.attempts) for failure in failures} == {("refused with 400", 1)}


def test_a_prompt_longer_than_the_context_has_a_reason_of_its_own() -> None:
    with MockServer(MockBehaviour(context=3)) as stub, opened(stub) as engine:
        request = Request("long", Prompt(stage="solve", inputs={"question": "one two three four five"}), (1,))
        ((_, reply),) = engine.stream([request], SAMPLED)
        assert isinstance(reply, Failure) and reply.reason == "context too long"


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_refused_key_or_an_unknown_model_stops_the_run_at_once(status: int) -> None:
    with MockServer(MockBehaviour(status=status)) as stub, opened(stub) as engine:
        with pytest.raises(EngineError, match=f"HTTP {status}: .* check "):
            asked(engine, 5)
        assert stub.read_counters().requests <= 5


def test_a_server_that_was_refused_may_be_asked_again_later() -> None:
    with MockServer(MockBehaviour(status=401)) as stub, opened(stub) as engine:
        with pytest.raises(EngineError):
            asked(engine, 3)
        with MockServer() as other:
            engine.pool.servers[0].url = f"{other.url}/v1"
            assert len(asked(engine, 3)) == 3


def test_retry_after_is_honoured() -> None:
    with (
        MockServer(MockBehaviour(fault_rate_limited=0.2, retry_after=1.2)) as stub,
        opened(stub, max_attempts=12) as engine,
    ):
        asked(engine, 16)
        counts = stub.read_counters()
    assert counts.faults["fault_rate_limited"] and counts.last_reply - counts.first_request >= 1.2


def test_a_dead_server_is_taken_out_and_the_others_do_its_work() -> None:
    with MockServer() as gone:
        pass
    with MockServer() as stub, opened(stub, base_url=(f"{gone.url}/v1", f"{stub.url}/v1")) as engine:
        assert len(asked(engine, 50)) == 50
        assert stub.read_counters().answered == 50


def test_a_server_that_comes_back_is_used_again() -> None:
    stub = MockServer()
    with stub:
        pass
    with opened(stub, outage_seconds=60) as engine:
        waiting = threading.Thread(target=lambda: replies.update(asked(engine, 5)))
        replies: dict[str, Reply] = {}
        waiting.start()
        with stub:
            waiting.join(timeout=60)
    assert len(replies) == 5 and all(isinstance(reply, list) for reply in replies.values())


def test_no_server_at_all_stops_the_run_when_patience_is_over() -> None:
    with MockServer() as gone:
        pass
    with (
        opened(gone, outage_seconds=0.2) as engine,
        pytest.raises(EngineError, match=r"no server answers at http://127\."),
    ):
        asked(engine, 2)


def test_two_servers_share_the_work() -> None:
    slow = MockBehaviour(latency=0.02)
    with MockServer(slow) as one, MockServer(slow) as two:
        with opened(one, base_url=(f"{one.url}/v1", f"{two.url}/v1"), max_in_flight=8) as engine:
            asked(engine, 80)
        assert min(one.read_counters().answered, two.read_counters().answered) > 25


class Echo(BaseHTTPRequestHandler):
    """Says back, as no JSON, what key it was sent."""

    def do_POST(self) -> None:
        said = f"not for {self.headers['Authorization']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *arguments: Any) -> None:
        pass


def test_the_key_is_sent_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-secret\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        engine = HttpEngine(HttpSpec(kind="http", model="m", base_url=(url,), key_from="SOME_KEY", max_attempts=1))
        (failure,) = asked(engine, 1).values()
        engine.close()
        server.shutdown()
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.error) == ("no JSON", "not for Bearer ***")
    assert "sk-secret" not in repr(engine.spec)


def test_a_key_that_is_missing_is_told_before_anything_is_asked() -> None:
    with pytest.raises(EngineError, match="the environment variable NO_SUCH_KEY holds no key"):
        HttpEngine(HttpSpec(kind="http", model="m", base_url=("http://127.0.0.1:1/v1",), key_from="NO_SUCH_KEY"))


def test_https_is_the_default() -> None:
    assert HttpSpec(kind="http", model="m", base_url=("api.example.com/v1",)).base_url == (
        "https://api.example.com/v1",
    )


@pytest.mark.parametrize(
    ("urls", "told"),
    [
        (("htp://a/v1",), "is not an http or https url"),
        (("http://me:secret@a/v1",), "must not hold a user or password"),
        (("http://me@a/v1",), "must not hold a user or password"),
        (("http://:secret@a/v1",), "must not hold a user or password"),
        ((), "at least 1 item"),
    ],
)
def test_a_url_that_cannot_be_asked_is_told_before_anything_is(urls: tuple[str, ...], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        HttpSpec(kind="http", model="m", base_url=urls)


def test_a_json_schema_is_passed_on() -> None:
    schema = {"type": "object", "properties": {"verdict": {"enum": ["yes", "no"]}}, "required": ["verdict"]}
    with MockServer() as stub, opened(stub) as engine:
        ((reply,),) = generate(engine, [SOLVE], SAMPLED.model_copy(update={"reply_schema": schema}), [[1]])
    assert reply.text in ('{"verdict": "yes"}', '{"verdict": "no"}', '{"verdict":"yes"}', '{"verdict":"no"}')


def test_a_straggler_is_asked_a_second_time_and_the_first_answer_counts() -> None:
    behaviour = MockBehaviour(fault_hang=0.05, hang_seconds=600, latency=0.01, seed=1)
    with MockServer(behaviour) as stub, opened(stub, deadline=600) as engine:
        replies = asked(engine, 60)
        assert engine.window.hedge_count == stub.read_counters().faults["fault_hang"] > 0
    assert len(replies) == 60


def test_requests_that_the_watch_does_not_allow_are_not_asked() -> None:
    class Five(RequestObserver):
        left = 5

        def may_send(self) -> bool:
            self.left -= 1
            return self.left >= 0

    with MockServer() as stub, opened(stub) as engine:
        assert len(asked(engine, 20, watch=Five())) == 5
        assert stub.read_counters().requests == 5


def test_replies_are_told_to_the_watch_before_anybody_reads_them() -> None:
    class Told(RequestObserver):
        rows: list[str] = []

        def on_reply(self, request: Request, reply: Reply) -> None:
            self.rows.append(request.row_id)

    watch = Told()
    with MockServer() as stub, opened(stub) as engine:
        requests = [Request(str(i), WRITE, (i,)) for i in range(30)]
        for request, _ in engine.stream(requests, SAMPLED, watch):
            assert request.row_id in watch.rows


def test_only_the_place_of_a_server_is_no_part_of_the_identity() -> None:
    spec = HttpSpec(kind="http", model="a", base_url=("http://one/v1",))
    moved = spec.model_copy(
        update={
            **{"base_url": ("http://two/v1",), "key_from": "K", "max_in_flight": 9, "deadline": 1.0},
            **{"drop": ("seed",), "rename": {"max_tokens": "m"}, "headers": {"a": "b"}, "query": {"a": "b"}},
            "structured": False,
        }
    )
    assert fingerprint(moved) == fingerprint(spec)
    changes: list[dict[str, Any]] = [{"model": "b"}, {"api": "tagged"}, {"extra_body": {"top_k": 5}}, {"thinks": True}]
    changes += [{"score_api": "pooling"}, {"layout": "user"}, {"reasoning_marks": (("<a>", "</a>"),)}]
    for change in changes:
        assert fingerprint(spec.model_copy(update=change)) != fingerprint(spec)


@pytest.mark.parametrize("stage_api", ["chat", "tagged"])
def test_a_server_that_ignores_n_is_asked_for_each_further_sample(
    stage_api: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with MockServer(reply=words) as stub, opened(stub, supports_n=False, api=stage_api) as engine:
        one_by_one = asked(engine, 5, n=3)
    with (
        MockServer(MockBehaviour(dialect="ollama"), reply=words) as stub,
        opened(stub, api=stage_api, max_in_flight=1) as engine,
    ):
        replies = asked(engine, 5, n=3)
        assert stub.read_counters().requests == 15, "no sample is paid for twice"
    assert replies == one_by_one
    (line,) = [record.message for record in caplog.records if "samples" in record.message]
    assert line.endswith("sends 1 of 3 samples; each sample is asked for by a request of its own")


@pytest.mark.parametrize(("most", "requests"), [(1, 8), (2, 7), (3, 6)])
def test_a_server_that_sends_fewer_samples_than_asked_for_is_asked_for_the_others(most: int, requests: int) -> None:
    """Those that it did send belong to the first seeds, and keep them."""

    def answer(asked: Asked) -> Answer:
        n = min(most, asked.body.get("n", 1))
        return Answer(chat_reply(*(f"from {asked.body['seed']}, choice {i}" for i in range(n))))

    with ScriptedServer(answer) as server, opened(server, max_in_flight=1) as engine:
        first, second = asked(engine, 2, n=4).values()
        assert len(server.asked) == requests
    assert isinstance(first, list) and isinstance(second, list)
    sent = [f"from 0, choice {i}" for i in range(most)]
    assert [each.text for each in first] == sent + [f"from {seed}, choice 0" for seed in range(most, 4)]
    assert [each.text for each in second] == [f"from {seed}, choice 0" for seed in range(4, 8)]
    assert sum(each.prompt_tokens for each in first) == 7 * (5 - most), "each request reads the prompt"


def test_a_sample_that_a_server_left_out_and_then_refuses_fails_the_row() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.body["seed"] == 2:
            return Answer({"error": {"message": "the content was filtered", "code": "content_policy_violation"}}, 400)
        return Answer(chat_reply("4"))

    with ScriptedServer(answer) as server, opened(server) as engine:
        (reply,) = asked(engine, 1, n=3).values()
    assert isinstance(reply, Failure) and reply.reason == "refused with 400"


def test_a_server_that_sends_more_samples_than_asked_for_stops_the_run() -> None:
    with (
        ScriptedServer(lambda asked: Answer(chat_reply("4", "5", "6"))) as server,
        opened(server) as engine,
        pytest.raises(EngineError, match="sent 3 samples where 2 were asked for; check extra_body"),
    ):
        asked(engine, 1, n=2)


def test_a_server_that_fails_fast_does_not_attract_the_work() -> None:
    with MockServer(MockBehaviour(status=500)) as broken, MockServer(MockBehaviour(latency=0.01)) as sound:
        urls = (f"{broken.url}/v1", f"{sound.url}/v1")
        with opened(sound, base_url=urls, max_attempts=6, max_in_flight=8) as engine:
            replies = asked(engine, 60)
        assert broken.read_counters().requests < 40
    assert not any(isinstance(reply, Failure) for reply in replies.values())


def test_an_outage_costs_no_row_its_attempts_and_stops_the_run_when_patience_is_over() -> None:
    with (
        MockServer(MockBehaviour(status=503, retry_after=0.01)) as stub,
        opened(stub, max_attempts=2, outage_seconds=1.0) as engine,
    ):
        with pytest.raises(EngineError, match=r"no server answers at http://127.*HTTP 503"):
            asked(engine, 30)
        assert stub.read_counters().requests > 60


def test_one_row_that_always_fails_does_not_look_like_an_outage() -> None:
    def poison(body: dict[str, Any], sample: int) -> str:
        if "13?" in str(body["messages"]):
            raise RuntimeError("poison")
        return "fine"

    with MockServer(reply=poison) as stub, opened(stub, max_attempts=2, outage_seconds=0.1) as engine:
        replies = asked(engine, 20)
    assert [row for row, reply in replies.items() if isinstance(reply, Failure)] == ["13"]


def test_requests_that_are_all_refused_are_a_matter_of_the_profile() -> None:
    refused = "the first 20 requests were all refused, the last with HTTP 422"
    with (
        MockServer(MockBehaviour(status=422)) as stub,
        opened(stub) as engine,
        pytest.raises(EngineError, match=refused),
    ):
        asked(engine, 50)


def test_a_server_that_wants_to_be_left_alone_for_an_hour_is_told_to_the_user() -> None:
    behaviour = MockBehaviour(status=429, retry_after=3600)
    with (
        MockServer(behaviour) as stub,
        opened(stub) as engine,
        pytest.raises(EngineError, match="asks to wait 3,600 s"),
    ):
        asked(engine, 2)


def test_a_scorer_needs_log_probabilities() -> None:
    with (
        ScriptedServer(lambda asked: Answer(chat_reply("yes"))) as server,
        opened(server) as engine,
        pytest.raises(EngineError, match="no log-probabilities"),
    ):
        score(engine, [SOLVE])
