"""Trainings of a questioner: what they are unless told otherwise, and what is part of their identity."""

import ast
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.identity import fingerprint
from schemas.steps import TrainingStep
from tasks.training.config import QuestionFineTuning, QuestionPreferenceOptimization
from tests.support.steps import ROOT, find_steps


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
    with pytest.raises(ValidationError, match=r"a batch of 8 is no multiple of micro_batch x gpus \(1 x 3\)"):
        QuestionFineTuning(gpus=3)


def test_every_training_names_a_function_that_is_there() -> None:
    """Read, not imported: it may need torch."""
    for kind in find_steps():
        if issubclass(kind, TrainingStep) and hasattr(kind, "trainer"):
            module, _, name = kind.trainer.partition(":")
            tree = ast.parse(Path(ROOT, *module.split(".")).with_suffix(".py").read_text())
            assert name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)], kind
