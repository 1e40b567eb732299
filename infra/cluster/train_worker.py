"""Trains a model on a worker: whole tables in, a model in the lake out, killed and continued as often as need be.

The training runs in a process of its own, which is this module's `main`: with it, its memory and its threads go.
Tables, checkpoints, log and model wait in a folder named by the work, `training/<key>`, until the receipt is there.
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
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from infra import engines
from infra.engines.common import child_processes
from infra.engines.no_model import RoomSpec
from infra.lake import catalog, model_store
from infra.lake.store import Store, open_store
from schemas.engine_specs import Spec
from schemas.errors import QuestmillError
from schemas.identity import fingerprint
from schemas.receipts import Part, Receipt
from schemas.steps import Train

QUIET = {"TQDM_DISABLE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
"""A log is no place for progress bars."""
SHOWN = 300
"""Characters of a failed training's last line that its error repeats."""


def run_train(step: Train, spec: Spec, tables: list[list[Receipt]], lake: str) -> Receipt:
    """Train from the model of `spec`; the receipt's `detail` names the model, which was written before it.

    Raises `QuestmillError` where the training ends in an error, and ValueError where `spec` has no weights.
    """
    store, started = open_store(lake), time.monotonic()
    parts = [catalog.unique(p for receipt in table for p in receipt.parts) for table in tables]
    base = model_store.base(spec)
    origin = model_store.content(base)
    key = fingerprint(step, origin, [[p.digest for p in table] for table in parts])
    work = _workshop(store, key)
    if done := store.receipt(step.label, key):  # a process may have ended between the receipt and the last line
        shutil.rmtree(work, ignore_errors=True)
        return done
    work.mkdir(parents=True, exist_ok=True)
    with _alone(work) as lock:
        if done := store.receipt(step.label, key):
            return done
        if not (work / "measured.json").is_file():
            _train(step, base, work, {n: (store, t) for n, t in zip(step.inputs, parts, strict=True)}, lock)
        receipt = store.commit(_receipt(step, store, key, work, parts, origin, started))
        shutil.rmtree(work, ignore_errors=True)
    return receipt


def _receipt(
    step: Train, store: Store, key: str, work: Path, parts: list[list[Part]], origin: str, started: float
) -> Receipt:
    """Put the model into the lake and say what it was made of; a training keeps every row that it was given."""
    rows = sum(p.rows for p in parts[0])
    measured: dict[str, float] = json.loads((work / "measured.json").read_text())
    first, *others = [tuple(p.digest for p in table) for table in parts]
    return Receipt(
        step=step.label,
        key=key,
        inputs=first,
        beside=tuple(digest for other in others for digest in other),
        rows_in=rows,
        kept=rows,
        seconds=round(time.monotonic() - started, 3),
        detail={
            **model_store.put(store, work / "model"),
            "base": origin,
            **{name: f"{value:.6g}" for name, value in measured.items()},
        },
    )


def _workshop(store: Store, key: str) -> Path:
    """Where checkpoints wait: in a local lake, else on this machine; another machine would start afresh."""
    work = Path(store.locate("training")) if store.is_local else model_store.cache() / "training"
    return work / key


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[IO[str]]:
    """The only training in `work`: a second one waits, also for a child whose worker was killed a moment ago."""
    path = work.with_suffix(".lock")
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
        path.unlink(missing_ok=True)


def _train(step: Train, base: Path, work: Path, tables: dict[str, tuple[Store, list[Part]]], lock: IO[str]) -> None:
    """Run the child to its end; whatever ends this process ends it too."""
    work.mkdir(exist_ok=True)
    for name, (store, parts) in tables.items():
        _spread(store, parts, work / "tables" / name)
    shutil.rmtree(work / "model", ignore_errors=True)
    (work / "job.pickle").write_bytes(pickle.dumps((step, base)))
    log = work / "log.txt"
    with engines.using(RoomSpec()), log.open("a") as told, _child(step, work, told, lock) as child:
        try:
            code = child.wait()
        finally:
            child_processes.kill(child_processes.family([child]))
    if code or not (work / "measured.json").is_file():
        said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        last = (said or ["it said nothing"])[-1].strip()[:SHOWN]
        raise QuestmillError(
            f"step {step.label}: the training ended with code {code}: {last}; its log is {log}, "
            f"and the same command continues from its last checkpoint"
        )


def _child(step: Train, work: Path, told: IO[str], lock: IO[str]) -> "subprocess.Popen[bytes]":
    """The process that trains. It finds the same modules, and holds the lock as long as it runs."""
    modules = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(
        [*_launcher(step), "-m", __name__, str(work)],
        stdin=subprocess.PIPE,
        stdout=told,
        stderr=told,
        env={**os.environ, **QUIET, "PYTHONPATH": modules, child_processes.OWNER: str(os.getpid())},
        pass_fds=(lock.fileno(),),
    )


def _launcher(step: Train) -> list[str]:
    if step.gpus == 1:
        return [sys.executable]
    many = ["--multi_gpu", "--num_processes", str(step.gpus)]
    return [sys.executable, "-m", "accelerate.commands.launch", *many, *step.launch]


def _spread(store: Store, parts: list[Part], folder: Path) -> None:
    """The rows of a table as files of their own, one after the other: objects are checked here and read there."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(parts):
        pq.write_table(store.get(part), folder / f"{number:06}.parquet")


def _batches(folder: Path) -> Iterator[pa.RecordBatch]:
    for path in sorted(folder.glob("*.parquet")):
        yield from pq.ParquetFile(path).iter_batches()


def main(work: Path) -> None:
    """The child: fit, and write down last what was measured."""
    child_processes.tie()
    threading.Thread(target=_watch, daemon=True).start()
    step, base = pickle.loads((work / "job.pickle").read_bytes())
    tables = {name: _batches(work / "tables" / name) for name in step.inputs}
    measured = step.fit(tables, base, work / "model", work / "checkpoints", _report)
    if os.environ.get("RANK", "0") == "0":
        part = work / "measured.part"
        part.write_text(json.dumps(measured))
        part.replace(work / "measured.json")


def _report(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def _watch() -> None:
    """The pipe closes when the worker is gone, however it went."""
    while os.read(0, 1):  # not sys.stdin: at its end Python waits for whoever reads it
        pass
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
