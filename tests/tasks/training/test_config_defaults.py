"""Trainings of a questioner: what they are unless told otherwise, and what is part of their identity."""

import pytest
from pydantic import ValidationError

from schemas.identity import fingerprint
from tasks.training.config import QuestionFineTuning, QuestionPreferenceOptimization


def test_the_defaults_are_those_of_the_paper() -> None:
    qft, qpo = QuestionFineTuning(), QuestionPreferenceOptimization()
    assert (qft.learning_rate, qft.warmup, qft.epochs, qft.batch * qft.max_tokens) == (2e-5, 0.03, 1.0, 32 * 256)
    assert (qpo.learning_rate, qpo.warmup, qpo.beta, qpo.batch, qpo.held_out) == (5e-7, 20, 0.1, 128, 100)


def test_only_what_says_where_is_no_part_of_the_identity() -> None:
    where = {
        "micro_batch": 2,
        "threads": 3,
        "save_every": 9,
        "gpus": 4,
        "launch_options": ("--mixed_precision", "bf16"),
    }
    assert fingerprint(QuestionFineTuning(**where)) == fingerprint(QuestionFineTuning())
    assert fingerprint(QuestionFineTuning(learning_rate=1e-4)) != fingerprint(QuestionFineTuning())


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"a batch of 8 is no multiple of micro x gpus \(1 x 3\)"):
        QuestionFineTuning(gpus=3)
