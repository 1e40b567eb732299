"""The embedded engine, on the shipped pupil when it is there and on an untrained one otherwise."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ctranslate2")

from infra import engines
from infra.engines import pin_model
from infra.engines.common.chat_template import WrittenPrompt
from infra.engines.embedded import EmbeddedEngine
from schemas.engine import Failure, Request, RequestObserver, generate
from schemas.engine_specs import EmbeddedSpec
from schemas.errors import EngineError
from schemas.identity import fingerprint
from schemas.prompts import Prompt, Sampling
from tests.support.engine_contract import JUDGE, QUESTION, SOLVE, WRITE, GeneratorContract, ScorerContract

SHIPPED = Path(__file__).parents[3] / "data/models/pupil/int8"
needs_pupil = pytest.mark.skipif(not SHIPPED.is_dir(), reason="an untrained model ends no reply")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory. The untrained model is as large as needed to be sampled, and knows every tag."""
    if SHIPPED.is_dir():
        return SHIPPED
    pytest.importorskip("torch", reason="needs the extra `train`").set_num_threads(1)
    pytest.importorskip("transformers", reason="needs the extra `train`")
    from tasks.pupil.config import PupilTraining
    from tasks.pupil.dataset import write_dataset
    from tasks.pupil.export import export_pupil
    from tasks.pupil.train import train

    folder = tmp_path_factory.mktemp("pupil")
    tiny = PupilTraining(
        hidden_size=32, layers=1, heads=2, feed_forward=64, steps=2, micro_tokens=512, use_compile=False
    )
    write_dataset(folder / "lessons", 300, vocabulary=600, processes=1)
    train(folder / "lessons", folder, tiny, report=lambda line: None)
    return export_pupil(folder / "latest.pt", folder / "lessons", folder / "models")[1]


@pytest.fixture
def spec(model: Path) -> EmbeddedSpec:
    return EmbeddedSpec(path=str(model))


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[EmbeddedEngine]:
    opened = EmbeddedEngine(EmbeddedSpec(path=str(model)))
    yield opened
    opened.close()
    opened.close()


class TestEmbedded(GeneratorContract, ScorerContract):
    """The contract."""


def test_the_same_call_gives_the_same_samples_in_every_process_order(spec: EmbeddedSpec) -> None:
    engine, sampling = EmbeddedEngine(spec), Sampling(n=2, temperature=1.0, max_tokens=16)
    seeds = [[5, 6], [7, 8]]
    first = generate(engine, [WRITE, SOLVE], sampling, seeds)
    generate(engine, [WRITE], sampling, [[1, 2]])
    assert generate(engine, [WRITE, SOLVE], sampling, seeds) == first


def test_the_identity_is_the_content_and_not_the_place(spec: EmbeddedSpec, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(spec.path, copy)
    elsewhere = EmbeddedSpec(path=str(copy), threads=2)
    assert fingerprint(pin_model(spec)) == fingerprint(pin_model(elsewhere)) != fingerprint(spec)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "unk_token": "<pad>"}))
    assert fingerprint(pin_model(elsewhere)) != fingerprint(pin_model(spec))
    with pytest.raises(ValueError, match=r"not the pinned one .*; restore .* or start the run again"):
        EmbeddedEngine(elsewhere.model_copy(update={"digest": pin_model(spec).digest}))


def test_a_missing_model_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no model in .* missing; run `make pupil`") as caught:
        EmbeddedEngine(EmbeddedSpec(path=str(tmp_path)))
    assert "\n" not in str(caught.value)


def test_a_broken_model_is_one_clear_line(spec: EmbeddedSpec, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(spec.path, broken)
    (broken / "model.bin").write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"cannot be loaded.*make pupil"):
        EmbeddedEngine(EmbeddedSpec(path=str(broken)))


