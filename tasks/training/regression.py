"""Trains a scalar head on the fail rates of questions, with transformers."""

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments, set_seed

from schemas.chat_templates import quote
from schemas.outcomes import Row
from schemas.steps import TrainingJob
from tasks.training.common import gather_weights, load_model, read_rows, run_trainer, set_up_torch, trainer_arguments
from tasks.training.config import TrainDifficultyModel

TokenizedQuestion = dict[str, Any]
"""`input_ids`, the token ids of a question, and `labels`, its fail rate in [0, 1]."""


class _RegressionTrainer(Trainer):
    """Trains on the squared error of the value after a sigmoid: a fail rate is always between 0 and 1."""

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
        rates = inputs.pop("labels")
        values = model(**inputs).logits[:, 0].float().sigmoid()
        return torch.nn.functional.mse_loss(values, rates)


def train_on_fail_rates(step: TrainDifficultyModel, job: TrainingJob) -> dict[str, float]:
    """Train a scalar head on the fail rates of questions.

    Returns steps and losses; for the questions held out, `held_out_mse`, `mean_mse` (the error of always predicting
    their mean) and `held_out_spearman`; and how many questions were trained on, held out and left out as too long.
    """
    set_up_torch(step)
    tokenizer, chat_template = _load_tokenizer(step, job.base)
    examples = [_tokenize_question(tokenizer, chat_template, row) for row in read_rows(job, "difficulty")]
    fitting = [example for example in examples if len(example["input_ids"]) <= step.max_tokens]
    Random(step.seed).shuffle(fitting)
    held_out_count = step.count_held_out(len(fitting))
    held_out, train = fitting[:held_out_count], fitting[held_out_count:]
    if not train:
        raise ValueError(
            f"nothing to train on: of {len(examples):,} questions {len(fitting):,} have at most "
            f"{step.max_tokens} tokens, "
            f"and {held_out_count:,} are held out; raise max_tokens, lower held_out or give more questions"
        )
    set_seed(step.seed)  # for the initial weights of the head
    model = _load_regressor(job.base, tokenizer)
    trainer = _RegressionTrainer(
        model,
        TrainingArguments(**trainer_arguments(step, job.checkpoints)),
        train_dataset=train,
        data_collator=lambda batch: _pad_batch(batch, model.config.pad_token_id),
    )
    trainer.model_accepts_loss_kwargs = False  # else it takes our mean for a sum when it accumulates gradients
    measures = run_trainer(trainer, job, "squared error") | {
        "questions": float(len(train)),
        "held_out": float(len(held_out)),
        "left_out": float(len(examples) - len(fitting)),
    }
    return measures | _export_and_measure(trainer, tokenizer, held_out, job)


def spearman(left: ArrayLike, right: ArrayLike) -> float:
    """Spearman's rank correlation of two arrays (n,), in [-1, 1]. Ties share the mean of their ranks.

    Returns 0 if all values of one array are equal.
    """
    ranks = [_average_ranks(np.asarray(each, float)) for each in (left, right)]
    return float(np.corrcoef(*ranks)[0, 1]) if all(each.size and np.ptp(each) for each in ranks) else 0.0


def _average_ranks(values: Any) -> Any:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def _load_tokenizer(step: TrainDifficultyModel, base: Path) -> tuple[Any, str]:
    """The tokeniser of the base, and a chat template that puts prefix and suffix around a question.

    Engines apply the template, so that a model that is loaded later reads questions in the same form.
    """
    tokenizer = AutoTokenizer.from_pretrained(base)
    adds_bos = tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    before = (tokenizer.bos_token if adds_bos else "") + step.prompt_prefix
    chat_template = f"{{{{ {quote(before)} + messages[-1]['content'] + {quote(step.prompt_suffix)} }}}}"
    tokenizer.chat_template = chat_template
    return tokenizer, chat_template


def _tokenize_question(tokenizer: Any, template: str, row: Row) -> TokenizedQuestion:
    messages = [{"role": "user", "content": row["question"]}]
    text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
    return {"input_ids": tokenizer(text, add_special_tokens=False)["input_ids"], "labels": row["fail_rate"]}


def _load_regressor(base: Path, tokenizer: Any) -> Any:
    """Load the base with a head of one label: its own, or else a new one with random weights."""
    model = load_model(base, AutoModelForSequenceClassification, num_labels=1)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = (
            tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        )
    return model


def _pad_batch(batch: list[TokenizedQuestion], pad: int) -> dict[str, torch.Tensor]:
    """Pad to the right: `input_ids` and `attention_mask` (questions, tokens) int64, `labels` (questions,) float32.

    The head reads the last token that is not padding.
    """
    width = max(len(example["input_ids"]) for example in batch)
    ids = [example["input_ids"] + [pad] * (width - len(example["input_ids"])) for example in batch]
    attention = [[1] * len(e["input_ids"]) + [0] * (width - len(e["input_ids"])) for e in batch]
    rates = torch.tensor([example["labels"] for example in batch], dtype=torch.float32)
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(attention), "labels": rates}


def _export_and_measure(
    trainer: Trainer, tokenizer: Any, held_out: list[TokenizedQuestion], job: TrainingJob
) -> dict[str, float]:
    """Write the model in bfloat16, and measure it with the weights as written."""
    if (full_precision := gather_weights(trainer, job)) is None:
        return {}
    model = _load_regressor(full_precision, tokenizer).to(torch.bfloat16)
    safetensors = job.out / "safetensors"
    model.save_pretrained(safetensors)
    tokenizer.save_pretrained(safetensors)
    return _measure(model, held_out)


def _measure(model: Any, held_out: list[TokenizedQuestion]) -> dict[str, float]:
    """Measure the predictions on the questions held out: errors and rank correlation."""
    if not held_out:
        return {}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = (model if device == "cuda" else model.float()).to(device).eval()
    values = list[float]()
    for start in range(0, len(held_out), 16):
        batch = _pad_batch(held_out[start : start + 16], model.config.pad_token_id)
        model_inputs = {name: batch[name].to(device) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            values += model(**model_inputs).logits[:, 0].float().sigmoid().tolist()
    rates = np.array([example["labels"] for example in held_out])
    return {
        "held_out_mse": float(np.mean((np.array(values) - rates) ** 2)),
        "mean_mse": float(np.var(rates)),
        "held_out_spearman": spearman(values, rates),
    }
