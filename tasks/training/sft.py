"""The trainings of `config.py` and `student.py` in terms of trl: everything that imports torch."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from schemas.work import Row
from tasks.training.question_format import Bare, bare

if TYPE_CHECKING:
    from tasks.training.config import PreferQuestions, TuneQuestioner, Tuning
    from tasks.training.student import TuneStudent

Report = Callable[[str], None]

COPIED = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
"""What the engine of converted models reads of a tokeniser."""


class Folders(NamedTuple):
    """Where a training reads and writes."""

    base: Path
    out: Path
    checkpoints: Path


def tune(step: "TuneQuestioner", texts: Iterable[str], folders: Folders, report: Report) -> dict[str, float]:
    """Train on questions alone; every token counts for the loss, the constant prefix too, as in the authors' code."""
    model, words, form = _load(step, folders.base)
    opening = form.opening(words)
    encoded = [opening + form.question(words, text) for text in texts]
    fitting = [ids for ids in encoded if len(ids) <= step.length]
    _some(fitting, "questions", len(encoded), step.length)
    trainer = SFTTrainer(
        model,
        SFTConfig(
            **_arguments(step, folders.checkpoints), packing=True, packing_strategy="bfd", max_length=step.length
        ),
        train_dataset=Dataset.from_dict({"input_ids": fitting, "labels": fitting}),
        processing_class=words,
    )
    measured = _run(trainer, folders.checkpoints, report)
    _export(trainer, words, form, folders)
    return {**measured, "questions": len(fitting), "left_out": len(encoded) - len(fitting)}


IGNORED = -100
"""Label of a token that is read and not learnt."""


class Turns(NamedTuple):
    """Questions and replies in a model's own format, which stays as it is."""

    end: int
    """Token that ends a reply."""

    def write(self, words: Any, folder: Path) -> None:
        """Write the tokeniser as it was."""
        words.save_pretrained(folder)


def imitate(step: "TuneStudent", rows: Iterable[Row], folders: Folders, report: Report) -> dict[str, float]:
    """Train on replies to questions, as many tokens as the step's budget; only replies are learnt."""
    model, words, _ = _load(step, folders.base)
    if words.eos_token_id is None:
        raise ValueError(f"the tokenizer of {folders.base} names no token that ends a reply (eos_token)")
    model.config.eos_token_id = words.eos_token_id
    encoded = [_example(step, words, row) for row in rows]
    fitting = [each for each in encoded if len(each["input_ids"]) <= step.length]
    _some(fitting, "examples", len(encoded), step.length)
    chosen, order = list[dict[str, list[int]]](), Random(step.seed)
    while (left := step.tokens - sum(len(each["input_ids"]) for each in chosen)) > 0:
        for each in order.sample(fitting, len(fitting)):
            if left > 0:
                chosen.append(each)
                left -= len(each["input_ids"])
    trainer = SFTTrainer(
        model,
        SFTConfig(**_arguments(step, folders.checkpoints), max_length=step.length),
        train_dataset=Dataset.from_list(chosen),
        processing_class=words,
    )
    measured = _run(trainer, folders.checkpoints, report)
    _export(trainer, words, Turns(words.eos_token_id), folders)
    return {**measured, "examples": len(fitting), "read": len(chosen), "left_out": len(encoded) - len(fitting)}


def _example(step: "TuneStudent", words: Any, row: Row) -> dict[str, list[int]]:
    """Prompt, reply and end; prompt and reply are tokenised apart, as when the model is asked."""
    prompt, text = step.asked.prompt(row), row["text"]
    if words.chat_template:
        asked = words.apply_chat_template(prompt.messages(), add_generation_prompt=True, return_dict=False)
    else:
        asked = words(prompt.tagged(), add_special_tokens=False)["input_ids"]
    reply = words(text, add_special_tokens=False, return_offsets_mapping=True)
    spans = zip(reply["input_ids"], reply["offset_mapping"], strict=True)
    first, last = row["masked_start"], row["masked_end"]  # a token may begin with the blank before its word
    learnt = [IGNORED if first < end and start < last and start < end else token for token, (start, end) in spans]
    return {
        "input_ids": [*asked, *reply["input_ids"], words.eos_token_id],
        "labels": [*[IGNORED] * len(asked), *learnt, words.eos_token_id],
    }


class _Pairs(DPOTrainer):
    """Takes pairs that are tokens already. Of texts it makes them itself: with a second opening token where the prefix
    holds one, and with a prompt that ends wherever the tokens of prompt and pair part."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset


def prefer(step: "PreferQuestions", pairs: Iterable[Row], folders: Folders, report: Report) -> dict[str, float]:
    """Train on pairs by DPO; the reference is the base, and its log-probabilities are computed once."""
    model, words, form = _load(step, folders.base)
    encoded = [_pair(words, form, pair) for pair in pairs]
    longest = step.length - len(form.opening(words))
    fitting = [pair for pair in encoded if max(len(pair["chosen_ids"]), len(pair["rejected_ids"])) <= longest]
    Random(step.seed).shuffle(fitting)
    held, train = fitting[: step.held_out], fitting[step.held_out :]
    _some(train, "pairs, held out ones aside,", len(encoded), step.length)
    arguments = DPOConfig(
        **_arguments(step, folders.checkpoints),
        beta=step.beta,
        loss_type=["sigmoid", "sft"] if step.anchor else ["sigmoid"],
        loss_weights=[1.0, step.anchor] if step.anchor else None,
        max_length=step.length,
        # Its file of log-probabilities is one process's own; without it, each process holds the reference as well.
        precompute_ref_log_probs=step.gpus == 1,
        per_device_eval_batch_size=1,  # what is measured is a mean over batches
    )
    trainer = _Pairs(
        model,
        None if step.gpus == 1 else _model(folders.base),
        arguments,
        train_dataset=Dataset.from_list(train),
        eval_dataset=Dataset.from_list(held) if held else None,
        processing_class=words,
    )
    measured = _run(trainer, folders.checkpoints, report)
    if held:
        measured["held_out_accuracy"] = float(trainer.evaluate()["eval_rewards/accuracies"])
    _export(trainer, words, form, folders)
    return {**measured, "pairs": len(train), "left_out": len(encoded) - len(fitting)}


def _pair(words: Any, form: Bare, pair: Row) -> dict[str, list[int]]:
    """Both questions end as the model was taught to end one; the prompt is the bare prefix and what the pair adds."""
    return {
        "prompt_ids": form.opening(words) + (form.question(words, pair["prompt"])[:-1] if pair["prompt"] else []),
        "chosen_ids": form.question(words, pair["chosen"]),
        "rejected_ids": form.question(words, pair["rejected"]),
    }


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


def _convert(plain: Path, quick: Path, words: Any) -> None:
    from ctranslate2.converters import TransformersConverter

    copied = [name for name in COPIED if (plain / name).is_file()]
    TransformersConverter(str(plain), copy_files=copied).convert(str(quick), quantization="int8")
    config = json.loads((quick / "config.json").read_text())
    # A model without an opening token still needs a name for one: the loader insists.
    ends = {"bos_token": words.bos_token or words.eos_token, "eos_token": words.eos_token}
    ends["unk_token"] = words.unk_token or words.eos_token
    (quick / "config.json").write_text(json.dumps({**config, **ends}, indent=2) + "\n")
