"""The regressor keeps the contract of a scorer, and says of a text what transformers' own head says of it."""

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from infra import engines
from infra.engines.common.reward_models import single_token
from infra.engines.regressor import Regressor
from schemas.engine import Failure, Request, RequestObserver, score
from schemas.engine_specs import RegressorSpec
from schemas.errors import EngineError
from schemas.identity import fingerprint
from schemas.prompts import Prompt
from tests.support.engine_contract import JUDGE, QUESTION, ScorerContract

pytestmark = pytest.mark.train
SHORT = Prompt(stage="score_difficulty", inputs={"question": QUESTION}, instruction="Is it hard?")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model with one label, of weights so large that its values are far apart; tokens are bytes."""
    torch.manual_seed(5)
    folder = tmp_path_factory.mktemp("regressor") / "safetensors"
    config = transformers.LlamaConfig(
        vocab_size=257, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=256, num_labels=1, pad_token_id=256, bos_token_id=None, eos_token_id=256,
        initializer_range=0.3,
    )  # fmt: skip
    made = transformers.LlamaForSequenceClassification(config)
    made.score.weight.data.normal_(0, 0.2)
    made.save_pretrained(folder)
    alphabet = {sign: number for number, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    words = Tokenizer(models.BPE(vocab={**alphabet, "<end>": 256}, merges=[]))
    words.pre_tokenizer, words.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", pad_token="<end>")
    fast.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    fast.save_pretrained(folder)
    return folder


@pytest.fixture
def spec(model: Path) -> RegressorSpec:
    return RegressorSpec(kind="regressor", path=str(model))


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[Regressor]:
    opened = Regressor(RegressorSpec(kind="regressor", path=str(model)))
    yield opened
    opened.close()
    opened.close()


class TestRegressor(ScorerContract):
    """The contract."""


def questions(number: int) -> list[Prompt]:
    return [
        SHORT.model_copy(update={"inputs": {"question": "How many? " * (1 + i % 7) + str(i)}}) for i in range(number)
    ]


def test_scores_are_those_of_the_head_alone_however_they_are_batched(spec: RegressorSpec, engine: Regressor) -> None:
    asked = questions(20)
    read = [torch.tensor([engine._encode(prompt)]) for prompt in asked]
    assert engine.tokenizer.decode(engine._encode(SHORT)) == QUESTION
    with torch.inference_mode():
        alone = [float(engine.model(input_ids=ids).logits.sigmoid()) for ids in read]
    assert max(alone) - min(alone) > 0.05
    for tokens in (1, 300, 8192):
        batched = Regressor(spec.model_copy(update={"max_batch_tokens": tokens}))
        assert score(batched, asked) == pytest.approx(alone, abs=1e-5)


def test_a_clipped_value_is_the_bare_one_within_its_bounds(spec: RegressorSpec) -> None:
    asked = questions(40)
    clipped = score(Regressor(spec.model_copy(update={"bound": "clip"})), asked)
    bare = [math.log(bounded / (1 - bounded)) for bounded in score(Regressor(spec), asked)]
    assert min(bare) < 1 < max(bare)
    assert clipped == pytest.approx([min(1.0, max(0.0, value)) for value in bare], abs=1e-5)


def test_a_chat_template_says_how_a_question_is_read(spec: RegressorSpec, model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, copy := tmp_path / "copy")
    told = json.loads((copy / "tokenizer_config.json").read_text())
    told["chat_template"] = "Q: {{ messages[-1]['content'] }}"
    (copy / "tokenizer_config.json").write_text(json.dumps(told))
    (copy / "chat_template.jinja").unlink(missing_ok=True)
    chatty = Regressor(spec.model_copy(update={"path": str(copy)}))
    assert chatty.tokenizer.decode(chatty._encode(SHORT)) == f"Q: {QUESTION}"


@pytest.mark.parametrize("template", ["{{ messages[0].content }}", "Score:", "{{ messages[-1].content[:5] }}"])
def test_a_template_that_drops_what_is_scored_is_refused(spec: RegressorSpec, template: str) -> None:
    engine = Regressor(spec)
    engine.tokenizer.chat_template = template
    with pytest.raises(EngineError, match="drops the assistant turn"):
        score(engine, [JUDGE])


@pytest.mark.parametrize("place", ["tokenizer_config.json", "chat_template.jinja"])
def test_a_model_without_a_template_is_refused(spec: RegressorSpec, tmp_path: Path, place: str) -> None:
    shutil.copytree(spec.path, copy := tmp_path / "copy")
    config = json.loads((copy / "tokenizer_config.json").read_text())
    source = config.pop("chat_template", "") or (copy / "chat_template.jinja").read_text()
    (copy / "chat_template.jinja").unlink(missing_ok=True)
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=f"no chat template beside {copy}; copy tokenizer_config.json and chat_templ"):
        Regressor(spec.model_copy(update={"path": str(copy)}))
    if place == "chat_template.jinja":
        (copy / place).write_text(source)
    else:
        (copy / place).write_text(json.dumps(config | {"chat_template": source}))
    assert 0 < score(Regressor(spec.model_copy(update={"path": str(copy)})), [JUDGE])[0] < 1


def test_a_question_that_is_too_long_fails_alone(engine: Regressor) -> None:
    long = SHORT.model_copy(update={"inputs": {"question": "How many? " * 200}})
    replies = {r.row_id: reply for r, reply in engine.score([Request("0", long, (1,)), Request("1", SHORT, (1,))])}
    assert isinstance(replies["0"], Failure) and replies["0"].reason == "context too long"
    assert not isinstance(replies["1"], Failure)


def test_only_what_may_be_sent_is_scored_and_all_of_it_is_told(engine: Regressor) -> None:
    class Three(RequestObserver):
        left, told = 3, 0

        def may_send(self) -> bool:
            self.left -= 1
            return self.left >= 0

        def on_reply(self, request: Request, reply: object) -> None:
            self.told += 1

    watch = Three()
    requests = [Request(str(i), prompt, (1,)) for i, prompt in enumerate(questions(8))]
    assert [request.row_id for request, _ in engine.score(requests, watch)] == ["0", "1", "2"] and watch.told == 3


def test_the_identity_is_the_content_and_not_the_place(spec: RegressorSpec, model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, copy := tmp_path / "copy")
    elsewhere = spec.model_copy(update={"path": str(copy), "threads": 2, "max_batch_tokens": 64})
    assert fingerprint(engines.pin_model(spec)) == fingerprint(engines.pin_model(elsewhere)) != fingerprint(spec)
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    with pytest.raises(ValueError, match=r"not the pinned one .*; restore .* or start the run again"):
        Regressor(elsewhere.model_copy(update={"digest": engines.pin_model(spec).digest}))


def test_it_is_loaded_by_its_kind_and_works_in_the_thread_that_asks(spec: RegressorSpec) -> None:
    try:
        first = engines.load(spec)
        assert engines.load(spec) is first and not engines.is_io_bound(spec)
    finally:
        engines.unload()
    with pytest.raises(EngineError, match="closed"):
        score(first, [JUDGE])


def test_a_model_without_a_head_of_one_label_is_one_clear_line(
    spec: RegressorSpec, model: Path, tmp_path: Path
) -> None:
    shutil.copytree(model, copy := tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "id2label": {"0": "a", "1": "b"}}))
    with pytest.raises(ValueError, match="cannot be loaded") as caught:
        Regressor(spec.model_copy(update={"path": str(copy)}))
    assert "\n" not in str(caught.value)
    writer = transformers.LlamaForCausalLM(transformers.LlamaConfig.from_pretrained(model))
    writer.save_pretrained(copy)
    with pytest.raises(ValueError, match="no head with exactly one label; train one with `TrainDifficultyModel`"):
        Regressor(spec.model_copy(update={"path": str(copy)}))


def test_a_score_is_read_at_the_token_that_is_appended(spec: RegressorSpec) -> None:
    marked = Regressor(spec.model_copy(update={"reward_token": "<end>"}))
    (ids,) = [marked._encode(SHORT)]
    assert ids[-1] == 256 and ids[:-1] == Regressor(spec)._encode(SHORT)
    with torch.inference_mode():
        alone = float(marked.model(input_ids=torch.tensor([ids])).logits.sigmoid())
    assert score(marked, [SHORT]) == pytest.approx([alone], abs=1e-5) != pytest.approx(score(Regressor(spec), [SHORT]))


@pytest.mark.parametrize("token", ["<reward>", "ab", "<end><end>"])
@pytest.mark.parametrize("field", ["reward_token", "step_token"])
def test_a_token_that_the_model_does_not_know_is_refused(spec: RegressorSpec, field: str, token: str) -> None:
    with pytest.raises(ValueError, match=rf"{field} '{token}' is \d+ tokens of the model's tokeniser, not one"):
        single_token(Regressor(spec)._tokenize, token, field)


@pytest.fixture(scope="module")
def process_model(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model with two labels for each token."""
    torch.manual_seed(6)
    folder = tmp_path_factory.mktemp("process") / "safetensors"
    config = transformers.LlamaConfig.from_pretrained(model, num_labels=2)
    transformers.LlamaForTokenClassification(config).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("how", ["min", "product", "last"])
