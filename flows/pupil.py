"""Trains the pupil, the small model that ships with the project so that every recipe runs without a GPU."""

import json
import os
import platform
import time
from pathlib import Path
from typing import Any, ClassVar

import torch
from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from pydantic import Field, field_validator

from flows.run.progress import log_line
from infra import engines
from schemas.engine_specs import EmbeddedSpec
from schemas.identity import fingerprint
from schemas.recipe import Recipe
from tasks.proving_ground import library
from tasks.pupil.config import PupilTraining
from tasks.pupil.dataset import DatasetInfo, write_dataset
from tasks.pupil.evaluate import EvalSize, evaluate
from tasks.pupil.export import export_pupil
from tasks.pupil.mixture import make_example, weigh_tasks
from tasks.pupil.model_card import CARD_FILE, folder_megabytes, write_card
from tasks.pupil.self_training import read_self_training, write_self_training
from tasks.pupil.throughput import measure_tokens_per_second
from tasks.pupil.train import train


class Pupil(Recipe):
    """What the pupil is trained on, for how long, and where it is stored."""

    common_fields: ClassVar[tuple[str, ...]] = (
        "examples",
        "self_training",
        "upweight",
        "training.minutes",
        "training.learning_rate",
        "processes",
        "threads",
        "work_folder",
        "model_folder",
        "note",
    )

    examples: int = Field(default=360_000, ge=1)
    """Number of training examples, over all stages, drawn from the proving ground."""
    self_training: int = Field(default=0, ge=0)
    """Number of self-training examples; 0: none. They are questions and solutions of the start model, judged by the
    oracle."""
    self_training_copies: int = Field(default=2, ge=1)
    """Number of copies of each self-training example in the training data."""
    upweight: dict[str, float] = Field(default={})
    """Factors by which kinds of examples are upweighted; empty: none. Example: `'{"write_question": 2}'`, where the
    kind is one of those in `tasks/pupil/mixture.py`."""
    training: PupilTraining = PupilTraining()
    """Architecture of the model, and how it is optimised."""
    eval_size: EvalSize = EvalSize()
    """How much is measured in the evaluation after the training."""
    processes: int = Field(default=2, ge=1)
    """Number of training processes; with a GPU, always one."""
    threads: int = Field(default=1, ge=1)
    """Number of threads of each training process."""
    work_folder: str = "data/training"
    """Folder of the training examples and checkpoints. The same command continues a training that was killed."""
    model_folder: str = "data/models/pupil"
    """Folder to which the trained model is exported."""
    note: str = ""
    """Note about this training for readers of the model card; empty: none."""

    @field_validator("upweight")
    @classmethod
    def _check_task_names(cls, upweight: dict[str, float]) -> dict[str, float]:
        weigh_tasks(upweight)
        return upweight


@flow(name="pupil")
def pupil(recipe: Pupil) -> str:
    """Make examples, train, export, evaluate and write the model card, on one machine with its cores or its GPU."""
    # Length and evaluation are not in the fingerprint, so that a longer training continues the same checkpoints.
    example_specs = [tuple(make_example(i, recipe.upweight)) for i in range(200)]
    settings = (
        recipe.examples,
        recipe.self_training,
        recipe.self_training_copies,
        example_specs,
        recipe.training.resumable_fields(),
    )
    work = Path(recipe.work_folder, fingerprint(*settings)[:12])
    dataset = make_training_set(recipe, work)
    train_model(recipe, work)
    return export_and_evaluate(recipe, work, dataset)


@task(cache_policy=NO_CACHE)
def make_training_set(recipe: Pupil, work: Path) -> DatasetInfo:
    """Write the training examples, unless they exist already."""
    self_training_path = work / "own.jsonl"
    if recipe.self_training:
        int8_path = Path(recipe.training.start_model).parent / "int8"
        log_line(f"sampling self-training examples from {int8_path}")
        engine = engines.load(EmbeddedSpec(path=str(int8_path)))
        log_line(f"{write_self_training(engine, recipe.self_training, self_training_path):,} self-training examples")
        engines.unload()
    self_training_examples = (
        read_self_training(self_training_path) * recipe.self_training_copies if recipe.self_training else []
    )
    start = recipe.training.start_model
    log_line(f"writing {recipe.examples:,} examples to {work}")
    return write_dataset(
        work / "lessons",
        recipe.examples,
        processes=recipe.processes * recipe.threads,
        self_training=self_training_examples,
        upweight=recipe.upweight,
        tokenizer_file=Path(start, "tokenizer.json") if start else None,
    )


@task(cache_policy=NO_CACHE)
def train_model(recipe: Pupil, work: Path) -> None:
    """Train the model, from the last checkpoint if there is one."""
    torch.set_num_threads(recipe.threads)
    processes = 1 if torch.cuda.is_available() else recipe.processes
    train(work / "lessons", work / "checkpoints", recipe.training, processes=processes, report=log_line)


@task(cache_policy=NO_CACHE)
def export_and_evaluate(recipe: Pupil, work: Path, dataset: DatasetInfo) -> str:
    """Export the model, evaluate the exported files, and write the model card from the results."""
    target = Path(recipe.model_folder)
    _, int8_path = export_pupil(work / "checkpoints" / "latest.pt", work / "lessons", target)
    spec = EmbeddedSpec(path=str(int8_path))
    started = time.perf_counter()
    engine = engines.load(spec)
    metrics = {"load_seconds": time.perf_counter() - started, "tokens_per_second": measure_tokens_per_second(engine)}
    log_line("evaluating; this takes some minutes")
    metrics |= evaluate(engine, recipe.eval_size)
    engines.unload()
    metrics["size_megabytes"] = folder_megabytes(target)
    state = torch.load(work / "checkpoints" / "latest.pt", map_location="cpu", weights_only=False)
    write_card(target, metrics, _card_facts(recipe, dataset, state), json.loads(recipe.model_dump_json()))
    create_markdown_artifact(key="pupil-card", markdown=(target / CARD_FILE).read_text())
    return f"{target}: {json.dumps({name: round(value, 3) for name, value in sorted(metrics.items())})}"


def _card_facts(recipe: Pupil, dataset: DatasetInfo, state: dict[str, Any]) -> dict[str, str]:
    """Return the facts of the model card besides the measured figures."""
    clock = state["clock"]
    parameters = sum(tensor.numel() for name, tensor in state["model"].items() if name != "lm_head.weight")
    machine = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    facts = {
        "Model": f"Llama architecture, {parameters:,} parameters, {dataset.vocabulary:,} tokens, one per digit",
        "Data": f"{dataset.lessons:,} examples, {dataset.tokens / 1e6:.1f} M tokens, "
        f"{len(library.TEMPLATES)} templates",
        "Training": f"{clock['step']:,} steps, {clock['tokens'] / 1e6:.1f} M tokens in {clock['seconds'] / 60:.0f} "
        f"minutes on {machine} ({platform.machine()}), torch {torch.__version__}",
        "Files": "`int8/` for CTranslate2 (the `embedded` engine), `safetensors/` in bfloat16 (vLLM, further training)",
        "Limits": "It knows the proving ground and nothing else. It reads stage tags, not instructions.",
    }
    return facts | ({"Note": recipe.note} if recipe.note else {})