def test_one_model_is_resident_at_a_time(spec: EmbeddedSpec) -> None:
    try:
        first = engines.load(spec)
        assert engines.load(spec) is first
        second = engines.load(spec.model_copy(update={"max_batch_size": 2}))
        assert second is not first and first.model is None
    finally:
        engines.unload()
    with pytest.raises(EngineError, match="closed"):
        generate(second, [SOLVE], Sampling(), [[1]])


def copy_of(spec: EmbeddedSpec, folder: Path, **files: dict[str, Any]) -> EmbeddedSpec:
    """A copy of the model with changed fields in its configuration files."""
    shutil.copytree(spec.path, folder)
    for name, fields in files.items():
        file = folder / f"{name}.json"
        config = json.loads(file.read_text()) if file.is_file() else {}
        file.write_text(json.dumps(config | fields))
    return spec.model_copy(update={"path": str(folder)})


@pytest.mark.parametrize("limit", [40, 30, 24])
def test_a_prompt_that_is_too_long_fails_alone_and_a_reply_ends_where_the_context_does(
    spec: EmbeddedSpec, tmp_path: Path, limit: int
) -> None:
    long = Prompt(stage="solve", inputs={"question": "How many eggs? " * 20})
    asked = [Request("long", long, (1,)), Request("short", SOLVE, (2,)), Request("longer", long, (3,))]
    engine = EmbeddedEngine(spec.model_copy(update={"max_model_len": limit}))
    replies = {request.row_id: reply for request, reply in engine.stream(list(asked), Sampling(max_tokens=60))}
    assert list(replies) == ["long", "short", "longer"]
    for name in ("long", "longer"):
        failure = replies[name]
        assert isinstance(failure, Failure) and failure.reason == "context too long"
        assert f"the model takes {limit} with the reply" in failure.error
    (reply,) = replies["short"]
    assert reply.prompt_tokens + reply.completion_tokens <= limit
    scores = {request.row_id: reply for request, reply in engine.score(asked)}
    assert [isinstance(scores[name], Failure) for name in ("long", "longer")] == [True, True]
    own = copy_of(spec, tmp_path / "own", tokenizer_config={"model_max_length": limit})
    assert EmbeddedEngine(own).tokenizer.context_tokens == limit
    assert EmbeddedEngine(spec).tokenizer.context_tokens > 10**9


TAGS_AS_TEMPLATE = (
    "{% for m in messages %}"
    "{{ '<solve><question>' + m.content + '<reply>' if m.role == 'user' else m.content + '<end>' }}{% endfor %}"
)


def test_a_chat_template_is_applied_when_the_model_has_one(spec: EmbeddedSpec, tmp_path: Path) -> None:
    template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    chatty = copy_of(spec, tmp_path / "chatty", tokenizer_config={"chat_template": template})
    tokenizer = EmbeddedEngine(chatty).tokenizer
    assert tokenizer.decode(tokenizer.encode(JUDGE)).startswith(
        "[system] Reply with yes or no.\n[user] Question:\nTom has 3 eggs"
    )
    assert "Solution:\n3 + 4 = 7" in tokenizer.decode(tokenizer.encode(JUDGE))


def test_a_prompt_without_inputs_is_all_instruction() -> None:
    assert Prompt(stage="x", instruction="Write.").to_messages() == [{"role": "user", "content": "Write."}]


def test_a_model_without_a_template_that_is_not_the_pupil_is_refused(spec: EmbeddedSpec, tmp_path: Path) -> None:
    other = copy_of(spec, tmp_path / "other")
    file = Path(other.path) / "tokenizer.json"
    file.write_text(file.read_text().replace("<solve>", "<task_1>"))
    with pytest.raises(ValueError, match=rf"no chat template beside {other.path}; copy tokenizer_config.json"):
        EmbeddedEngine(other)
    engine = EmbeddedEngine(other.model_copy(update={"layout": "tagged"}))
    assert len(generate(engine, [SOLVE], Sampling(max_tokens=4), [[1]])) == 1


