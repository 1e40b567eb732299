"""Direct preference optimisation of a questioner (QPO), by trl."""

from random import Random
from typing import Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from schemas.outcomes import Row
from schemas.steps import TrainingJob
from tasks.training.common import (
    export_weights,
    load_base,
    load_model,
    read_rows,
    require_examples,
    run_trainer,
    trainer_arguments,
)
from tasks.training.config import QuestionPreferenceOptimization
from tasks.training.question_format import QuestionFormat


class _TokenizedPairsTrainer(DPOTrainer):
    """Takes pairs that are tokens already. Of texts it makes them itself: with a second opening token where the prefix
    holds one, and with a prompt that ends wherever the tokens of prompt and pair part."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset


def train_on_preferences(step: QuestionPreferenceOptimization, job: TrainingJob) -> dict[str, float]:
    """Train on pairs by DPO; the reference is the base, and its log-probabilities are computed once."""
    model, tokenizer, question_format = load_base(step, job.base)
    encoded = [_tokenize_pair(tokenizer, question_format, pair) for pair in read_rows(job, "pairs")]
    longest = step.max_tokens - len(question_format.prefix_tokens(tokenizer))
    fitting = [pair for pair in encoded if max(len(pair["chosen_ids"]), len(pair["rejected_ids"])) <= longest]
    Random(step.seed).shuffle(fitting)
    held_out, train = fitting[: step.held_out], fitting[step.held_out :]
    require_examples(train, "pairs, held out ones aside,", len(encoded), step.max_tokens)
    arguments = DPOConfig(
        **trainer_arguments(step, job.checkpoints),
        beta=step.beta,
        loss_type=["sigmoid", "sft"] if step.sft_weight else ["sigmoid"],
        loss_weights=[1.0, step.sft_weight] if step.sft_weight else None,
        max_length=step.max_tokens,
        # Its file of log-probabilities is one process's own; without it, each process holds the reference as well.
        precompute_ref_log_probs=step.gpus == 1,
        per_device_eval_batch_size=1,  # what is measured is a mean over batches
    )
    trainer = _TokenizedPairsTrainer(
        model,
        None if step.gpus == 1 else load_model(job.base),
        arguments,
        train_dataset=Dataset.from_list(train),
        eval_dataset=Dataset.from_list(held_out) if held_out else None,
        processing_class=tokenizer,
    )
    measures = run_trainer(trainer, job)
    if held_out:
        measures["held_out_accuracy"] = float(trainer.evaluate()["eval_rewards/accuracies"])
    export_weights(trainer, tokenizer, question_format, job)
    return {**measures, "pairs": len(train), "left_out": len(encoded) - len(fitting)}


def _tokenize_pair(tokenizer: Any, question_format: QuestionFormat, pair: Row) -> dict[str, list[int]]:
    """Both questions end as the model was taught to end one; the prompt is the bare prefix and what the pair adds."""
    return {
        "prompt_ids": question_format.prefix_tokens(tokenizer)
        + (question_format.question_tokens(tokenizer, pair["prompt"])[:-1] if pair["prompt"] else []),
        "chosen_ids": question_format.question_tokens(tokenizer, pair["chosen"]),
        "rejected_ids": question_format.question_tokens(tokenizer, pair["rejected"]),
    }
