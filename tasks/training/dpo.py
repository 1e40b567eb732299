"""Direct preference optimisation of a questioner (QPO), by trl."""

from collections.abc import Iterable
from random import Random
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from schemas.outcomes import Row
from tasks.training.question_format import Bare

if TYPE_CHECKING:
    from tasks.training.config import PreferQuestions
from tasks.training.common import Folders, Report, _arguments, _export, _load, _model, _run, _some


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
