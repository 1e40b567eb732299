"""What all trainings share: loading a model, the trainer's arguments, checkpoints, progress and export."""

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
    """Questions and replies in a model's own format, which stays as it is."""

    end_token: int
    """Token that ends a reply."""

    def save_tokenizer(self, tokenizer: Any, folder: Path) -> None:
        """Write the tokeniser as it was."""
        tokenizer.save_pretrained(folder)


def require_examples(examples: list[Any], what: str, total: int, max_tokens: int) -> None:
    if not examples:
        raise ValueError(
            f"no {what} to train on: of {total:,} none has at most {max_tokens} tokens; raise max_tokens, or give more"
        )


def read_rows(job: TrainingJob, table: str) -> Iterator[Row]:
    """Rows of one of the job's tables."""
    return (row for batch in job.tables[table] for row in batch.to_pylist())


def set_up_torch(step: FineTuning) -> None:
    """Threads as the step says; what is all but zero is zero, for it slows a CPU down."""
    if step.threads:
        torch.set_num_threads(step.threads)
    torch.set_flush_denormal(True)


def load_base(step: FineTuning, base: Path) -> tuple[Any, Any, QuestionFormat]:
    """Model, tokeniser and bare format of the base."""
    set_up_torch(step)
    tokenizer = AutoTokenizer.from_pretrained(base)
    question_format = read_question_format(tokenizer)
    model = load_model(base)
    model.config.eos_token_id = question_format.end_token
    return model, tokenizer, question_format


def load_model(base: Path, kind: Any = AutoModelForCausalLM, **options: Any) -> Any:
    """In full precision: steps of 5e-7 are lost in the 8 bits of a bfloat16. On a GPU the passes are in bfloat16."""
    return kind.from_pretrained(base, dtype=torch.float32, **options)


def trainer_arguments(step: FineTuning, checkpoints: Path) -> dict[str, Any]:
    """Of `transformers.TrainingArguments` and what extends it."""
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
    """Tells the progress in lines of our own."""

    def __init__(self, report: Callable[[str], None], loss_name: str) -> None:
        self.report, self.loss_name = report, loss_name

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs and state.is_world_process_zero:
            self.report(f"step {state.global_step}/{state.max_steps}  {self.loss_name} {float(logs['loss']):.4f}")


def run_trainer(trainer: Any, job: TrainingJob, loss_name: str = "loss") -> dict[str, float]:
    """Train to the end, from the last whole checkpoint where there is one."""
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
    """The newest whole checkpoint. A kill may leave half of one: its state is written last, and so tells."""
    folders = sorted(checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    return next((path for path in folders if _is_complete(path / "trainer_state.json")), None)


def _is_complete(state: Path) -> bool:
    try:
        json.loads(state.read_text())
    except (OSError, ValueError):
        return False
    return True


def gather_weights(trainer: Any, job: TrainingJob) -> Path | None:
    """The trained model in full precision, for the process that writes it out; None for the others."""
    folder = job.checkpoints / "whole"
    trainer.save_model(str(folder))  # every process takes part where each holds a piece
    return folder if trainer.is_world_process_zero() else None


def export_weights(
    trainer: Any, tokenizer: Any, token_format: QuestionFormat | UnchangedFormat, job: TrainingJob
) -> None:
    """Write the model in bfloat16, and as int8 where the base has that form beside it."""
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
