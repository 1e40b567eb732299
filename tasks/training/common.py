"""What all trainings share: loading a model, the trainer's arguments, checkpoints, progress and export."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback

from tasks.training.question_format import Bare, bare

if TYPE_CHECKING:
    from tasks.training.config import Tuning
from tasks.training.ctranslate2_export import _convert

Report = Callable[[str], None]


class Folders(NamedTuple):
    """Where a training reads and writes."""

    base: Path
    out: Path
    checkpoints: Path


class Turns(NamedTuple):
    """Questions and replies in a model's own format, which stays as it is."""

    end: int
    """Token that ends a reply."""

    def write(self, words: Any, folder: Path) -> None:
        """Write the tokeniser as it was."""
        words.save_pretrained(folder)


def _some(fitting: list[Any], what: str, of: int, length: int) -> None:
    if not fitting:
        raise ValueError(
            f"no {what} to train on: of {of:,} none has at most {length} tokens; raise length, or give more"
        )


def _load(step: "Tuning", base: Path) -> tuple[Any, Any, Bare]:
    """Model, tokeniser and bare format of the base."""
    if step.threads:
        torch.set_num_threads(step.threads)
    torch.set_flush_denormal(True)
    words = AutoTokenizer.from_pretrained(base)
    form = bare(words)
    model = _model(base)
    model.config.eos_token_id = form.end
    return model, words, form


def _model(base: Path) -> Any:
    """In full precision: steps of 5e-7 are lost in the 8 bits of a bfloat16. On a GPU the passes are in bfloat16."""
    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)


def _arguments(step: "Tuning", checkpoints: Path) -> dict[str, Any]:
    gpu = torch.cuda.is_available()
    return {
        "output_dir": str(checkpoints),
        "learning_rate": step.rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": step.warmup,
        "weight_decay": step.weight_decay,
        "num_train_epochs": step.epochs,
        "per_device_train_batch_size": step.micro,
        "gradient_accumulation_steps": step.batch // (step.micro * step.gpus),
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


class _Teller(TrainerCallback):
    """Tells the progress in lines of our own."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs and state.is_world_process_zero:
            self.report(f"step {state.global_step}/{state.max_steps}  loss {float(logs['loss']):.4f}")


def _run(trainer: Any, checkpoints: Path, report: Report) -> dict[str, float]:
    """Train to the end, from the last whole checkpoint where there is one."""
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_Teller(report))
    last = last_checkpoint(checkpoints)
    if last is not None:
        report(f"continues from {last.name}")
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    losses = [float(each["loss"]) for each in trainer.state.log_history if "loss" in each]
    return {
        "steps": float(trainer.state.global_step),
        "first_loss": losses[0] if losses else 0.0,
        "loss": sum(losses[-3:]) / max(1, len(losses[-3:])),
    }


def last_checkpoint(checkpoints: Path) -> Path | None:
    """The newest whole checkpoint. A kill may leave half of one: its state is written last, and so tells."""
    found = sorted(checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    return next((path for path in found if _whole(path / "trainer_state.json")), None)


def _whole(state: Path) -> bool:
    try:
        json.loads(state.read_text())
    except (OSError, ValueError):
        return False
    return True


def _export(trainer: Any, words: Any, form: Bare | Turns, folders: Folders) -> None:
    """Write the model in bfloat16, and as int8 where the base has that form beside it."""
    whole = folders.checkpoints / "whole"
    trainer.save_model(str(whole))  # every process takes part where each holds a piece
    if not trainer.is_world_process_zero():
        return
    model = AutoModelForCausalLM.from_pretrained(whole, dtype=torch.bfloat16)
    given = model.generation_config.eos_token_id
    others = given if isinstance(given, list) else [given]
    model.generation_config.eos_token_id = list(dict.fromkeys([form.end, *(i for i in others if i is not None)]))
    model.config.use_cache = True
    plain = folders.out / "safetensors"
    model.save_pretrained(plain)
    form.write(words, plain)
    if (folders.base.parent / "int8").is_dir():
        _convert(plain, folders.out / "int8", words)
