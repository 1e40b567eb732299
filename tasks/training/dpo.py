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
    """Trains on pairs that are tokenised already. The base class would add a second opening token to a prefix that has
    one, and would end the prompt wherever the tokens of prompt and pair differ."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset


def train_on_preferences(step: QuestionPreferenceOptimization, job: TrainingJob) -> dict[str, float]:
    """Train on pairs by DPO. The reference is the base; on one GPU its log-probabilities are computed once.

    Returns the measures of `run_trainer`, `pairs` and `left_out`, and `held_out_accuracy` if pairs are held out.
    """
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
        # The file of log-probabilities belongs to one process; with several, each holds the reference model instead.
        precompute_ref_log_probs=step.gpus == 1,
        per_device_eval_batch_size=1,  # the accuracy is a mean over batches
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
    """Token ids of a pair. Both questions end with the end token; the prompt is the bare prefix and the pair's."""
    return {
        "prompt_ids": question_format.prefix_tokens(tokenizer)
        + (question_format.question_tokens(tokenizer, pair["prompt"])[:-1] if pair["prompt"] else []),
        "chosen_ids": question_format.question_tokens(tokenizer, pair["chosen"]),
        "rejected_ids": question_format.question_tokens(tokenizer, pair["rejected"]),
    }
