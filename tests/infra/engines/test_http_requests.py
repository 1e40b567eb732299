"""What the http engine sends: body, headers, query and layout; and what it says when no connection is made."""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from infra.engines.common.chat_requests import request_url
from infra.engines.http import HttpEngine
from infra.mock_server.server import MockServer
from schemas.engine import Failure, Reply, Request
from schemas.engine_specs import HttpSpec
from schemas.errors import EngineError
from schemas.prompts import Prompt, Sampling
from tests.support.scripted_server import Answer, Asked, ScriptedServer, chat_reply

GREEDY = Sampling()
PROMPT = Prompt(stage="solve", inputs={"question": "1 + 1?"}, instruction="Solve it.")


def spec_of(url: str, **fields: Any) -> HttpSpec:
    return HttpSpec(**{"kind": "http", "model": "m", "base_url": url, **fields})


@contextmanager
def opened(url: str, **fields: Any) -> Iterator[HttpEngine]:
    engine = HttpEngine(spec_of(url, **fields))
    try:
        yield engine
    finally:
        engine.close()


def ask(engine: HttpEngine, sampling: Sampling = GREEDY, seeds: tuple[int, ...] = (5,)) -> Reply:
    ((_, reply),) = engine.stream([Request("0", PROMPT, seeds)], sampling)
    return reply


def sent(sampling: Sampling = GREEDY, seeds: tuple[int, ...] = (5,), path: str = "/v1", **fields: Any) -> Asked:
    """What the server is sent for one prompt."""
    with ScriptedServer(lambda asked: Answer(chat_reply(*["2"] * len(seeds)))) as server:
        if fields.get("api") == "tagged":
            server = ScriptedServer(lambda asked: Answer({"choices": [{"text": "2", "finish_reason": "stop"}]}))
        with server, opened(server.url + path, **fields) as engine:
            ask(engine, sampling, seeds)
    return server.asked[0]


def test_a_field_is_left_out_unless_it_is_set() -> None:
    body = sent().body
    assert body.keys() == {"model", "messages", "max_tokens", "temperature", "top_p", "n", "seed"}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("top_k", 20, 20),
        ("min_p", 0.05, 0.05),
        ("presence_penalty", 1.5, 1.5),
        ("frequency_penalty", -0.5, -0.5),
        ("repetition_penalty", 1.05, 1.05),
        ("stop", ("###", "Q:"), ["###", "Q:"]),
    ],
)
def test_a_field_of_sampling_that_is_set_is_sent(field: str, value: Any, expected: Any) -> None:
    assert sent(Sampling(**{field: value})).body[field] == expected


@pytest.mark.parametrize("thinking", [True, False])
def test_thinking_is_a_switch_of_the_chat_template(thinking: bool) -> None:
    assert sent(Sampling(thinking=thinking)).body["chat_template_kwargs"] == {"enable_thinking": thinking}


def test_tagged_text_has_no_chat_template_to_switch() -> None:
    assert "chat_template_kwargs" not in sent(Sampling(thinking=True), api="tagged").body


@pytest.mark.parametrize("seed", [0, 5, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1])
def test_a_seed_is_sent_below_the_limit_of_servers(seed: int) -> None:
    value = sent(seeds=(seed,)).body["seed"]
    assert 0 <= value < 2**31 and value == seed % 2**31


def test_fields_are_dropped_renamed_and_added() -> None:
    body = sent(
        drop=("top_p", "temperature"),
        rename={"max_tokens": "max_completion_tokens", "seed": "random_seed"},
        extra_body={"reasoning_effort": "low", "n": 1},
    ).body
    assert body.keys() == {"model", "messages", "max_completion_tokens", "n", "random_seed", "reasoning_effort"}
    assert (body["max_completion_tokens"], body["random_seed"]) == (512, 5)


def test_a_server_without_n_is_not_sent_it() -> None:
    assert "n" not in sent(supports_n=False).body


@pytest.mark.parametrize(
    "fields",
    [
        {"drop": ["seed"], "rename": {"seed": "random_seed"}},
        {"drop": ["top_p"], "extra_body": {"top_p": 1}},
        {"drop": ["a", "b"], "extra_body": {"b": 1}},
    ],
)
def test_a_field_is_not_dropped_and_sent_at_once(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="is dropped, and renamed or added as well; do one"):
        spec_of("http://h/v1", **fields)


def test_headers_and_query_take_secrets_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "s3cret\n")
    fields = {"headers": {"api-key": "${SOME_KEY}", "X-Title": "mine"}, "query": {"key": "${SOME_KEY}", "v": "1"}}
    asked = sent(**fields)
    assert (asked.headers["api-key"], asked.headers["X-Title"]) == ("s3cret", "mine")
    assert "Authorization" not in asked.headers
    assert asked.query == {"key": ["s3cret"], "v": ["1"]}
    assert "s3cret" not in spec_of("http://h", **fields).model_dump_json()


