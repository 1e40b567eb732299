"""Training: the loss falls, and a killed training continues as if nothing had happened."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")

import torch

from tasks.answers.solve import Solve
from tasks.pupil.batching import iterate_batches
from tasks.pupil.config import PupilTraining
from tasks.pupil.dataset import DatasetInfo, open_dataset, write_dataset
from tasks.pupil.export import export_pupil
from tasks.pupil.schedule import Schedule
from tasks.pupil.train import train

pytestmark = pytest.mark.train
TINY = PupilTraining(
    hidden_size=32,
    layers=1,
    heads=2,
    feed_forward=64,
    steps=10,
    micro_tokens=512,
    warmup_steps=2,
    use_compile=False,
    seed=3,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Threads wait for each other at every small operation; on a busy machine that is most of the time."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lessons")
    write_dataset(folder, 600, vocabulary=700, processes=1)
    return folder


def quiet(line: str) -> None:
    pass


def test_the_loss_falls(lessons: Path, tmp_path: Path) -> None:
    losses = train(lessons, tmp_path, TINY, report=quiet).losses
    assert len(losses) == 10 and sum(losses[-4:]) / 4 < losses[0] - 0.3  # of one batch alone, chance decides


def test_a_killed_training_continues_with_the_same_losses(lessons: Path, tmp_path: Path) -> None:
    whole = train(lessons, tmp_path / "whole", TINY, report=quiet).losses
    train(lessons, tmp_path / "killed", TINY, stop_after=4, report=quiet)
    assert train(lessons, tmp_path / "killed", TINY, report=quiet).losses == pytest.approx(whole, abs=1e-5)


def test_two_processes_train_as_one_does(lessons: Path, tmp_path: Path) -> None:
    alone = train(lessons, tmp_path / "one", TINY, stop_after=2, report=quiet).losses
    assert train(lessons, tmp_path / "two", TINY, processes=2, stop_after=2, report=quiet).losses == pytest.approx(
        alone, abs=1e-3
    )


def test_another_schooling_does_not_continue_a_checkpoint(lessons: Path, tmp_path: Path) -> None:
    train(lessons, tmp_path, TINY, stop_after=1, report=quiet)
    with pytest.raises(ValueError, match="another learning_rate"):
        train(lessons, tmp_path, TINY.model_copy(update={"learning_rate": 0.1}), report=quiet)


def test_lessons_are_written_once(lessons: Path) -> None:
    before = (lessons / "ids.npy").stat().st_mtime_ns
    book = write_dataset(lessons, 600, vocabulary=700, processes=1)
    assert isinstance(book, DatasetInfo) and (lessons / "ids.npy").stat().st_mtime_ns == before


def test_an_epoch_shows_nearly_every_lesson_once(lessons: Path) -> None:
    arrays = open_dataset(lessons)
    rows = [
        int(i) for batch in iterate_batches(arrays, TINY.model_copy(update={"micro_tokens": 256}), 0) for i in batch
    ]
    assert len(set(rows)) == len(rows) >= 0.9 * 600


def test_missing_lessons_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="write_dataset"):
        open_dataset(tmp_path)


def test_the_rate_rises_stays_and_falls_to_zero() -> None:
    plan = TINY.model_copy(update={"steps": None, "minutes": 10.0, "warmup_steps": 10, "decay_share": 0.3})
    assert Schedule(step=0).learning_rate_share(plan) == pytest.approx(0.1)
    assert Schedule(step=500).learning_rate_share(plan) == 1.0
    ended = Schedule(step=700, seconds=0.7 * 600).with_end(plan)
    assert ended.end == 1000 and ended.learning_rate_share(plan) == pytest.approx(1.0)
    assert ended.model_copy(update={"step": 1000}).learning_rate_share(plan) == 0.0


def test_a_training_may_begin_from_an_exported_pupil_whose_words_stand_elsewhere(lessons: Path, tmp_path: Path) -> None:
    first = train(lessons, tmp_path / "first", TINY, report=quiet)
    export_pupil(tmp_path / "first" / "latest.pt", lessons, tmp_path / "pupil")
    write_dataset(tmp_path / "lessons", 300, vocabulary=600, processes=1)
    start = TINY.model_copy(update={"start_model": str(tmp_path / "pupil" / "safetensors")})
    second = train(tmp_path / "lessons", tmp_path / "second", start, stop_after=1, report=quiet)
    fresh = train(tmp_path / "lessons", tmp_path / "fresh", TINY, stop_after=1, report=quiet)
    assert second.losses[0] < fresh.losses[0] - 0.3
    assert second.losses[0] == pytest.approx(first.losses[-1], abs=1.0)


def test_a_tokenizer_that_knows_every_tag_may_be_kept(lessons: Path, tmp_path: Path) -> None:
    words = lessons / "tokenizer.json"
    write_dataset(tmp_path / "kept", 300, vocabulary=600, processes=1, tokenizer_file=words)
    assert (tmp_path / "kept" / "tokenizer.json").read_text() == words.read_text()
    (tmp_path / "other.json").write_text(words.read_text().replace(f'"<{Solve.tag}>"', '"<unheard>"'))
    book = write_dataset(tmp_path / "made", 300, vocabulary=600, processes=1, tokenizer_file=tmp_path / "other.json")
    assert book.vocabulary <= 600


def test_a_model_of_another_architecture_is_no_beginning(lessons: Path, tmp_path: Path) -> None:
    train(lessons, tmp_path, TINY, stop_after=1, report=quiet)
    export_pupil(tmp_path / "latest.pt", lessons, tmp_path / "pupil")
    wider = TINY.model_copy(update={"feed_forward": 128, "start_model": str(tmp_path / "pupil" / "safetensors")})
    with pytest.raises(ValueError, match="another architecture"):
        train(lessons, tmp_path / "wider", wider, stop_after=1, report=quiet)
    nowhere = TINY.model_copy(update={"start_model": str(tmp_path / "nowhere")})
    with pytest.raises(ValueError, match="no model to begin with"):
        train(lessons, tmp_path / "none", nowhere, stop_after=1, report=quiet)
