"""The profiles of docs/servers.md against the dialects of the mock server."""

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import pytest

from infra.engines.http import HttpEngine
from infra.mock_server.behaviour import MockBehaviour
from infra.mock_server.dialects import DIALECTS, DialectName
from infra.mock_server.server import MockServer
from schemas.engine import Completion, Failure, Reply, Request, Scorer, score
from schemas.engine_specs import HttpSpec
from schemas.errors import EngineError
from schemas.profile import Profile
from schemas.prompts import Prompt, Sampling
from tests.support.engine_contract import JUDGE

PAGE = (Path(__file__).parents[3] / "docs" / "servers.md").read_text(encoding="utf-8")
SECTIONS = {
    match["dialect"]: re.findall(r"^```toml\n(.*?)^```", match["text"], re.M | re.S)
    for match in re.finditer(r"^### [^\n]*\(`(?P<dialect>\w+)`\)\n(?P<text>.*?)(?=^### |\Z)", PAGE, re.M | re.S)
}
"""The profiles of the page, by dialect."""
NAMES = [name for name in get_args(DialectName) if name != "plain"]
THOUGHT, TEXT = "Three and four make seven.", "3 + 4 = 7\n#### 7"
SAMPLING = Sampling(n=3, temperature=1.0, top_p=0.95, max_tokens=64, reply_schema={"type": "object"})
WITHOUT_LOGPROBS = ["openai_o", "deepseek", "mistral"]
HOSTED = [name for name in NAMES if DIALECTS[name].key_headers]


def thinks_aloud(body: dict[str, Any], sample: int) -> str:
    return f"<think>\n{THOUGHT}\n</think>\n\n{TEXT}"


def yes(body: dict[str, Any], sample: int) -> str:
    return "yes"


def documented_spec(dialect: str, url: str, profile: int = 0) -> HttpSpec:
    """The documented role, with the mock server in place of the host."""
    (spec,) = Profile.model_validate(tomllib.loads(SECTIONS[dialect][profile])).roles.values()
    assert isinstance(spec, HttpSpec)
    moved = tuple(url + urlsplit(base_url).path for base_url in spec.base_url)
    return spec.model_copy(update={"base_url": moved, "max_attempts": 12})


@contextmanager
def opened(spec: HttpSpec) -> Iterator[HttpEngine]:
    engine = HttpEngine(spec)
    try:
        yield engine
    finally:
        engine.close()


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "DEEPSEEK_API_KEY", "MISTRAL_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.setenv(name, "a-key")


def ask(engine: HttpEngine, rows: int, sampling: Sampling = SAMPLING) -> list[Reply]:
    requests = [
        Request(
            str(i),
            Prompt(stage="solve", inputs={"question": f"{i} + 4?"}, instruction="Solve it."),
            tuple(2**62 + 10 * i + j for j in range(sampling.n)),
        )
        for i in range(rows)
    ]
    return [reply for _, reply in engine.stream(requests, sampling)]


def completions(replies: list[Reply]) -> list[Completion]:
    failures = [reply for reply in replies if isinstance(reply, Failure)]
    assert not failures, failures[0]
    return [completion for reply in replies for completion in reply if isinstance(completion, Completion)]


def test_every_dialect_has_its_profile_and_its_line_in_the_table() -> None:
    assert list(SECTIONS) == NAMES and DIALECTS.keys() == {"plain", *NAMES}
    assert all(f"| `{name}` |" in PAGE for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_profile_gets_whole_replies_with_their_thoughts(name: DialectName) -> None:
    with (
        MockServer(MockBehaviour(dialect=name), reply=thinks_aloud) as server,
        opened(documented_spec(name, server.url)) as engine,
    ):
        replies = completions(ask(engine, rows=12))
        counts = server.read_counters()
    assert len(replies) == 36
    assert {(reply.text, reply.reasoning, reply.fault) for reply in replies} == {(TEXT, THOUGHT, None)}
    assert not any(reply.tokens_estimated for reply in replies) and all(reply.completion_tokens for reply in replies)
    refused = sum(count for status, count in counts.by_status.items() if status != 200)
    assert refused <= 12, "only what may be in flight before the first refusal"


@pytest.mark.parametrize("name", NAMES)
def test_a_reply_that_is_not_whole_is_never_taken_for_one(name: DialectName) -> None:
    with (
        MockServer(MockBehaviour(dialect=name, fault_dialect=0.5, words=8)) as server,
        opened(documented_spec(name, server.url)) as engine,
    ):
        replies = completions(ask(engine, rows=20, sampling=SAMPLING.model_copy(update={"reply_schema": {}})))
        assert server.read_counters().faults["fault_dialect"] > 0
    faults = {reply.fault for reply in replies}
    own_fault = DIALECTS[name].own_fault
    assert faults == (
        {None} if own_fault == "error_in_200" else {None, "unknown" if own_fault == "null" else own_fault}
    )


@pytest.mark.parametrize("name", HOSTED)
def test_a_server_that_wants_a_key_says_so_at_the_first_request(name: DialectName) -> None:
    with (
        MockServer(MockBehaviour(dialect=name)) as server,
        opened(documented_spec(name, server.url).model_copy(update={"key_from": "", "headers": {}})) as engine,
        pytest.raises(EngineError, match=r"HTTP 401: .*check the key"),
    ):
        ask(engine, rows=1)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_LOGPROBS])
