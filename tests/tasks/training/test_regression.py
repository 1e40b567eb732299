"""A scalar head learns fail rates, plays as a scorer, and continues after a kill."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("trl", reason="needs the extra `train`")

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from infra.engines.regressor import Regressor
from schemas.engine_specs import RegressorSpec
from schemas.steps import TrainingJob
from tasks.questions.difficulty import ScoreDifficulty
from tasks.training.common import find_last_checkpoint
from tasks.training.config import TrainDifficultyModel
from tasks.training.regression import spearman

pytestmark = pytest.mark.train
STEP = TrainDifficultyModel(
    learning_rate=3e-3,
    batch=8,
    micro_batch=4,
    epochs=8,
    max_tokens=32,
    held_out=0.25,
    prompt_prefix="Read:",
    prompt_suffix=" !",
    threads=1,
)
Questions = list[dict[str, object]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained language model whose tokens are bytes, with an opening token of its own and none to pad with."""
    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("base") / "safetensors"
    config = LlamaConfig(
        vocab_size=258, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=64, bos_token_id=256, eos_token_id=257,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    alphabet = {sign: number for number, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    words = Tokenizer(models.BPE(vocab={**alphabet, "<begin>": 256, "<end>": 257}, merges=[]))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.post_processor = processors.TemplateProcessing(single="<begin> $A", special_tokens=[("<begin>", 256)])
    fast = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<begin>", eos_token="<end>")
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def rows() -> Questions:
    """Questions that are hard where they say so."""
    random = Random(4)
    made: Questions = []
    for _ in range(160):
        hard = random.random() < 0.5
        made.append(
            {"question": f"{random.randrange(100)} {'**' if hard else '+'} 2?", "fail_rate": 0.9 if hard else 0.1}
        )
    return made


def tables(rows: Questions) -> dict[str, Iterator[pa.RecordBatch]]:
    halves = (rows[: len(rows) // 2], rows[len(rows) // 2 :])
    return {"difficulty": iter([pa.RecordBatch.from_pylist(half) for half in halves])}


def make_job(
    rows: Questions, base: Path, folder: Path, report: Callable[[str], None] = lambda line: None
) -> TrainingJob:
    return TrainingJob(tables(rows), base, folder / "out", folder / "checkpoints", report)


@pytest.fixture(scope="module")
def trained(base: Path, rows: Questions, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    folder = tmp_path_factory.mktemp("trained")
    told: list[str] = []
    measured = STEP.fit(make_job(rows, base, folder, told.append))
    assert told[-1].startswith("step 120/120  squared error 0.0")
    return folder / "out" / "safetensors", measured


def test_a_head_learns_what_makes_a_question_hard(trained: tuple[Path, dict[str, float]]) -> None:
    _, measured = trained
    assert (measured["questions"], measured["held_out"], measured["left_out"]) == (120, 40, 0)
    assert measured["loss"] < measured["first_loss"]
    assert measured["held_out_mse"] < 0.1 * measured["mean_mse"] and measured["held_out_spearman"] > 0.8


def test_the_trained_model_scores_questions_as_its_training_read_them(
    trained: tuple[Path, dict[str, float]], rows: Questions
) -> None:
    engine = Regressor(RegressorSpec(kind="regressor", path=str(trained[0])))
    stage = ScoreDifficulty()
    asked = [{"row_id": str(i), **row} for i, row in enumerate(rows)]
    read = engine._encode(stage.prompt(asked[0]))
    tokens = "".join(engine.tokenizer.convert_ids_to_tokens(read))
    assert tokens == f"<begin>Read:{rows[0]['question']} !".replace(" ", "\u0120")  # how bytes spell a blank
    scores = [outcome["fail_rate"] for outcome in stage.rows(asked, engine)]  # type: ignore[index]
    assert max(abs(score - row["fail_rate"]) for score, row in zip(scores, rows, strict=True)) < 0.25  # type: ignore[operator]


def test_a_killed_training_continues_from_its_last_checkpoint(base: Path, rows: Questions, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(line: str) -> None:
        if line.startswith("step 20/"):
            raise Killed

    step, told = STEP.model_copy(update={"epochs": 2.0, "save_every": 10}), list[str]()
    whole = step.fit(make_job(rows, base, tmp_path / "whole"))
    with pytest.raises(Killed):
        step.fit(make_job(rows, base, tmp_path / "killed", kill))
    assert find_last_checkpoint(tmp_path / "killed" / "checkpoints").name == "checkpoint-10"
    again = step.fit(make_job(rows, base, tmp_path / "killed", told.append))
    assert [line.partition("/")[0] for line in told] == ["continues from checkpoint-10", "step 20", "step 30"]
    assert again["held_out_mse"] == pytest.approx(whole["held_out_mse"], rel=1e-3)


def test_questions_that_are_too_long_are_left_out_and_counted(base: Path, rows: Questions, tmp_path: Path) -> None:
    long: Questions = [{"question": "1 + 1? " * 20, "fail_rate": 0.5}] * 3
    step = STEP.model_copy(update={"epochs": 1.0, "held_out": 0.0})
    measured = step.fit(make_job(rows + long, base, tmp_path))
    assert measured["left_out"] == 3 and "held_out_mse" not in measured
    with pytest.raises(
        ValueError, match="of 3 questions 0 have at most 32 tokens, and 0 are held out; raise max_tokens"
    ):
        step.fit(make_job(long, base, tmp_path / "none"))


def test_ranks_are_shared_among_equal_values() -> None:
    assert spearman([1, 2, 3], [10, 20, 40]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 1, 2, 2], [0, 1, 1, 2]) == pytest.approx(0.7071, abs=1e-4)
    assert spearman([1, 1, 1], [1, 2, 3]) == spearman([], []) == 0.0
