"""The trainings of `config.py` and `student.py` in terms of trl: everything that imports torch."""

from collections.abc import Iterable
from random import Random
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from schemas.outcomes import Row

if TYPE_CHECKING:
    from tasks.training.config import TuneQuestioner
    from tasks.training.student import TuneStudent
from tasks.training.common import Folders, Report, Turns, _arguments, _export, _load, _run, _some


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
