"""The embedded engine asks a real chat model as its template wants, and reads what comes back for what it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from infra import engines
from infra.engines.embedded import EmbeddedEngine
from schemas.engine import Completion, Failure, Request, generate
from schemas.engine_specs import EmbeddedSpec
from schemas.outcomes import Quarantine
from schemas.prompts import Prompt, Sampling
from tasks.answers.reward import ScoreAnswer
from tasks.lemma.inject import Inject
from tasks.questions.solvability import JudgeSolvable
from tests.support.engine_contract import JUDGE, QUESTION, SOLVE
from tests.support.real_model import SYSTEM_TURN

pytestmark = pytest.mark.real
CAPITAL = Prompt(stage="solve", inputs={"question": "What is the capital of France?"}, instruction="Reply in one line.")
DEFAULT_SYSTEM_TURN = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


@pytest.fixture(scope="session")
def spec(model: Path) -> EmbeddedSpec:
    return EmbeddedSpec(path=str(model / "int8"))


@pytest.fixture
def engine(spec: EmbeddedSpec) -> Any:
    """The resident engine."""
    return engines.load(engines.pin_model(spec))


@pytest.fixture(scope="session")
def tokenizer(model: Path) -> Tokenizer:
    return Tokenizer.from_file(str(model / "int8/tokenizer.json"))


def test_the_instruction_is_the_system_turn_and_the_inputs_are_the_users(engine: EmbeddedEngine) -> None:
    assert engine.tokenizer.writer.write(CAPITAL).text == (
        "<|im_start|>system\nReply in one line.<|im_end|>\n"
        "<|im_start|>user\nQuestion:\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert engine.tokenizer.writer.layout == "system_user"


def test_the_token_that_ends_a_turn_ends_a_reply_and_is_counted(engine: EmbeddedEngine, tokenizer: Tokenizer) -> None:
    ((reply,),) = generate(engine, [CAPITAL], Sampling(max_tokens=48), [[1]])
    assert "Paris" in reply.text and "<|im_" not in reply.text
    assert (reply.finish_reason, reply.fault) == ("stop", None)
    prompt = tokenizer.encode(engine.tokenizer.writer.write(CAPITAL).text, add_special_tokens=False).ids
    text = tokenizer.encode(reply.text, add_special_tokens=False).ids
    assert (reply.prompt_tokens, reply.completion_tokens) == (len(prompt), len(text) + 1)


def test_a_reply_that_is_cut_off_is_no_whole_one(engine: EmbeddedEngine) -> None:
    ((reply,),) = generate(engine, [SOLVE], Sampling(max_tokens=5), [[1]])
    assert (reply.fault, reply.completion_tokens) == ("cut_off", 5)


def test_a_greedy_reply_is_the_same_alone_and_in_a_batch(engine: EmbeddedEngine) -> None:
    sampling = Sampling(max_tokens=12)
    (alone,) = generate(engine, [CAPITAL], sampling, [[1]])
    _, within, _ = generate(engine, [SOLVE, CAPITAL, JUDGE], sampling, [[2], [3], [4]])
    assert within == alone


def test_a_prompt_that_is_too_long_fails_alone(spec: EmbeddedSpec) -> None:
    engine = engines.load(engines.pin_model(spec.model_copy(update={"max_model_len": 128})))
    long = Prompt(stage="solve", inputs={"question": "How many eggs? " * 50}, instruction="Solve it.")
    replies = {
        request.row_id: reply
        for request, reply in engine.stream(
            [Request("long", long, (1,)), Request("short", CAPITAL, (1,))], Sampling(max_tokens=16)
        )
    }
    failure, reply = replies["long"], replies["short"]
    assert isinstance(failure, Failure) and failure.reason == "context too long"
    assert isinstance(reply, list) and reply[0].text


@pytest.mark.parametrize("stage", [JudgeSolvable(structured=True), Inject(structured=True)], ids=lambda s: s.label)
def test_a_reply_that_should_be_json_is_read_as_text_and_never_makes_a_yes(engine: EmbeddedEngine, stage: Any) -> None:
    """This engine holds no model to a schema."""
    stage = stage.model_copy(update={"sampling": stage.sampling.model_copy(update={"max_tokens": 48})})
    row = {"row_id": "a", "question_id": "a", "question": QUESTION, "answer": "7", "reference": "3 + 4 = 7\n#### 7"}
    row |= {"student": "student", "type": "calculation"}
    (request,) = (Request("a", stage.prompt(row), (1, 2)),)
    assert stage.initial_sampling().reply_schema
    sampling = stage.initial_sampling().model_copy(update={"n": 2, "temperature": 0.7})
    ((_, replies),) = engine.stream([request], sampling)
    assert isinstance(replies, list)
    for outcome in stage.parse(row, replies):
        assert not isinstance(outcome, dict) or outcome.get("verdict") is None or "yes" in replies[0].text.lower()


def test_a_score_has_evidence_or_is_a_failure(engine: EmbeddedEngine) -> None:
    """One prompt asks for the words, the other for something else."""
    other = Prompt(stage="tell", inputs={"question": QUESTION}, instruction="Write a poem about the sea.")
    requests = [Request("asked", JUDGE, (1,)), Request("not asked", other, (1,))]
    replies = {request.row_id: reply for request, reply in engine.score(requests)}
    for reply in replies.values():
        if isinstance(reply, Failure):
            assert reply.reason == "says neither yes nor no"
        else:
            assert 0 <= float(reply[0].text) <= 1
    assert isinstance(replies["not asked"], Failure), "a poem begins with neither word"


def test_a_row_without_a_score_is_quarantined_and_counted(engine: EmbeddedEngine) -> None:
    stage = ScoreAnswer(template="Write a poem about the sea.")
    row = {"row_id": "a", "question": QUESTION, "solution": "3 + 4 = 7\n#### 7", "answer": "7"}
    (outcome,) = stage.rows([row], engine)
    assert isinstance(outcome, Quarantine) and outcome.reason == "says neither yes nor no"


@pytest.fixture(scope="module", params=["", SYSTEM_TURN], ids=["plain", "with a system turn"])
def questions(request: pytest.FixtureRequest, spec: EmbeddedSpec) -> Iterator[tuple[str, list[Completion]]]:
    """What the model writes after a bare prefix, and the prefix."""
    bare = EmbeddedSpec(**(spec.model_dump() | {"layout": "bare", "system_turn": request.param}))
    engine = EmbeddedEngine(bare)
    prompts = [Prompt(stage="write_question", instruction="Write a question.")] * 12
    replies = generate(engine, prompts, Sampling(temperature=1.0, top_p=0.95, max_tokens=64), [[i] for i in range(12)])
    yield engine.tokenizer.writer.write(prompts[0]).text, [reply for (reply,) in replies]
    engine.close()


def test_after_a_bare_prefix_the_model_writes_turns_of_a_user(questions: tuple[str, list[Completion]]) -> None:
    prefix, replies = questions
    system_turn = SYSTEM_TURN if SYSTEM_TURN in prefix else DEFAULT_SYSTEM_TURN
    assert prefix == f"<|im_start|>system\n{system_turn}<|im_end|>\n<|im_start|>user\n"
    whole = [reply.text for reply in replies if reply.fault is None]
    assert len(whole) >= 4 and len(set(whole)) == len(whole), "a turn ends by itself, and no two are equal"
    assert not [text for text in whole if "<|im_" in text or not text.strip()]