@pytest.mark.parametrize(
    ("base_url", "query", "url"),
    [
        ("http://h/v1", {}, "http://h/v1/chat/completions"),
        ("http://h/v1/", {}, "http://h/v1/chat/completions"),
        ("http://h/d/x?api-version=1", {}, "http://h/d/x/chat/completions?api-version=1"),
        ("http://h/d/x/?api-version=1", {"b": "2"}, "http://h/d/x/chat/completions?api-version=1&b=2"),
        ("http://h", {"a": "1 2&3"}, "http://h/chat/completions?a=1+2%263"),
    ],
)
def test_a_query_goes_behind_the_path(base_url: str, query: dict[str, str], url: str) -> None:
    assert request_url(base_url, "/chat/completions", query) == url


@pytest.mark.parametrize("base_url", ["http://h:1/v1", "http://h:1/v1/", "http://h:1"])
def test_scores_of_reward_models_are_asked_for_beside_v1(base_url: str) -> None:
    assert request_url(base_url, "/pooling", {}) == "http://h:1/pooling"


def test_the_query_of_a_url_reaches_the_server() -> None:
    asked = sent(path="/openai/deployments/d?api-version=2024-10-21")
    assert asked.path == "/openai/deployments/d/chat/completions"
    assert asked.query == {"api-version": ["2024-10-21"]}


@pytest.mark.parametrize("name", ["api-key", "Authorization", "x-api-key", "X-Auth-Token", "Ocp-Apim-Subscription-Key"])
@pytest.mark.parametrize("field", ["headers", "query"])
def test_a_secret_in_the_profile_is_refused(field: str, name: str) -> None:
    with pytest.raises(ValidationError, match=r"holds a secret; write .\$\{NAME\}") as error:
        spec_of("http://h/v1", **{field: {name: "s3cret"}})
    assert field in str(error.value)


def test_a_secret_in_a_url_is_refused() -> None:
    with pytest.raises(ValidationError, match="must not hold a secret; write query"):
        spec_of("http://h/v1?key=abc")


@pytest.mark.parametrize("value", ["", "  ", "a\nb", "caf\u00e9", "a\x00b"])
@pytest.mark.parametrize("field", ["key_from", "headers", "query"])
def test_a_key_that_cannot_be_sent_is_told_before_anything_is(
    value: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "\x00" in value:
        value = "a\x01b"  # no environment holds a zero byte
    monkeypatch.setenv("SOME_KEY", value)
    fields: dict[str, Any] = {"key_from": "SOME_KEY"} if field == "key_from" else {field: {"api-key": "${SOME_KEY}"}}
    with pytest.raises(EngineError, match=r"environment variable SOME_KEY holds (no key|a line break)") as error:
        HttpEngine(spec_of("http://h/v1", **fields))
    assert value.strip() == "" or value not in str(error.value)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 500])
def test_a_secret_is_in_no_message(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "s3cret")

    def echo(asked: Asked) -> Answer:
        said = f"not for {asked.headers['api-key']} and {asked.query['key']}"
        location = {"Location": f"http://h/?key={asked.query['key'][0]}"}
        return Answer({"error": {"message": said, "code": 401}} if status == 200 else said.encode(), status, location)

    fields = {"headers": {"api-key": "${SOME_KEY}"}, "query": {"key": "${SOME_KEY}"}, "max_attempts": 1}
    with ScriptedServer(echo) as server, opened(f"{server.url}/v1", **fields) as engine:
        try:
            reply = ask(engine)
            message = reply.error if isinstance(reply, Failure) else ""
        except EngineError as error:
            message = str(error)
    assert "***" in message and "s3cret" not in message


@pytest.mark.parametrize("layout", ["system_user", "user", "boxed"])
def test_the_layout_of_a_role_is_sent(layout: Any) -> None:
    assert sent(layout=layout).body["messages"] == PROMPT.to_messages(layout)