@pytest.mark.parametrize(
    "files",
    [
        {"generation_config": {"eos_token_id": 2}},
        {"generation_config": {"eos_token_id": [20, 2]}},
        {"config": {"eos_token_id": [2]}},
        {"tokenizer_config": {"eos_token": {"content": "<end>", "special": True}}},
    ],
)
def test_every_end_token_that_a_file_names_ends_a_reply(
    spec: EmbeddedSpec, tmp_path: Path, files: dict[str, dict[str, Any]]
) -> None:
    elsewhere = {"config": {"eos_token": "<spare_7>"}, "tokenizer_config": {"eos_token": "<spare_7>"}}
    files = {name: elsewhere.get(name, {}) | files.get(name, {}) for name in {*elsewhere, *files}}
    ends = EmbeddedEngine(copy_of(spec, tmp_path / "copy", **files)).tokenizer.end_tokens
    assert "<end>" in ends and "<spare_7>" in ends and len(ends) == len(set(ends))


@pytest.mark.parametrize("name", ["tokenizer_config", "config"])
def test_an_end_token_that_the_model_does_not_know_is_no_end(spec: EmbeddedSpec, tmp_path: Path, name: str) -> None:
    odd = copy_of(spec, tmp_path / "odd", **{name: {"eos_token": "<eot>"}})
    engine = EmbeddedEngine(odd)
    assert engine.tokenizer.end_tokens == ["<end>"]
    assert generate(engine, [SOLVE], Sampling(max_tokens=4), [[1]])[0][0].text


@needs_pupil
def test_a_reply_ends_where_its_template_ends_a_turn(spec: EmbeddedSpec, tmp_path: Path) -> None:
    """Although no file names the token: the end of a text is another one."""
    elsewhere = {"config": {"eos_token": "<spare_7>"}, "tokenizer_config": {"eos_token": "<spare_7>"}}
    lost = copy_of(spec, tmp_path / "lost", **elsewhere)
    ((reply,),) = generate(EmbeddedEngine(lost), [SOLVE], Sampling(max_tokens=64), [[1]])
    assert reply.finish_reason == "length"
    elsewhere["tokenizer_config"]["chat_template"] = TAGS_AS_TEMPLATE
    ended = EmbeddedEngine(copy_of(spec, tmp_path / "ended", **elsewhere))
    ((reply,),) = generate(ended, [Prompt(stage="solve", instruction=QUESTION)], Sampling(max_tokens=64), [[1]])
    ((expected,),) = generate(EmbeddedEngine(spec), [SOLVE], Sampling(max_tokens=64), [[1]])
    assert reply == expected and reply.finish_reason == "stop"


@needs_pupil
@pytest.mark.parametrize("stop", [("####",), ("never", "=", "####"), ("eggs",)])
def test_a_reply_ends_before_a_stop_text(spec: EmbeddedSpec, stop: tuple[str, ...]) -> None:
    engine = EmbeddedEngine(spec)
    ((whole,),) = generate(engine, [SOLVE], Sampling(max_tokens=64), [[1]])
    ((cut,),) = generate(engine, [SOLVE], Sampling(max_tokens=64, stop=stop), [[1]])
    first = min((whole.text.find(text) for text in stop if text in whole.text), default=len(whole.text))
    assert cut.text == whole.text[:first] and cut.finish_reason == "stop"


@needs_pupil
def test_a_stop_text_makes_a_reply_whole_that_would_be_cut_off(spec: EmbeddedSpec) -> None:
    engine = EmbeddedEngine(spec)
    ((cut_off,),) = generate(engine, [SOLVE], Sampling(max_tokens=6), [[1]])
    ((stopped,),) = generate(engine, [SOLVE], Sampling(max_tokens=6, stop=(cut_off.text[-1],)), [[1]])
    assert (cut_off.fault, stopped.fault) == ("cut_off", None)


