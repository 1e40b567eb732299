"""The embedded engine, on the shipped pupil when it is there and on an untrained one otherwise."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ctranslate2")

from infra import engines
from infra.engines import pin_model
from infra.engines.embedded import EmbeddedEngine
from schemas.engine import generate
from schemas.engine_specs import EmbeddedSpec
from schemas.errors import EngineError
from schemas.identity import fingerprint
from schemas.prompts import Prompt, Sampling
from tests.support.engine_contract import JUDGE, SOLVE, WRITE, GeneratorContract, ScorerContract

SHIPPED = Path(__file__).parents[3] / "data/models/pupil/int8"


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


def test_a_chat_template_is_applied_when_the_model_has_one(spec: EmbeddedSpec, tmp_path: Path) -> None:
    chatty = tmp_path / "chatty"
    shutil.copytree(spec.path, chatty)
    told = json.loads((chatty / "tokenizer_config.json").read_text())
    told["chat_template"] = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    (chatty / "tokenizer_config.json").write_text(json.dumps(told))
    words = EmbeddedEngine(EmbeddedSpec(path=str(chatty))).tokenizer
    assert words.decode(words.encode(JUDGE)).startswith(
        "[system] Reply with yes or no.\n[user] Question:\nTom has 3 eggs"
    )
    assert "Solution:\n3 + 4 = 7" in words.decode(words.encode(JUDGE))


def test_a_prompt_without_inputs_is_all_instruction() -> None:
    assert Prompt(stage="x", instruction="Write.").to_messages() == [{"role": "user", "content": "Write."}]


def test_an_unknown_kind_is_named() -> None:
    class Spec(EmbeddedSpec):
        kind: str = "nonsense"  # type: ignore[assignment]

    with pytest.raises(ValueError, match="nonsense"):
        engines.load(Spec())
