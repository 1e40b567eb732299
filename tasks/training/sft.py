"""Supervised fine-tuning with trl: of questioners on questions, and of students on replies."""

from random import Random
from typing import Any

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from schemas.chat_templates import choose_layout, write_template_date
from schemas.outcomes import Row
from schemas.steps import TrainingJob
from tasks.training.common import (
    UnchangedFormat,
    export_weights,
    load_base,
    read_rows,
    require_examples,
    run_trainer,
    trainer_arguments,
)
from tasks.training.config import QuestionFineTuning
from tasks.training.student import StudentFineTuning


def train_on_questions(step: QuestionFineTuning, job: TrainingJob) -> dict[str, float]:
    """Train on questions alone. All tokens count for the loss, even the constant prefix, as in the authors' code.

    Returns the measures of `run_trainer`, and how many questions were trained on and left out as too long.
    """
    model, tokenizer, question_format = load_base(step, job.base)
    opening = question_format.prefix_tokens(tokenizer)
    encoded = [
        opening + question_format.question_tokens(tokenizer, row["question"]) for row in read_rows(job, "questions")
    ]
    fitting = [ids for ids in encoded if len(ids) <= step.max_tokens]
    require_examples(fitting, "questions", len(encoded), step.max_tokens)
    trainer = SFTTrainer(
        model,
        SFTConfig(
            **trainer_arguments(step, job.checkpoints), packing=True, packing_strategy="bfd", max_length=step.max_tokens
        ),
        train_dataset=Dataset.from_dict({"input_ids": fitting, "labels": fitting}),
        processing_class=tokenizer,
    )
    measures = run_trainer(trainer, job)
    export_weights(trainer, tokenizer, question_format, job)
    return {**measures, "questions": len(fitting), "left_out": len(encoded) - len(fitting)}


IGNORED_LABEL = -100
"""Label of a token that is excluded from the loss."""


def train_on_replies(step: StudentFineTuning, job: TrainingJob) -> dict[str, float]:
    """Train on replies to questions, up to the step's token budget. Only replies count for the loss.

    Returns the measures of `run_trainer`, the number of distinct `examples`, of examples `read`, and of those
    `left_out` as too long. Raises ValueError if the tokeniser has no token that ends a reply.
    """
    model, tokenizer, _ = load_base(step, job.base)
    if tokenizer.eos_token_id is None:
        raise ValueError(f"the tokenizer of {job.base} names no token that ends a reply (eos_token)")
    model.config.eos_token_id = tokenizer.eos_token_id
    encoded = [tokenize_example(step, tokenizer, row) for row in read_rows(job, "examples")]
    fitting = [each for each in encoded if len(each["input_ids"]) <= step.max_tokens]
    require_examples(fitting, "examples", len(encoded), step.max_tokens)
    chosen, order = list[dict[str, list[int]]](), Random(step.seed)
    while (left := step.token_budget - sum(len(each["input_ids"]) for each in chosen)) > 0:
        for each in order.sample(fitting, len(fitting)):
            if left > 0:
                chosen.append(each)
                left -= len(each["input_ids"])
    trainer = SFTTrainer(
        model,
        SFTConfig(**trainer_arguments(step, job.checkpoints), max_length=step.max_tokens),
        train_dataset=Dataset.from_list(chosen),
        processing_class=tokenizer,
    )
    measures = run_trainer(trainer, job)
    export_weights(trainer, tokenizer, UnchangedFormat(tokenizer.eos_token_id), job)
    return {**measures, "examples": len(fitting), "read": len(chosen), "left_out": len(encoded) - len(fitting)}


def tokenize_example(step: StudentFineTuning, tokenizer: Any, row: Row) -> dict[str, list[int]]:
    """Token ids and labels of prompt, reply and end token. Prompt and reply are tokenised separately, as in use."""
    prompt, text = step.prompt_stage.prompt(row), row["text"]
    if tokenizer.chat_template:
        options = {"add_generation_prompt": True, "strftime_now": write_template_date}
        layout, _ = choose_layout(lambda turns: tokenizer.apply_chat_template(turns, tokenize=False, **options), prompt)
        prompt_tokens = tokenizer.apply_chat_template(prompt.to_messages(layout), return_dict=False, **options)
    else:
        prompt_tokens = tokenizer(prompt.to_tagged_text(), add_special_tokens=False)["input_ids"]
    reply = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    spans = zip(reply["input_ids"], reply["offset_mapping"], strict=True)
    first, last = row["masked_start"], row["masked_end"]  # a token may begin with the blank before its word
    learnt = [IGNORED_LABEL if first < end and start < last and start < end else token for token, (start, end) in spans]
    return {
        "input_ids": [*prompt_tokens, *reply["input_ids"], tokenizer.eos_token_id],
        "labels": [*[IGNORED_LABEL] * len(prompt_tokens), *learnt, tokenizer.eos_token_id],
    }