def test_only_the_likeliest_tokens_are_sampled_if_asked(spec: EmbeddedSpec) -> None:
    engine = EmbeddedEngine(spec)
    greedy = generate(engine, [WRITE], Sampling(max_tokens=12), [[1]])[0][0].text
    top = generate(engine, [WRITE] * 8, Sampling(max_tokens=12, temperature=1.0, top_k=1), [[i] for i in range(8)])
    assert {reply.text for (reply,) in top} == {greedy}
    plain, varied = (
        generate(engine, [SOLVE], Sampling(max_tokens=24, repetition_penalty=penalty), [[1]])[0][0].text
        for penalty in (1.0, 50.0)
    )
    assert plain != varied


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"min_p": 0.1}, "has no min_p;"),
        ({"presence_penalty": 0.5}, "has no presence_penalty;"),
        ({"frequency_penalty": -0.5, "min_p": 0.1}, "has no min_p and no frequency_penalty;"),
    ],
)
def test_what_the_engine_does_not_have_is_refused(spec: EmbeddedSpec, fields: dict[str, float], words: str) -> None:
    with pytest.raises(EngineError, match=f"the embedded engine {words} leave it out"):
        generate(EmbeddedEngine(spec), [SOLVE], Sampling(**fields), [[1]])


@pytest.mark.parametrize("marks", [("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<hm>", "</hm>")])
def test_marks_of_a_thought_are_kept_though_they_are_special_tokens(
    spec: EmbeddedSpec, tmp_path: Path, marks: tuple[str, str]
) -> None:
    thinker = copy_of(spec, tmp_path / "thinker")
    file = Path(thinker.path) / "tokenizer.json"
    file.write_text(file.read_text().replace("<spare_0>", marks[0]).replace("<spare_1>", marks[1]))
    engine = EmbeddedEngine(thinker.model_copy(update={"reasoning_marks": (marks,)}))
    thought = engine.tokenizer.encode_text("3 + 4")
    tokens = [marks[0], *thought, marks[1], "<reply>", *engine.tokenizer.encode_text("7"), "<end>"]
    reply = engine._make_completion(WrittenPrompt(""), 1, tokens, ())
    assert (reply.reasoning, reply.text, reply.finish_reason) == ("3 + 4", "7", "stop")
    unclosed = engine._make_completion(WrittenPrompt(""), 1, [marks[0], *thought, "<end>"], ())
    assert (unclosed.reasoning, unclosed.text, unclosed.fault) == ("3 + 4", "", "cut_off")


class CountReplies(RequestObserver):
    """Counts the replies that were handed over."""

    replies = 0

    def on_reply(self, request: Request, reply: object) -> None:
        self.replies += 1


@pytest.mark.parametrize(("n", "seats", "batch"), [(1, 4, 4), (2, 4, 2), (3, 2, 1)])
def test_a_large_model_hands_over_each_batch_when_it_is_done(
    spec: EmbeddedSpec, n: int, seats: int, batch: int
) -> None:
    requests = [Request(str(i), SOLVE, tuple(range(n))) for i in range(12)]
    sampling = Sampling(n=n, temperature=1.0, max_tokens=2)
    for is_large, handed_over in ((True, batch), (False, 12)):
        engine, observer = EmbeddedEngine(spec.model_copy(update={"max_batch_size": seats})), CountReplies()
        engine.reloads = not is_large
        replies = engine.stream(requests, sampling, observer)
        next(replies)
        assert observer.replies == handed_over
        assert len(list(replies)) == 11 and observer.replies == 12
    scores = engine.score(requests, observer)
    next(scores)
    assert observer.replies == 24, "the pupil's batches are as they were"


def test_an_unknown_kind_is_named() -> None:
    class Spec(EmbeddedSpec):
        kind: str = "nonsense"  # type: ignore[assignment]

    with pytest.raises(ValueError, match="nonsense"):
        engines.load(Spec())
