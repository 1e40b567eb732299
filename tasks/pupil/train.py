"""Trains the pupil from scratch: a small Llama on the lessons, killed and continued as often as need be."""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from numpy.typing import NDArray

from tasks.pupil.batching import Batch, batches, collate
from tasks.pupil.config import Schooling
from tasks.pupil.dataset import make_lessons, open_lessons
from tasks.pupil.model import inherit, make_model
from tasks.pupil.muon import Muon
from tasks.pupil.schedule import Clock

Report = Callable[[str], None]


def place() -> tuple[int, int]:
    """Rank of this process and number of processes."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


class Shared:
    """All gradients in one vector, so that processes exchange them at once.

    Two processes of one thread train twice as fast as one of two threads where the cores are shared with other work:
    threads wait for each other at every operation, processes once a step (measured under a load of 6 on 2 cores).
    """

    def __init__(self, model: torch.nn.Module, device: torch.device) -> None:
        parameters = list(model.parameters())
        self.all = torch.zeros(sum(p.numel() for p in parameters) + 2, device=device)
        for p, part in zip(parameters, self.all[2:].split([p.numel() for p in parameters]), strict=True):
            p.grad = part.view_as(p)

    def sum(self, loss: float, seconds: float) -> tuple[float, float]:
        """Sum gradients and loss over the processes; the seconds are their mean, so that all clocks agree."""
        world = place()[1]
        if world > 1:
            self.all[0], self.all[1] = loss, seconds / world
            dist.all_reduce(self.all)
            loss, seconds = self.all[:2].tolist()
        return loss, seconds

    def clear(self) -> None:
        """Zero, in place: the gradients stay views of the vector."""
        self.all.zero_()


class Training:
    """A training under way: model, optimisers, clock and place in the data, saved and loaded as one."""

    def __init__(self, lessons: Path, schooling: Schooling) -> None:
        self.schooling, self.arrays = schooling, open_lessons(lessons)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        vocabulary = -(-(int(self.arrays.ids.max()) + 1) // 64) * 64
        self.model = make_model(schooling, vocabulary).to(self.device)
        if schooling.start:
            inherit(self.model, Path(schooling.start), lessons / "tokenizer.json")
        self.gradients = Shared(self.model, self.device)
        matrices = [p for n, p in self.model.named_parameters() if p.ndim == 2 and "embed" not in n]
        others = [p for n, p in self.model.named_parameters() if p.ndim != 2 or "embed" in n]
        self.optimisers: list[torch.optim.Optimizer] = [
            Muon(matrices, lr=schooling.rate, weight_decay=schooling.weight_decay),
            torch.optim.AdamW(others, lr=schooling.vector_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
        ]
        self.peaks = [schooling.rate, schooling.vector_rate]
        self.clock, self.epoch, self.used = Clock(), 0, 0
        self.losses: list[float] = []
        if schooling.compiled:
            torch._dynamo.config.recompile_limit = 64
            self.model.model.compile(dynamic=False)

    def state(self) -> dict[str, Any]:
        """Everything that a continuation needs."""
        return {
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "clock": self.clock.model_dump(),
            "place": (self.epoch, self.used),
            "losses": self.losses,
            "random": torch.get_rng_state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a `state()`."""
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.clock, self.losses = Clock(**state["clock"]), list(state["losses"])
        self.epoch, self.used = state["place"]
        torch.set_rng_state(state["random"])

    def data(self) -> Iterator[NDArray[np.int64]]:
        """Lessons of one forward pass after the other, from the present place on, epoch after epoch."""
        while True:
            for i, rows in enumerate(batches(self.arrays, self.schooling, self.epoch)):
                if i >= self.used:
                    self.used = i + 1
                    yield rows
            self.epoch, self.used = self.epoch + 1, 0

    def step(self, data: Iterator[NDArray[np.int64]]) -> float:
        """One optimiser step; returns the mean loss of a counted token, in nats."""
        began, chosen = time.perf_counter(), [next(data) for _ in range(self.schooling.accumulate)]
        rank, world = place()
        parts = [collate(self.arrays, r, self.schooling.widths, self.device) for r in chosen[rank::world]]
        total = sum(float(self.weight(rows)) for rows in chosen)
        loss = sum(self._backward(part, total) for part in parts)
        read = sum(int((self.arrays.offsets[r + 1] - self.arrays.offsets[r]).sum()) for r in chosen)
        loss, seconds = self.gradients.sum(loss, time.perf_counter() - began)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        share = self.clock.rate(self.schooling)
        for optimiser, peak in zip(self.optimisers, self.peaks, strict=True):
            optimiser.param_groups[0]["lr"] = peak * share
            optimiser.step()
        self.gradients.clear()
        at = {"step": self.clock.step + 1, "seconds": self.clock.seconds + seconds, "tokens": self.clock.tokens + read}
        self.clock = self.clock.model_copy(update=at).fixed(self.schooling)
        self.losses.append(loss)
        return loss

    def weight(self, rows: NDArray[np.int64]) -> int:
        """Summed weights of the counted tokens of some lessons."""
        starts, ends = self.arrays.offsets[rows], self.arrays.offsets[rows + 1]
        return sum(int(self.arrays.weights[a:b].sum()) for a, b in zip(starts, ends, strict=True))

    def _backward(self, part: Batch, total: float) -> float:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            hidden = self.model.model(input_ids=part.ids, use_cache=False).last_hidden_state
            logits = self.model.lm_head(hidden.flatten(0, 1).index_select(0, part.at))
        each = F.cross_entropy(logits.float(), part.targets, reduction="none")
        loss = (each * part.weights).sum() / total
        loss.backward()
        return float(loss.detach())

    def prepare(self) -> None:
        """Compile for every width, one process after the other: the first fills the cache on disk for the rest."""
        rank, world = place()
        for turn in range(world):
            for width in self.schooling.widths if turn == rank else ():
                rows = torch.zeros(max(1, self.schooling.micro_tokens // width), width, dtype=torch.long)
                self.model.model(input_ids=rows.to(self.device), use_cache=False).last_hidden_state.sum().backward()
            if world > 1:
                dist.barrier()
        self.gradients.clear()

    @property
    def done(self) -> bool:
        """Whether the last step has been made."""
        return self.clock.end is not None and self.clock.step >= self.clock.end


def train(
    lessons: Path,
    checkpoints: Path,
    schooling: Schooling,
    *,
    processes: int = 1,
    save_every: float = 120.0,
    stop_after: int | None = None,
    report: Report = print,
) -> Training:
    """Train to the end, from the checkpoint if there is one; `stop_after` steps ends early, as if killed then.

    With several processes, each one trains on its share of a step; they end with this one. `save_every` is in seconds.
    Raises ValueError when the checkpoint belongs to another schooling.
    """
    if processes == 1:
        return _train(lessons, checkpoints, schooling, save_every, stop_after, report)
    with TemporaryDirectory() as folder:
        job = (f"file://{folder}/meet", processes, torch.get_num_threads(), lessons, checkpoints, schooling, stop_after)
        spawn = get_context("spawn")
        for rank in range(1, processes):
            spawn.Process(target=_follow, args=(rank, *job), daemon=True).start()
        dist.init_process_group("gloo", init_method=job[0], rank=0, world_size=processes)
        try:
            return _train(lessons, checkpoints, schooling, save_every, stop_after, report)
        finally:
            dist.destroy_process_group()


def _follow(
    rank: int,
    meet: str,
    processes: int,
    threads: int,
    lessons: Path,
    checkpoints: Path,
    schooling: Schooling,
    stop: int | None,
) -> None:
    """Another process of a training: it takes its share and says nothing."""
    torch.set_num_threads(threads)
    dist.init_process_group("gloo", init_method=meet, rank=rank, world_size=processes)
    _train(lessons, checkpoints, schooling, None, stop, lambda line: None)


def _train(
    lessons: Path, checkpoints: Path, schooling: Schooling, save_every: float | None, stop: int | None, report: Report
) -> Training:
    torch.set_flush_denormal(True)
    training, path = Training(lessons, schooling), checkpoints / "latest.pt"
    if path.is_file():
        training.load(_read(path, schooling))
    training.clock = training.clock.fixed(schooling)
    report(f"{sum(p.numel() for p in training.model.parameters()):,} parameters, from step {training.clock.step}")
    if schooling.compiled and not training.done:
        training.prepare()
        report("compiled")
    data, first = training.data(), training.clock
    saved = told = time.monotonic()
    while not training.done and training.clock.step != stop:
        training.step(data)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            report(progress(training, first))
        if save_every is not None and time.monotonic() - saved > save_every:
            saved = time.monotonic()
            save(training, path)
    if save_every is not None:
        save(training, path)
        report(progress(training, first))
    return training


def progress(training: Training, first: Clock) -> str:
    """One line: step, loss, learning rate, tokens a second, time left."""
    clock, recent = training.clock, training.losses[-50:]
    speed = (clock.tokens - first.tokens) / max(1e-9, clock.seconds - first.seconds)
    pace = (clock.seconds - first.seconds) / max(1, clock.step - first.step)
    whole = training.schooling.minutes * 60 if clock.end is None else clock.seconds + (clock.end - clock.step) * pace
    return (
        f"step {clock.step}/{clock.end or '?'}  loss {np.mean(recent or [0.0]):.4f}  "
        f"rate {clock.rate(training.schooling):.3f}  {clock.tokens / 1e6:.2f}M tokens  {speed:,.0f} tokens/s  "
        f"epoch {training.epoch}  left {max(0.0, whole - clock.seconds) / 60:.1f} min"
    )


def save(training: Training, path: Path) -> None:
    """Write a checkpoint; a kill in between leaves the last one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save({"schooling": training.schooling.model_dump(), **training.state()}, part)
    os.replace(part, path)


def _read(path: Path, schooling: Schooling) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, weights_only=False)
    old, new = Schooling(**state["schooling"]).lasting(), schooling.lasting()
    if old != new:
        changed = sorted(name for name in new if old[name] != new[name])
        raise ValueError(f"{path} was trained with another {', '.join(changed)}; remove it to start afresh")
    return state


def main() -> None:
    """`python -m tasks.pupil.train --lessons DIR --checkpoints DIR [--minutes M | --steps N]`."""
    parser = argparse.ArgumentParser(description="Train the pupil.")
    parser.add_argument("--lessons", type=Path, required=True)
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200_000, help="lessons to write, if there are none yet")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of each process")
    parser.add_argument("--set", action="append", default=[], help="field=value of the schooling")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    make_lessons(given.lessons, given.count, processes=given.processes * given.threads)
    schooling = Schooling.model_validate_strings(dict(pair.split("=", 1) for pair in given.set))
    tell: Report = lambda line: print(time.strftime("%H:%M:%S"), line, flush=True)  # noqa: E731
    train(given.lessons, given.checkpoints, schooling, processes=given.processes, report=tell)


if __name__ == "__main__":
    main()