@pytest.mark.parametrize(
    "words",
    [
        "System role not supported",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Developer instruction is not enabled for models/gemma-2",
        "This model does not support system messages",
    ],
)
def test_a_server_that_refuses_a_system_turn_gets_the_instruction_in_the_users(
    words: str, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(asked: Asked) -> Answer:
        has_system = asked.body["messages"][0]["role"] == "system"
        return Answer({"error": {"message": words}}, 400) if has_system else Answer(chat_reply("2"))

    with caplog.at_level(logging.WARNING), ScriptedServer(answer) as server, opened(f"{server.url}/v1") as engine:
        ask(engine)
        ask(engine)
    assert [len(asked.body["messages"]) for asked in server.asked] == [2, 1, 1]
    assert server.asked[1].body["messages"] == PROMPT.to_messages("user")
    assert sum("refuses a system turn" in record.message for record in caplog.records) == 1


PREFIX = "<|im_start|>system\nYou are a maths tutor.<|im_end|>\n<|im_start|>user\n"
WRITE = Prompt(stage="write_question", instruction="Invent a question.")


@pytest.mark.parametrize("api", ["chat", "tagged"])
def test_a_bare_prefix_is_continued_by_a_question_of_the_models_own(api: str) -> None:
    reply = {"choices": [{"text": "How many eggs are 3 and 4?", "finish_reason": "stop"}] * 2}
    with (
        ScriptedServer(lambda asked: Answer(reply)) as server,
        opened(f"{server.url}/v1", api=api, layout="bare", bare_prefix=PREFIX) as engine,
    ):
        ((_, completions),) = engine.stream([Request("0", WRITE, (1, 2))], Sampling(temperature=1.0, thinking=False))
    assert isinstance(completions, list) and completions[1].text == "How many eggs are 3 and 4?"
    (asked,) = server.asked
    assert asked.path == "/v1/completions" and asked.body["prompt"] == PREFIX
    assert not asked.body.keys() & {"messages", "chat_template_kwargs"}


def test_a_bare_prefix_has_no_place_for_inputs() -> None:
    with (
        MockServer() as server,
        opened(f"{server.url}/v1", layout="bare", bare_prefix=PREFIX) as engine,
        pytest.raises(EngineError, match=r"cannot be asked solve, which has inputs; give that role another model"),
    ):
        ask(engine)


@pytest.mark.parametrize(
    "fields", [{"layout": "bare"}, {"bare_prefix": PREFIX}, {"layout": "user", "bare_prefix": "x"}]
)
def test_a_bare_prefix_and_its_layout_belong_together(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="layout = 'bare' needs bare_prefix"):
        spec_of("http://h/v1", **fields)


def test_marks_of_thoughts_that_a_role_names_are_known() -> None:
    with (
        ScriptedServer(lambda asked: Answer(chat_reply("<scratch>one and one</scratch>\n2"))) as server,
        opened(f"{server.url}/v1", reasoning_marks=[["<scratch>", "</scratch>"]]) as engine,
    ):
        reply = ask(engine)
    assert isinstance(reply, list) and (reply[0].text, reply[0].reasoning) == ("2", "one and one")


def explain(url: str) -> str:
    """What the run says when no connection to `url` is ever made."""
    with opened(url, outage_seconds=0.2) as engine, pytest.raises(EngineError) as error:
        ask(engine)
    return str(error.value)


def test_a_refused_connection_is_told_as_one() -> None:
    with MockServer() as gone:
        pass
    message = explain(f"{gone.url}/v1")
    assert f"no server answers at {gone.url}/v1 (the connection to {gone.url}/v1 was refused" in message


def test_a_name_that_is_not_known_is_told_as_one() -> None:
    message = explain("http://no-such-host.invalid/v1")
    assert "the host name of http://no-such-host.invalid/v1 cannot be resolved; check base_url" in message


def test_a_server_without_tls_is_told_with_the_scheme_that_was_assumed() -> None:
    with ScriptedServer(lambda asked: Answer("")) as server:
        message = explain(f"{server.url.removeprefix('http://')}/v1")
    assert f"no server answers at {server.url.replace('http', 'https')}/v1 (no TLS with" in message
    assert "https:// is assumed unless base_url says http://" in message


@contextmanager
def tls_server(folder: Path) -> Iterator[str]:
    """The address of a server whose certificate it signed itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem")
    with ScriptedServer(lambda asked: Answer(chat_reply("2"))) as server:
        server.use_tls(context)
        yield server.url.removeprefix("http://")


def test_a_certificate_that_is_not_trusted_is_told_as_one(tmp_path: Path) -> None:
    with tls_server(tmp_path) as address:
        message = explain(f"{address}/v1")
    assert f"the certificate of https://{address}/v1 is not trusted: " in message


def test_a_server_that_wants_tls_is_told_with_the_way_out(tmp_path: Path) -> None:
    with tls_server(tmp_path) as address, opened(f"http://{address}/v1", max_attempts=1) as engine:
        reply = ask(engine)
    assert isinstance(reply, Failure) and "if the server wants TLS, write https:// into base_url" in reply.error


def test_the_query_of_a_url_is_in_no_message() -> None:
    with MockServer() as gone:
        pass
    message = explain(f"{gone.url}/v1?api-version=7")
    assert f"{gone.url}/v1 (" in message and "api-version" not in message
