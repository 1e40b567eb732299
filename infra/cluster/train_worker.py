"""Trains a model on a worker: reads whole tables, writes a model to the lake, and continues after being killed.

The training runs in its own process (`main`), so that its memory and threads are freed at the end. Tables,
checkpoints, log and model stay in the folder `training/<key>` until the receipt is committed.
"""

import contextlib
import fcntl
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from infra import engines
from infra.cluster.earlier_work import find_work
from infra.cluster.stall_watch import WATCH
from infra.engines.common import child_processes
from infra.engines.no_model import NoModelSpec
from infra.lake import catalog, model_store
from infra.lake.store import Store, open_store
from schemas.code_policy import CodePolicy
from schemas.engine_specs import EngineSpec
from schemas.errors import QuestmillError
from schemas.identity import fingerprint
from schemas.receipts import Committed, Part, Receipt
from schemas.steps import TrainingJob, TrainingStep

LOG_LOOK_SECONDS = 5.0
"""Seconds between two looks at the log of a training."""
NO_PROGRESS_BARS = {"TQDM_DISABLE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
"""Environment variables that keep progress bars out of the log."""
USE_EARLIER_WORK = CodePolicy()
LOG_LINE_CHARACTERS = 300
"""Characters of the last log line of a failed training that are quoted in the error."""


def run_train(
    step: TrainingStep,
    spec: EngineSpec,
    tables: Sequence[Sequence[Committed]],
    lake: str,
    policy: CodePolicy = USE_EARLIER_WORK,
) -> Receipt:
    """Train from the model of `spec`; the receipt's `details` name the trained model, which is in the lake by then.

    Raises `QuestmillError` if the training fails, and ValueError if `spec` has no weights.
    """
    store, started = open_store(lake), time.monotonic()
    parts = [catalog.unique_parts(p for receipt in table for p in receipt.parts) for table in tables]
    base = model_store.fetch_base(spec)
    base_digest = model_store.model_digest(base)
    key = fingerprint(step, base_digest, [[p.digest for p in table] for table in parts])
    work = find_work(store, step, key, policy)
    work_dir = _work_dir(store, work.key)
    if work.done is not None:  # a process may have ended before it could remove the folder
        shutil.rmtree(work_dir, ignore_errors=True)
        return work.done
    store.begin_work(step.label)
    work_dir.mkdir(parents=True, exist_ok=True)
    with _lock_folder(work_dir) as lock:
        if done := store.read_receipt(step.label, work.key):
            return done
        if not (work_dir / "measured.json").is_file():
            _train(step, base, work_dir, {n: (store, t) for n, t in zip(step.inputs, parts, strict=True)}, lock)
        receipt = store.commit(work.sign(_make_receipt(step, store, work.key, work_dir, parts, base_digest, started)))
        shutil.rmtree(work_dir, ignore_errors=True)
    return receipt


def _make_receipt(
    step: TrainingStep,
    store: Store,
    key: str,
    work_dir: Path,
    parts: list[list[Part]],
    base_digest: str,
    started: float,
) -> Receipt:
    """Upload the model to the lake and make the receipt of the training, which keeps every input row."""
    rows = sum(p.rows for p in parts[0])
    metrics: dict[str, float] = json.loads((work_dir / "measured.json").read_text())
    first, *others = [tuple(p.digest for p in table) for table in parts]
    return Receipt(
        step=step.label,
        key=key,
        inputs=first,
        other_inputs=tuple(digest for other in others for digest in other),
        rows_in=rows,
        kept=rows,
        seconds=round(time.monotonic() - started, 3),
        details={
            **model_store.upload(store, work_dir / "model"),
            "base": base_digest,
            **{name: f"{value:.6g}" for name, value in metrics.items()},
        },
    )


def _work_dir(store: Store, key: str) -> Path:
    """Folder of the checkpoints: in a local lake, else on this machine, so another machine starts over."""
    parent = Path(store.locate("training")) if store.is_local else model_store.cache_dir() / "training"
    return parent / key


@contextlib.contextmanager
def _lock_folder(work_dir: Path) -> Iterator[IO[str]]:
    """Lock `work_dir` for one training; a second one waits, even for a child whose worker was just killed."""
    path = work_dir.with_suffix(".lock")
    # Not `filelock`: releasing it would also release the lock that the child holds.
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
        path.unlink(missing_ok=True)


def _train(
    step: TrainingStep, base: Path, work_dir: Path, tables: dict[str, tuple[Store, list[Part]]], lock: IO[str]
) -> None:
    """Run the training process to its end; it ends with this process, even if this is killed."""
    work_dir.mkdir(exist_ok=True)
    for name, (store, parts) in tables.items():
        _export_table(store, parts, work_dir / "tables" / name)
    shutil.rmtree(work_dir / "model", ignore_errors=True)
    (work_dir / "job.pickle").write_bytes(pickle.dumps((step, base)))
    log = work_dir / "log.txt"
    with engines.borrow(NoModelSpec()), log.open("a") as log_file, _spawn(step, work_dir, log_file, lock) as child:
        try:
            code = _wait_for_end(child, log)
        finally:
            child_processes.kill(child_processes.process_tree([child]))
    if code or not (work_dir / "measured.json").is_file():
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        last_line = (lines or ["it wrote no output"])[-1].strip()[:LOG_LINE_CHARACTERS]
        raise QuestmillError(
            f"step {step.label}: the training ended with code {code}: {last_line}; its log is {log}, "
            f"and the same command continues from its last checkpoint"
        )


def _wait_for_end(child: "subprocess.Popen[bytes]", log: Path) -> int:
    """Wait for the training process; whatever it writes to its log is progress. Returns its exit status."""
    size = 0
    while True:
        try:
            return child.wait(LOG_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if (size_now := log.stat().st_size) != size:
                size = size_now
                WATCH.note_progress()


def _spawn(step: TrainingStep, work_dir: Path, log_file: IO[str], lock: IO[str]) -> "subprocess.Popen[bytes]":
    """Start the training process; it has the same module path, and holds the lock as long as it runs."""
    modules = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(
        [*_build_command(step), "-m", __name__, str(work_dir)],
        stdin=subprocess.PIPE,
        stdout=log_file,
        stderr=log_file,
        env={**os.environ, **NO_PROGRESS_BARS, "PYTHONPATH": modules, child_processes.OWNER_VARIABLE: str(os.getpid())},
        pass_fds=(lock.fileno(),),
    )


def _build_command(step: TrainingStep) -> list[str]:
    if step.gpus == 1:
        return [sys.executable]
    options = ["--multi_gpu", "--num_processes", str(step.gpus)]
    return [sys.executable, "-m", "accelerate.commands.launch", *options, *step.launch_options]


def _export_table(store: Store, parts: list[Part], folder: Path) -> None:
    """Write each part of a table to a file: `store.get` checks the objects here, the training reads the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(parts):
        pq.write_table(store.get(part), folder / f"{number:06}.parquet")


def _read_batches(folder: Path) -> Iterator[pa.RecordBatch]:
    for path in sorted(folder.glob("*.parquet")):
        yield from pq.ParquetFile(path).iter_batches()


def main(work_dir: Path) -> None:
    """Run in the training process: train the model, then write the metrics as the last file."""
    child_processes.die_with_parent()
    threading.Thread(target=_exit_with_worker, daemon=True).start()
    step, base = pickle.loads((work_dir / "job.pickle").read_bytes())
    tables = {name: _read_batches(work_dir / "tables" / name) for name in step.inputs}
    metrics = step.fit(TrainingJob(tables, base, work_dir / "model", work_dir / "checkpoints", _print_progress))
    if os.environ.get("RANK", "0") == "0":
        temporary = work_dir / "measured.part"
        temporary.write_text(json.dumps(metrics))
        temporary.replace(work_dir / "measured.json")


def _print_progress(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def _exit_with_worker() -> None:
    """Exit when stdin closes, which happens when the worker ends for any reason."""
    while os.read(0, 1):  # not sys.stdin: Python would wait at exit for the thread that reads it
        pass
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
