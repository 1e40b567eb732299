"""The dialects of the mock server, byte by byte: what each refuses and in which form it replies."""

import json
import math
import urllib.error
import urllib.request
from typing import Any

import pytest

from infra.mock_server.behaviour import MockBehaviour
from infra.mock_server.server import MockServer

KEY = {"Authorization": "Bearer a-key"}
BODY = {"model": "a/b", "messages": [{"role": "user", "content": "1 + 1?"}]}


def post(server: MockServer, path: str, body: dict[str, Any], headers: dict[str, str] = KEY) -> tuple[int, bytes]:
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def posted(dialect: Any, path: str, headers: dict[str, str] = KEY, **fields: Any) -> tuple[int, Any]:
    """Status and body of one request to a server that thinks."""
    think = MockServer(MockBehaviour(dialect=dialect), reply=lambda body, sample: "<think>one and one</think>2")
    with think as server:
        status, data = post(server, path, BODY | fields, headers)
    return status, json.loads(data)


CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("dialect", "path", "message"),
    [
        ("plain", CHAT, {"content": "<think>one and one</think>2"}),
        ("vllm", CHAT, {"content": "2", "reasoning": "one and one", "reasoning_content": "one and one"}),
        ("sglang", CHAT, {"content": "2", "reasoning_content": "one and one"}),
        ("llama_cpp", CHAT, {"content": "2", "reasoning_content": "one and one"}),
        ("ollama", CHAT, {"content": "2", "reasoning": "one and one"}),
        ("deepseek", "/chat/completions", {"content": "2", "reasoning_content": "one and one"}),
        ("openrouter", "/api/v1/chat/completions", {"content": "2", "reasoning": "one and one"}),
    ],
)
def test_a_thought_goes_where_the_server_puts_it(dialect: str, path: str, message: dict[str, str]) -> None:
    status, reply = posted(dialect, path)
    assert status == 200 and reply["choices"][0]["message"] == {"role": "assistant", **message}


def test_mistral_puts_its_thought_into_a_part() -> None:
    thought, text = posted("mistral", CHAT)[1]["choices"][0]["message"]["content"]
    assert thought["thinking"] == [{"type": "text", "text": "one and one"}] and text == {"type": "text", "text": "2"}


@pytest.mark.parametrize(
    ("dialect", "path", "field", "status"),
    [
        ("openai_chat", CHAT, {"top_k": 5}, 400),
        ("openai_o", CHAT, {"max_tokens": 5}, 400),
        ("openai_o", CHAT, {"temperature": 0.7}, 400),
        ("openai_o", CHAT, {"n": 2}, 400),
        ("azure_v1", "/openai/v1/chat/completions", {"top_k": 5}, 400),
        ("deepseek", "/v1/chat/completions", {"n": 2}, 400),
        ("deepseek", CHAT, {"response_format": {"type": "json_schema"}}, 400),
        ("mistral", CHAT, {"seed": 5}, 422),
        ("mistral", CHAT, {"n": 1}, 422),
        ("openrouter", "/api/v1/chat/completions", {"model": "b"}, 400),
    ],
)
def test_what_a_server_refuses(dialect: str, path: str, field: dict[str, Any], status: int) -> None:
    assert posted(dialect, path, **field)[0] == status
    assert posted(dialect, path)[0] == 200


@pytest.mark.parametrize(
    ("dialect", "field"),
    [("openai_o", {"temperature": 1}), ("openai_o", {"n": 1}), ("llama_cpp", {"n": 1}), ("ollama", {"n": 5})],
)
def test_what_a_server_takes(dialect: str, field: dict[str, Any]) -> None:
    status, reply = posted(dialect, CHAT, **field)
    assert status == 200 and len(reply["choices"]) == 1


def test_the_form_of_errors() -> None:
    _, openai = posted("openai_o", CHAT, max_tokens=5)
    assert openai["error"]["param"] == "max_tokens" and openai["error"]["code"] == "unsupported_parameter"
    _, mistral = posted("mistral", CHAT, seed=5)
    assert mistral["message"]["detail"][0]["loc"] == ["body", "seed"]
    _, sglang = posted("sglang", CHAT, n=0)
    assert sglang["object"] == "error" and sglang["code"] == 400


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_o", "deepseek", "mistral"])
def test_a_key_is_needed(dialect: str) -> None:
    assert posted(dialect, CHAT, headers={})[0] == 401


def test_azure_takes_its_own_header_and_wants_its_version() -> None:
    path, key = "/openai/deployments/d/chat/completions", {"api-key": "a-key"}
    assert posted("azure_classic", f"{path}?api-version=2024-10-21", key)[0] == 200
    assert posted("azure_classic", path, key)[0] == 404
    assert posted("azure_classic", f"{path}?api-version=2024-10-21")[0] == 401
    assert posted("azure_classic", CHAT, key)[0] == 404


def test_blank_lines_come_before_a_reply_of_deepseek() -> None:
    with MockServer(MockBehaviour(dialect="deepseek")) as server:
        data = post(server, CHAT, BODY)[1]
    assert data.startswith(b"\n" * 40 + b"{") and json.loads(data)


def test_a_share_of_replies_has_the_dialects_own_fault() -> None:
    with MockServer(MockBehaviour(dialect="openrouter", fault_dialect=1)) as server:
        status, data = post(server, "/api/v1/chat/completions", BODY)
    assert status == 200 and json.loads(data)["error"]["code"] == 502
    with MockServer(MockBehaviour(fault_dialect=1)) as server:
        assert json.loads(post(server, CHAT, BODY)[1])["choices"][0]["finish_reason"] is None


@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
def test_the_alternatives_of_a_verdict_make_a_probability(path: str) -> None:
    body = (
        BODY
        | {"prompt": "1?", "max_tokens": 1}
        | ({"logprobs": True, "top_logprobs": 20} if path == CHAT else {"logprobs": 20})
    )
    with MockServer() as server:
        logprobs = json.loads(post(server, path, body)[1])["choices"][0]["logprobs"]
    likely = (
        {each["token"]: each["logprob"] for each in logprobs["content"][0]["top_logprobs"]}
        if path == CHAT
        else logprobs["top_logprobs"][0]
    )
    assert likely.keys() == {"yes", "no"} and sum(map(math.exp, likely.values())) == pytest.approx(1)


@pytest.mark.parametrize("path", ["/pooling", "/score", "/classify"])
def test_a_reward_model_is_imitated_too(path: str) -> None:
    body = {"model": "m", "text_1": "q", "text_2": "a"} if path == "/score" else BODY
    with MockServer() as server:
        status, data = post(server, path, body)
        again = post(server, path, body)[1]
    assert status == 200 and data == again and json.loads(data)["data"][0]["index"] == 0
