"""Shared by all trainings: loading a model, trainer arguments, checkpoints, progress and export."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback

from schemas.outcomes import Row
from schemas.steps import TrainingJob
from tasks.training.config import FineTuning
from tasks.training.ctranslate2_export import convert_to_int8
from tasks.training.question_format import QuestionFormat, read_question_format


class UnchangedFormat(NamedTuple):
    """The format of a model whose tokeniser and chat template stay unchanged."""

    end_token: int
    """Id of the token that ends a reply."""

    def save_tokenizer(self, tokenizer: Any, folder: Path) -> None:
        """Save the tokeniser unchanged."""
        tokenizer.save_pretrained(folder)


def require_examples(examples: list[Any], what: str, total: int, max_tokens: int) -> None:
    """Raise ValueError if none of `total` examples has at most `max_tokens` tokens."""
    if not examples:
        raise ValueError(
            f"no {what} to train on: of {total:,} none has at most {max_tokens} tokens; raise max_tokens, or give more"
        )


def read_rows(job: TrainingJob, table: str) -> Iterator[Row]:
    """The rows of one of the job's tables."""
    return (row for batch in job.tables[table] for row in batch.to_pylist())


def set_up_torch(step: FineTuning) -> None:
    """Set the number of threads, and flush denormal numbers to zero: they slow a CPU down."""
    if step.threads:
        torch.set_num_threads(step.threads)
    torch.set_flush_denormal(True)


def load_base(step: FineTuning, base: Path) -> tuple[Any, Any, QuestionFormat]:
    """Load the model, tokeniser and question format of the base."""
    set_up_torch(step)
    tokenizer = AutoTokenizer.from_pretrained(base)
    question_format = read_question_format(tokenizer)
    model = load_model(base)
    model.config.eos_token_id = question_format.end_token
    return model, tokenizer, question_format


def load_model(base: Path, kind: Any = AutoModelForCausalLM, **options: Any) -> Any:
    """Load a model in float32: updates of 5e-7 would be lost in bfloat16's 8 bits. GPUs compute passes in bfloat16."""
    return kind.from_pretrained(base, dtype=torch.float32, **options)


def trainer_arguments(step: FineTuning, checkpoints: Path) -> dict[str, Any]:
    """Arguments of `transformers.TrainingArguments` and its subclasses; batch sizes are per process."""
    gpu = torch.cuda.is_available()
    return {
        "output_dir": str(checkpoints),
        "learning_rate": step.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": step.warmup,
        "weight_decay": step.weight_decay,
        "num_train_epochs": step.epochs,
        "per_device_train_batch_size": step.micro_batch,
        "gradient_accumulation_steps": step.batch // (step.micro_batch * step.gpus),
        "seed": step.seed,
        "save_steps": step.save_every,
        "save_total_limit": 2,
        "logging_steps": min(10, step.save_every),
        "logging_first_step": True,
        "bf16": gpu,
        "gradient_checkpointing": gpu,
        "dataloader_pin_memory": gpu,
        "disable_tqdm": True,
        "report_to": "none",
    }


class _ProgressCallback(TrainerCallback):
    """Reports step and loss through the job, in place of the trainer's own output."""

    def __init__(self, report: Callable[[str], None], loss_name: str) -> None:
        self.report, self.loss_name = report, loss_name

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs and state.is_world_process_zero:
            self.report(f"step {state.global_step}/{state.max_steps}  {self.loss_name} {float(logs['loss']):.4f}")


def run_trainer(trainer: Any, job: TrainingJob, loss_name: str = "loss") -> dict[str, float]:
    """Train to the end, from the last complete checkpoint if there is one.

    Returns the number of steps, the first logged loss, and the mean of the last three.
    """
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_ProgressCallback(job.report, loss_name))
    last = find_last_checkpoint(job.checkpoints)
    if last is not None:
        job.report(f"continues from {last.name}")
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    losses = [float(each["loss"]) for each in trainer.state.log_history if "loss" in each]
    return {
        "steps": float(trainer.state.global_step),
        "first_loss": losses[0] if losses else 0.0,
        "loss": sum(losses[-3:]) / max(1, len(losses[-3:])),
    }


def find_last_checkpoint(checkpoints: Path) -> Path | None:
    """The newest complete checkpoint. A kill may leave a partial one, without the state file, which is written last."""
    folders = sorted(checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    return next((path for path in folders if _is_complete(path / "trainer_state.json")), None)


def _is_complete(state: Path) -> bool:
    try:
        json.loads(state.read_text())
    except (OSError, ValueError):
        return False
    return True


def gather_weights(trainer: Any, job: TrainingJob) -> Path | None:
    """Save the trained model in float32 and return its folder; None in processes other than the main one."""
    folder = job.checkpoints / "whole"
    trainer.save_model(str(folder))  # all processes take part, since each may hold a piece
    return folder if trainer.is_world_process_zero() else None


def export_weights(
    trainer: Any, tokenizer: Any, token_format: QuestionFormat | UnchangedFormat, job: TrainingJob
) -> None:
    """Write the model in bfloat16, and also as int8 if the base has an `int8` folder next to it."""
    if (full_precision := gather_weights(trainer, job)) is None:
        return
    model = AutoModelForCausalLM.from_pretrained(full_precision, dtype=torch.bfloat16)
    end_tokens = model.generation_config.eos_token_id
    other_ends = end_tokens if isinstance(end_tokens, list) else [end_tokens]
    model.generation_config.eos_token_id = list(
        dict.fromkeys([token_format.end_token, *(i for i in other_ends if i is not None)])
    )
    model.config.use_cache = True
    safetensors = job.out / "safetensors"
    model.save_pretrained(safetensors)
    token_format.save_tokenizer(tokenizer, safetensors)
    if (job.base.parent / "int8").is_dir():
        convert_to_int8(safetensors, job.out / "int8", tokenizer)
