"""Train the pupil from scratch: the small model that ships with the project and makes it run everywhere."""

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import torch
from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from pydantic import Field, field_validator

from flows.run.progress import tell
from infra import engines
from schemas.engine_specs import EmbeddedSpec
from schemas.identity import Frozen, fingerprint
from tasks.proving_ground import library
from tasks.pupil.config import Schooling
from tasks.pupil.dataset import LessonBook, make_lessons
from tasks.pupil.evaluate import Exam, examine
from tasks.pupil.export import export
from tasks.pupil.mixture import lesson, shares
from tasks.pupil.model_card import CARD, megabytes, write_card
from tasks.pupil.self_training import read_own, write_own
from tasks.pupil.throughput import tokens_per_second
from tasks.pupil.train import train


class Pupil(Frozen):
    """What the pupil is taught, how long, and where it is kept."""

    lessons: int = Field(default=360_000, ge=1)
    """Examples over all stages, drawn from the proving ground."""
    own: int = Field(default=0, ge=0)
    """More lessons, of the own questions and solutions of the model it starts from, judged by the oracle."""
    own_times: int = Field(default=2, ge=1)
    """How often each of them is there."""
    stress: dict[str, float] = Field(default={})
    """Kinds of lesson (`tasks/pupil/mixture.py`) and by how much their share is raised: `'{"write_question": 2}'`."""
    schooling: Schooling = Schooling()
    """Architecture and optimisation."""
    exam: Exam = Exam()
    """How much is measured afterwards."""
    processes: int = Field(default=2, ge=1)
    """Training processes; one on a machine with a GPU."""
    threads: int = Field(default=1, ge=1)
    """Threads of each training process."""
    work: str = "data/training"
    """Folder of lessons and checkpoints: the same command continues a training that was killed."""
    target: str = "data/models/pupil"
    """Where the trained model goes."""
    note: str = ""
    """What a reader of the card should know about this training in particular."""

    @field_validator("stress")
    @classmethod
    def _known(cls, stress: dict[str, float]) -> dict[str, float]:
        shares(stress)
        return stress


@flow(name="pupil")
def pupil(recipe: Pupil) -> str:
    """Lessons, training, export, exam, model card. One machine: training uses its cores or its GPU by itself."""
    # Neither the length nor the exam make another training: a longer one continues the same checkpoints.
    taught = [tuple(lesson(i, recipe.stress)) for i in range(200)]
    whole = (recipe.lessons, recipe.own, recipe.own_times, taught, recipe.schooling.lasting())
    work = Path(recipe.work, fingerprint(*whole)[:12])
    book = teach(recipe, work)
    school(recipe, work)
    return graduate(recipe, work, book)


@task(cache_policy=NO_CACHE)
def teach(recipe: Pupil, work: Path) -> LessonBook:
    """Write the lessons, unless they are there."""
    own = work / "own.jsonl"
    if recipe.own:
        quick = Path(recipe.schooling.start).parent / "int8"
        tell(f"own work of {quick}, to be judged")
        engine = engines.load(EmbeddedSpec(path=str(quick)))
        tell(f"{write_own(engine, recipe.own, own):,} lessons of it")
        engines.unload()
    more = read_own(own) * recipe.own_times if recipe.own else []
    start = recipe.schooling.start
    tell(f"lessons: {recipe.lessons:,} into {work}")
    return make_lessons(
        work / "lessons",
        recipe.lessons,
        processes=recipe.processes * recipe.threads,
        own=more,
        stress=recipe.stress,
        spelling=Path(start, "tokenizer.json") if start else None,
    )


@task(cache_policy=NO_CACHE)
def school(recipe: Pupil, work: Path) -> None:
    """Train, from the last checkpoint where there is one."""
    torch.set_num_threads(recipe.threads)
    processes = 1 if torch.cuda.is_available() else recipe.processes
    train(work / "lessons", work / "checkpoints", recipe.schooling, processes=processes, report=tell)


@task(cache_policy=NO_CACHE)
def graduate(recipe: Pupil, work: Path, book: LessonBook) -> str:
    """Export the model, examine what was exported, and write the card from what was measured."""
    target = Path(recipe.target)
    _, quick = export(work / "checkpoints" / "latest.pt", work / "lessons", target)
    spec = EmbeddedSpec(path=str(quick))
    started = time.perf_counter()
    engine = engines.load(spec)
    measures = {"pupil.g.load": time.perf_counter() - started, "pupil.g": tokens_per_second(engine)}
    tell("exam: some minutes")
    measures |= examine(engine, recipe.exam)
    engines.unload()
    measures["pupil.i"] = megabytes(target)
    state = torch.load(work / "checkpoints" / "latest.pt", map_location="cpu", weights_only=False)
    write_card(target, measures, _facts(recipe, book, state), json.loads(recipe.model_dump_json()))
    create_markdown_artifact(key="pupil-card", markdown=(target / CARD).read_text())
    return f"{target}: {json.dumps({name: round(value, 3) for name, value in sorted(measures.items())})}"


def _facts(recipe: Pupil, book: LessonBook, state: dict[str, Any]) -> dict[str, str]:
    """What a reader of the card wants to know beside the figures."""
    clock = state["clock"]
    parameters = sum(tensor.numel() for name, tensor in state["model"].items() if name != "lm_head.weight")
    machine = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    facts = {
        "Model": f"Llama architecture, {parameters:,} parameters, {book.vocabulary:,} tokens, every digit its own",
        "Data": f"{book.lessons:,} lessons, {book.tokens / 1e6:.1f} M tokens, {len(library.TEMPLATES)} templates",
        "Training": f"{clock['step']:,} steps, {clock['tokens'] / 1e6:.1f} M tokens in {clock['seconds'] / 60:.0f} "
        f"minutes on {machine} ({platform.machine()}), torch {torch.__version__}",
        "Files": "`int8/` for CTranslate2 (the `embedded` engine), `safetensors/` in bfloat16 (vLLM, further training)",
        "Limits": "It knows the proving ground and nothing else. It reads stage tags, not instructions.",
    }
    return facts | ({"Note": recipe.note} if recipe.note else {})