@pytest.mark.parametrize("tokens", [1, 8192])
def test_a_process_reward_model_scores_each_step(
    spec: RegressorSpec, process_model: Path, how: Any, tokens: int
) -> None:
    fields = {"path": str(process_model), "step_token": "<end>", "step_scores": how, "max_batch_tokens": tokens}
    engine = Regressor(spec.model_copy(update=fields))
    engine.tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }};{% endfor %}"
    asked = [
        JUDGE.model_copy(update={"inputs": {"question": QUESTION, "solution": text}})
        for text in ("3 + 4 = 7\n\n#### 7", "3 + 4 = 7\nSo it is 7.\n#### 7", "7")
    ]
    ids = engine._encode(asked[1])
    assert engine.tokenizer.decode(ids).endswith("3 + 4 = 7<end>So it is 7.<end>#### 7<end>;")
    with torch.inference_mode():
        right = engine.model(input_ids=torch.tensor([ids])).logits[0].softmax(-1)[:, 1]
    steps = [float(right[place]) for place, token in enumerate(ids) if token == 256]
    expected = {"min": min(steps), "product": math.prod(steps), "last": steps[-1]}[how]
    assert len(steps) == 3 and score(engine, asked)[1] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("solution", ["", "  \n\n ", "one<end>two"])
