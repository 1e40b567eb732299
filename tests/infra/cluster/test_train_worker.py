"""Trainings on a worker: the model is in the lake before its receipt, and a training that was killed goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar

import psutil
import pytest

from infra import engines
from infra.cluster.train_worker import run_train
from infra.cluster.worker import run_empty_rows
from infra.lake import model_store
from infra.lake.store import open_store
from schemas.engine_specs import EmbeddedSpec, EngineSpec, HttpSpec, VllmSpec
from schemas.errors import QuestmillError
from schemas.identity import NotIdentity
from schemas.receipts import Receipt
from schemas.steps import TrainingJob, TrainingStep

ROOT = Path(__file__).parents[3]


class Count(TrainingStep):
    """A training without a model: its weights are the number of rows and what the base weighed."""

    inputs: ClassVar[tuple[str, ...]] = ("rows",)
    trainer: ClassVar[str] = f"{__name__}:count_rows"

    role: Annotated[str | None, NotIdentity] = "solver"
    fails: Annotated[int, NotIdentity] = 0
    """Starts that end in an error, after a checkpoint."""
    sleeps: Annotated[float, NotIdentity] = 0.0
    """Seconds before anything is done."""
    small: bool = True
    """Make a form for the embedded engine too."""


def count_rows(step: Count, job: TrainingJob) -> dict[str, float]:
    job.report(f"process {os.getpid()}")
    time.sleep(step.sleeps)
    job.checkpoints.mkdir(exist_ok=True)
    starts = len(list(job.checkpoints.iterdir()))
    if starts < step.fails:
        (job.checkpoints / str(starts)).touch()
        raise ValueError("the loss is not a number")
    rows = sum(batch.num_rows for batch in job.tables["rows"])
    weigh(job.out, f"{rows} on {(job.base / 'model.safetensors').read_text()}", step.small)
    return {"steps": float(rows), "starts": float(starts)}


def weigh(folder: Path, weights: str, small: bool = True) -> Path:
    """A folder that looks like a model."""
    for form, names in (("safetensors", ("config.json", "model.safetensors")), ("int8", ("model.bin",))):
        if form == "safetensors" or small:
            (folder / form).mkdir(parents=True, exist_ok=True)
            for name in (*names, "tokenizer.json"):
                (folder / form / name).write_text(weights)
    return folder


@pytest.fixture
def base(tmp_path: Path) -> EmbeddedSpec:
    """The engine whose model is trained."""
    return EmbeddedSpec(path=str(weigh(tmp_path / "base", "nothing") / "int8"))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A lake in a folder."""
    return str(tmp_path / "lake")


def train(step: TrainingStep, spec: EngineSpec, lake: str, rows: int = 5) -> Receipt:
    return run_train(step, spec, [[run_empty_rows(rows, 2, lake)]], lake)


def test_the_receipt_names_the_model_and_accounts_for_the_rows(base: EmbeddedSpec, folder: str) -> None:
    made = train(Count(), base, folder)
    assert (made.rows_in, made.kept, made.is_balanced, made.details["steps"]) == (5, 5, True, "5")
    weights = open_store(folder).read(f"{made.details['model']}/safetensors/model.safetensors")
    assert weights == b"5 on nothing"


@pytest.mark.system
def test_nothing_is_trained_twice(base: EmbeddedSpec, folder: str) -> None:
    first, again = train(Count(), base, folder), train(Count(sleeps=60.0), base, folder)
    assert again.was_cached and not first.was_cached and again.key == first.key
    assert train(Count(), base, folder, rows=6).key != first.key


@pytest.mark.system
def test_another_base_makes_another_model(base: EmbeddedSpec, folder: str, tmp_path: Path) -> None:
    other = base.model_copy(update={"path": str(weigh(tmp_path / "other", "something") / "int8")})
    made = {train(Count(), spec, folder).details["model"] for spec in (base, other)}
    assert len(made) == 2


@pytest.mark.system
def test_a_trained_model_is_trained_on(base: EmbeddedSpec, folder: str) -> None:
    first = train(Count(), base, folder)
    second = train(Count(), model_store.spec_for_trained(first, base, folder), folder)
    weights = open_store(folder).read(f"{second.details['model']}/safetensors/model.safetensors")
    assert weights == b"5 on 5 on nothing"


