"""A real chat model through vLLM in this process: its template, replies held to a schema, and the bare prefix."""

import json

import pytest

from infra import engines
from infra.engines.vllm import VllmEngine
from schemas.engine import Failure, Request, generate
from schemas.engine_specs import VllmSpec
from schemas.prompts import Prompt, Sampling
from tasks.questions.solvability import JudgeSolvable
from tests.support.engine_contract import QUESTION
from tests.support.real_model import SYSTEM_TURN
from tests.support.smollm2 import default_folder

# By a module of it: any folder called `vllm` is a package of that name.
pytest.importorskip("vllm.version", reason="needs vLLM: make test-vllm")

pytestmark = pytest.mark.vllm
CAPITAL = Prompt(stage="solve", inputs={"question": "What is the capital of France?"}, instruction="Reply in one line.")


@pytest.fixture(scope="module")
def spec() -> VllmSpec:
    return VllmSpec(
        kind="vllm",
        path=str(default_folder() / "safetensors"),
        dtype="float32",
        device="cpu",
        kv_cache_gib=0.5,
        max_model_len=512,
        max_num_seqs=32,
        enforce_eager=True,
    )


@pytest.fixture(scope="module")
def engine(spec: VllmSpec) -> VllmEngine:
    engine = engines.load(engines.pin_model(spec))
    assert isinstance(engine, VllmEngine)
    return engine


@pytest.fixture(scope="module")
def bare_engine(spec: VllmSpec) -> VllmEngine:
    """Another engine on the same model, which begins a user's turn."""
    bare = VllmSpec(**(spec.model_dump() | {"layout": "bare", "system_turn": SYSTEM_TURN}))
    engine = engines.load(engines.pin_model(bare))
    assert isinstance(engine, VllmEngine)
    return engine


def test_the_template_is_applied_and_the_end_of_a_turn_ends_the_reply(engine: VllmEngine) -> None:
    ((reply,),) = generate(engine, [CAPITAL], Sampling(max_tokens=48), [[1]])
    assert "Paris" in reply.text and "<|im_" not in reply.text and reply.fault is None
    text = engine.writer.write(CAPITAL).text
    assert text.startswith("<|im_start|>system\nReply in one line.<|im_end|>\n<|im_start|>user\nQuestion:\n")
    assert reply.prompt_tokens == len(engine.tokenizer.encode(text, add_special_tokens=False))
    long = Prompt(stage="solve", inputs={"question": "How many eggs? " * 200}, instruction="Solve it.")
    ((_, failure),) = engine.stream([Request("long", long, (1,))], Sampling(max_tokens=4))
    assert isinstance(failure, Failure) and failure.reason == "context too long"


def test_a_verdict_is_held_to_its_schema(engine: VllmEngine) -> None:
    judge = JudgeSolvable(sampling=Sampling(max_tokens=160))
    prompt = judge.prompt({"row_id": "a", "question": QUESTION})
    replies = generate(
        engine, [prompt] * 4, judge.initial_sampling().model_copy(update={"temperature": 0.7}), [[1]] * 4
    )
    whole = [json.loads(reply.text) for (reply,) in replies if reply.fault is None]
    assert whole and {each["verdict"] for each in whole} <= {"yes", "no"}


def test_after_a_bare_prefix_the_model_writes_turns_of_a_user(bare_engine: VllmEngine) -> None:
    prompts = [Prompt(stage="write_question", instruction="Write a question.")] * 12
    sampling = Sampling(temperature=1.0, top_p=0.95, max_tokens=64)
    replies = [reply for (reply,) in generate(bare_engine, prompts, sampling, [[n] for n in range(12)])]
    whole = [reply.text for reply in replies if reply.fault is None]
    assert len(whole) >= 4 and len(set(whole)) == len(whole)
    assert not [text for text in whole if "<|im_" in text or not text.strip()]