def test_a_text_whose_steps_cannot_be_read_fails_alone(spec: RegressorSpec, process_model: Path, solution: str) -> None:
    fields = {"path": str(process_model), "step_token": "<end>", "step_scores": "min"}
    engine = Regressor(spec.model_copy(update=fields))
    engine.tokenizer.chat_template = "{% for m in messages %}{{ m.content }};{% endfor %}"
    odd = JUDGE.model_copy(update={"inputs": {"question": QUESTION, "solution": solution}})
    replies = {r.row_id: reply for r, reply in engine.score([Request("0", odd, (1,)), Request("1", JUDGE, (1,))])}
    assert isinstance(replies["0"], Failure) and replies["0"].reason == "no step scores"
    assert not isinstance(replies["1"], Failure)


OWN_CODE = """
import torch
from transformers import LlamaConfig, LlamaModel, LlamaPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutputWithPast

class OwnConfig(LlamaConfig):
    model_type = "own_reward"

class OwnReward(LlamaPreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.model, self.v_head = LlamaModel(config), torch.nn.Linear(config.hidden_size, 1, bias=False)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, **_):
        values = self.v_head(self.model(input_ids=input_ids, attention_mask=attention_mask)[0]).squeeze(-1)
        ends = attention_mask.cumsum(dim=1).argmax(dim=1).view(-1, 1)
        return SequenceClassifierOutputWithPast(logits=torch.gather(values, 1, ends))
"""


def test_code_that_comes_with_a_model_runs_only_if_it_is_trusted(
    spec: RegressorSpec, model: Path, tmp_path: Path
) -> None:
    """A model of the form of InternLM2's: its class is offered as `AutoModel`, and reads the last token's value."""
    shutil.copytree(model, own := tmp_path / "own_reward")
    (own / "own_reward.py").write_text(OWN_CODE)
    config = json.loads((own / "config.json").read_text())
    classes = {"AutoConfig": "own_reward.OwnConfig", "AutoModel": "own_reward.OwnReward"}
    config |= {"model_type": "own_reward", "architectures": ["OwnReward"], "auto_map": classes}
    (own / "config.json").write_text(json.dumps(config))
    weights = load_file(own / "model.safetensors")
    weights["v_head.weight"] = weights.pop("score.weight")
    save_file(weights, own / "model.safetensors", metadata={"format": "pt"})
    untrusted = spec.model_copy(update={"path": str(own)})
    with pytest.raises(ValueError, match=r"read the code .* then set trust_remote_code = true"):
        Regressor(untrusted)
    trusted = Regressor(untrusted.model_copy(update={"trust_remote_code": True}))
    assert score(trusted, questions(5)) == pytest.approx(score(Regressor(spec), questions(5)), abs=1e-5)


@pytest.mark.parametrize("path", ["", "nowhere"])
def test_a_missing_model_is_one_clear_line(spec: RegressorSpec, tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="no model in") as caught:
        engines.pin_model(spec.model_copy(update={"path": path and str(tmp_path / path)}))
    assert "\n" not in str(caught.value)