def test_a_training_that_failed_says_why_and_continues_from_its_checkpoint(base: EmbeddedSpec, folder: str) -> None:
    with pytest.raises(QuestmillError, match="step count: the training ended with code 1: ValueError: the loss is not"):
        train(Count(fails=1), base, folder)
    assert open_store(folder).read_receipts()[-1].step == "empty_rows", "nothing is committed"
    assert train(Count(fails=1), base, folder).details["starts"] == "1"
    assert not list(Path(folder, "training").iterdir()), "what the work left behind is gone"


@pytest.mark.system
def test_a_training_ends_with_its_worker(base: EmbeddedSpec, folder: str) -> None:
    script = (
        "from tests.infra.cluster.test_train_worker import Count, train\n"
        "from schemas.engine_specs import EmbeddedSpec\n"
        f"train(Count(sleeps=600.0), EmbeddedSpec(path={base.path!r}), {folder!r})"
    )
    worker = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    child = waited(lambda: said(folder))
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert waited(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
    assert train(Count(sleeps=0.0), base, folder).details["steps"] == "5", "nobody holds its place any more"


def said(folder: str) -> int:
    """The process that trains, once its log tells; 0 until then."""
    logs = [log.read_text() for log in Path(folder).glob("training/*/log.txt")]
    return int(logs[0].rpartition("process ")[2]) if logs and "process " in logs[0] else 0


def waited(condition: Callable[[], int]) -> int:
    until = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < until, "it took two minutes"
        time.sleep(0.05)
    return found


@pytest.mark.system
def test_a_model_of_a_remote_lake_is_fetched_once(
    base: EmbeddedSpec, lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUESTMILL_CACHE", str(tmp_path / "cache"))
    made = train(Count(), base, lake)
    spec = model_store.spec_for_trained(made, base, lake)
    local = model_store.with_local_model(spec)
    assert isinstance(spec, EmbeddedSpec) and isinstance(local, EmbeddedSpec)
    assert spec.path.startswith("memory://") and local.path.startswith(str(tmp_path / "cache"))
    assert engines.pin_model(local) == local, "the pinned digest is that of what was fetched"
    open_store(lake).remove(made.details["model"])
    assert model_store.with_local_model(spec) == local
    assert train(Count(), spec, lake).kept == 5, "what was fetched can be trained on"


def test_a_trained_model_may_be_copied_out_of_any_lake(base: EmbeddedSpec, lake: str, tmp_path: Path) -> None:
    made = train(Count(), base, lake)
    model_store.download(made, lake, tmp_path / "kept")
    assert model_store.model_digest(tmp_path / "kept" / "int8") == made.details["int8"]
    model_store.download(made, lake, tmp_path / "kept")
    open_store(lake).remove(made.details["model"])
    with pytest.raises(QuestmillError, match="is missing; restore it"):
        model_store.download(made, lake, tmp_path / "none")


def test_a_lost_model_is_named(base: EmbeddedSpec, lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTMILL_CACHE", str(tmp_path / "cache"))
    made = train(Count(), base, lake)
    open_store(lake).remove(made.details["model"])
    with pytest.raises(QuestmillError, match="is missing; restore it"):
        model_store.with_local_model(model_store.spec_for_trained(made, base, lake))


def test_each_engine_is_given_its_form(base: EmbeddedSpec, folder: str) -> None:
    made = train(Count(), base, folder)
    hub = VllmSpec(kind="vllm", model="some/model", revision="abc")
    spec = model_store.spec_for_trained(made, hub, folder)
    assert isinstance(spec, VllmSpec) and (spec.model, spec.revision) == ("", "")
    assert spec.path.endswith("/safetensors") and engines.pin_model(spec) == spec


def test_an_engine_that_cannot_load_it_is_named(base: EmbeddedSpec, folder: str) -> None:
    made = train(Count(small=False), base, folder)
    with pytest.raises(ValueError, match="count has no int8/"):
        model_store.spec_for_trained(made, base, folder)
    server = HttpSpec(kind="http", model="m", base_url=("https://a",))
    with pytest.raises(ValueError, match="kind 'http' cannot load a model that was trained here"):
        model_store.spec_for_trained(made, server, folder)
    with pytest.raises(ValueError, match="kind 'http' has no weights to train from"):
        train(Count(), server, folder)


def test_a_base_without_weights_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / "int8").mkdir()
    with pytest.raises(ValueError, match=r"no weights to train from in .*/safetensors"):
        train(Count(), EmbeddedSpec(path=str(tmp_path / "int8")), folder)