def test_the_documented_profile_scores(name: DialectName) -> None:
    with (
        MockServer(MockBehaviour(dialect=name), reply=yes) as server,
        opened(documented_spec(name, server.url)) as engine,
    ):
        assert isinstance(engine, Scorer) and score(engine, [JUDGE])[0] > 0.5


@pytest.mark.parametrize("name", WITHOUT_LOGPROBS)
def test_a_server_without_log_probabilities_cannot_score_and_says_so(name: DialectName) -> None:
    with (
        MockServer(MockBehaviour(dialect=name), reply=yes) as server,
        opened(documented_spec(name, server.url)) as engine,
        pytest.raises(EngineError, match=r"the server refuses (top_)?logprobs"),
    ):
        score(engine, [JUDGE])


def test_the_documented_reward_model_scores() -> None:
    with (
        MockServer(MockBehaviour(dialect="vllm"), reply=lambda body, sample: "0.75") as server,
        opened(documented_spec("vllm", server.url, profile=1)) as engine,
    ):
        assert score(engine, [JUDGE])[0] == pytest.approx(0.8808, abs=1e-4)


def test_the_documented_generator_of_questions_continues_a_bare_turn() -> None:
    def question(body: dict[str, Any], sample: int) -> str:
        return "How many eggs are 3 and 4?" if body["prompt"].endswith("<|im_start|>user\n") else "another prompt"

    with (
        MockServer(MockBehaviour(dialect="vllm"), reply=question) as server,
        opened(documented_spec("vllm", server.url, profile=2)) as engine,
    ):
        request = Request("0", Prompt(stage="write_question", instruction="Invent a question."), (1,))
        ((_, reply),) = engine.stream([request], Sampling(temperature=1.0))
    assert isinstance(reply, list) and reply[0].text == "How many eggs are 3 and 4?"


PLAIN_SPECS: dict[str, dict[str, Any]] = {
    "openai_o": {"advice": "max_completion_tokens"},
    "mistral": {"advice": r'drop = \["seed"\]'},
}


@pytest.mark.parametrize("name", PLAIN_SPECS)
def test_without_the_documented_profile_the_error_names_the_way_out(name: DialectName) -> None:
    with MockServer(MockBehaviour(dialect=name)) as server:
        spec = documented_spec(name, server.url)
        bare = HttpSpec(kind="http", model=spec.model, base_url=spec.base_url, key_from=spec.key_from)
        with opened(bare) as engine, pytest.raises(EngineError, match=PLAIN_SPECS[name]["advice"]):
            ask(engine, rows=1)


def test_azure_needs_its_version() -> None:
    with MockServer(MockBehaviour(dialect="azure_classic")) as server:
        spec = documented_spec("azure_classic", server.url)
        with opened(spec.model_copy(update={"query": {}})) as engine, pytest.raises(EngineError, match="HTTP 404"):
            ask(engine, rows=1)
        in_url = spec.model_copy(update={"query": {}, "base_url": (f"{spec.base_url[0]}?api-version=2024-10-21",)})
        with opened(in_url) as engine:
            assert len(completions(ask(engine, rows=2))) == 6


def test_an_unknown_model_of_openrouter_stops_the_run_at_once() -> None:
    with MockServer(MockBehaviour(dialect="openrouter")) as server:
        spec = documented_spec("openrouter", server.url).model_copy(update={"model": "qwen3"})
        with opened(spec) as engine, pytest.raises(EngineError, match=r"qwen3 is not a valid model ID.*check model"):
            ask(engine, rows=1)
