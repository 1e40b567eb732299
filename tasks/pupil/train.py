"""Trains the pupil, a small Llama. A training may be killed and continued any number of times."""

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

from tasks.pupil.batching import Batch, collate, iterate_batches
from tasks.pupil.config import PupilTraining
from tasks.pupil.dataset import open_dataset, write_dataset
from tasks.pupil.model import load_weights, make_model
from tasks.pupil.muon import make_muon
from tasks.pupil.schedule import Schedule

ReportProgress = Callable[[str], None]


def rank_and_world() -> tuple[int, int]:
    """Rank of this process, and the number of processes."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


class FlatGradients:
    """All gradients in one vector, so that processes exchange them in one operation.

    `vector` has shape (2 + number of parameters,), float32: loss, seconds, and all gradients, which are views of it.

    If the cores are shared with other work, two processes of one thread train twice as fast as one of two threads:
    threads wait for each other at every operation, processes once per step (measured under a load of 6 on 2 cores).
    """

    def __init__(self, model: torch.nn.Module, device: torch.device) -> None:
        parameters = list(model.parameters())
        self.vector = torch.zeros(sum(p.numel() for p in parameters) + 2, device=device)
        for p, part in zip(parameters, self.vector[2:].split([p.numel() for p in parameters]), strict=True):
            p.grad = part.view_as(p)

    def sum_over_processes(self, loss: float, seconds: float) -> tuple[float, float]:
        """Sum gradients and loss over the processes; return the loss, and the mean seconds, so that clocks agree."""
        world = rank_and_world()[1]
        if world > 1:
            self.vector[0], self.vector[1] = loss, seconds / world
            dist.all_reduce(self.vector)
            loss, seconds = self.vector[:2].tolist()
        return loss, seconds

    def zero(self) -> None:
        """Set all gradients to zero in place, so that they stay views of the vector."""
        self.vector.zero_()


class TrainingRun:
    """The state of a training: model, optimisers, schedule and place in the data, saved and loaded together."""

    def __init__(self, dataset: Path, config: PupilTraining) -> None:
        self.config, self.examples = config, open_dataset(dataset)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        vocabulary = -(-(int(self.examples.ids.max()) + 1) // 64) * 64
        self.model = make_model(config, vocabulary).to(self.device)
        if config.start_model:
            load_weights(self.model, Path(config.start_model), dataset / "tokenizer.json")
        self.gradients = FlatGradients(self.model, self.device)
        matrices = [p for n, p in self.model.named_parameters() if p.ndim == 2 and "embed" not in n]
        others = [p for n, p in self.model.named_parameters() if p.ndim != 2 or "embed" in n]
        self.optimisers: list[torch.optim.Optimizer] = [
            make_muon(matrices, config.learning_rate, config.weight_decay),
            torch.optim.AdamW(others, lr=config.vector_learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
        ]
        self.peak_rates = [config.learning_rate, config.vector_learning_rate]
        self.schedule, self.epoch, self.batches_used = Schedule(), 0, 0
        self.losses: list[float] = []
        if config.use_compile:
            torch._dynamo.config.recompile_limit = 64
            self.model.model.compile(dynamic=False)

    def state_dict(self) -> dict[str, Any]:
        """The state that a continuation needs."""
        return {
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "clock": self.schedule.model_dump(),
            "place": (self.epoch, self.batches_used),
            "losses": self.losses,
            "random": torch.get_rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from `state_dict()`."""
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.schedule, self.losses = Schedule(**state["clock"]), list(state["losses"])
        self.epoch, self.batches_used = state["place"]
        torch.set_rng_state(state["random"])

    def iterate_batches(self) -> Iterator[NDArray[np.int64]]:
        """Yield batches from the current place on, epoch after epoch, as indices of examples (int64 of shape (B,))."""
        while True:
            for i, rows in enumerate(iterate_batches(self.examples, self.config, self.epoch)):
                if i >= self.batches_used:
                    self.batches_used = i + 1
                    yield rows
            self.epoch, self.batches_used = self.epoch + 1, 0

    def step(self, data: Iterator[NDArray[np.int64]]) -> float:
        """Make one optimiser step; return the weighted mean loss per counted token, in nats."""
        began, batches_of_rows = time.perf_counter(), [next(data) for _ in range(self.config.accumulation_steps)]
        rank, world = rank_and_world()
        parts = [
            collate(self.examples, r, self.config.padded_lengths, self.device) for r in batches_of_rows[rank::world]
        ]
        total = sum(float(self.sum_weights(rows)) for rows in batches_of_rows)
        loss = sum(self._backward(part, total) for part in parts)
        tokens_read = sum(int((self.examples.offsets[r + 1] - self.examples.offsets[r]).sum()) for r in batches_of_rows)
        loss, seconds = self.gradients.sum_over_processes(loss, time.perf_counter() - began)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        share = self.schedule.learning_rate_share(self.config)
        for optimiser, peak in zip(self.optimisers, self.peak_rates, strict=True):
            optimiser.param_groups[0]["lr"] = peak * share
            optimiser.step()
        self.gradients.zero()
        progress_made = {
            "step": self.schedule.step + 1,
            "seconds": self.schedule.seconds + seconds,
            "tokens": self.schedule.tokens + tokens_read,
        }
        self.schedule = self.schedule.model_copy(update=progress_made).with_end(self.config)
        self.losses.append(loss)
        return loss

    def sum_weights(self, rows: NDArray[np.int64]) -> int:
        """The sum of the loss weights of the examples `rows` (indices, int64 of shape (B,))."""
        starts, ends = self.examples.offsets[rows], self.examples.offsets[rows + 1]
        return sum(int(self.examples.weights[a:b].sum()) for a, b in zip(starts, ends, strict=True))

    def _backward(self, part: Batch, total: float) -> float:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            hidden = self.model.model(input_ids=part.ids, use_cache=False).last_hidden_state
            logits = self.model.lm_head(hidden.flatten(0, 1).index_select(0, part.positions))
        token_losses = F.cross_entropy(logits.float(), part.targets, reduction="none")
        loss = (token_losses * part.weights).sum() / total
        loss.backward()
        return float(loss.detach())

    def compile_widths(self) -> None:
        """Compile for every width, one process after another: the first fills the cache on disk for the others."""
        rank, world = rank_and_world()
        for turn in range(world):
            for width in self.config.padded_lengths if turn == rank else ():
                rows = torch.zeros(max(1, self.config.micro_tokens // width), width, dtype=torch.long)
                self.model.model(input_ids=rows.to(self.device), use_cache=False).last_hidden_state.sum().backward()
            if world > 1:
                dist.barrier()
        self.gradients.zero()

    @property
    def is_done(self) -> bool:
        """Whether the last step is done."""
        return self.schedule.end is not None and self.schedule.step >= self.schedule.end


def train(
    dataset: Path,
    checkpoints: Path,
    config: PupilTraining,
    *,
    processes: int = 1,
    save_every: float = 120.0,
    stop_after: int | None = None,
    report: ReportProgress = print,
) -> TrainingRun:
    """Train to the end, from the checkpoint if there is one. `stop_after`: step at which to end early, as if killed.

    With several processes, each trains on its share of a step; they end with this one. `save_every` is in seconds.
    Raises ValueError if the checkpoint is of a training with other settings.
    """
    if processes == 1:
        return _train(dataset, checkpoints, config, save_every, stop_after, report)
    with TemporaryDirectory() as folder:
        job = (f"file://{folder}/meet", processes, torch.get_num_threads(), dataset, checkpoints, config, stop_after)
        spawn = get_context("spawn")
        for rank in range(1, processes):
            spawn.Process(target=_run_follower, args=(rank, *job), daemon=True).start()
        dist.init_process_group("gloo", init_method=job[0], rank=0, world_size=processes)
        try:
            return _train(dataset, checkpoints, config, save_every, stop_after, report)
        finally:
            dist.destroy_process_group()


def _run_follower(
    rank: int,
    rendezvous: str,
    processes: int,
    threads: int,
    dataset: Path,
    checkpoints: Path,
    config: PupilTraining,
    stop: int | None,
) -> None:
    """Run another process of a training: it trains on its share, and neither saves nor reports."""
    torch.set_num_threads(threads)
    dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=processes)
    _train(dataset, checkpoints, config, None, stop, lambda line: None)


def _train(
    dataset: Path,
    checkpoints: Path,
    config: PupilTraining,
    save_every: float | None,
    stop: int | None,
    report: ReportProgress,
) -> TrainingRun:
    torch.set_flush_denormal(True)
    training, path = TrainingRun(dataset, config), checkpoints / "latest.pt"
    if path.is_file():
        training.load_state_dict(_load_checkpoint(path, config))
    training.schedule = training.schedule.with_end(config)
    report(f"{sum(p.numel() for p in training.model.parameters()):,} parameters, from step {training.schedule.step}")
    if config.use_compile and not training.is_done:
        training.compile_widths()
        report("compiled")
    data, first = training.iterate_batches(), training.schedule
    saved_at = reported = time.monotonic()
    while not training.is_done and training.schedule.step != stop:
        training.step(data)
        if time.monotonic() - reported > 10:
            reported = time.monotonic()
            report(format_progress(training, first))
        if save_every is not None and time.monotonic() - saved_at > save_every:
            saved_at = time.monotonic()
            save_checkpoint(training, path)
    if save_every is not None:
        save_checkpoint(training, path)
        report(format_progress(training, first))
    return training


def format_progress(training: TrainingRun, start: Schedule) -> str:
    """Progress in one line: step, loss, learning rate, tokens per second, time left."""
    schedule, recent = training.schedule, training.losses[-50:]
    speed = (schedule.tokens - start.tokens) / max(1e-9, schedule.seconds - start.seconds)
    pace = (schedule.seconds - start.seconds) / max(1, schedule.step - start.step)
    total_seconds = (
        training.config.minutes * 60
        if schedule.end is None
        else schedule.seconds + (schedule.end - schedule.step) * pace
    )
    return (
        f"step {schedule.step}/{schedule.end or '?'}  loss {np.mean(recent or [0.0]):.4f}  "
        f"rate {schedule.learning_rate_share(training.config):.3f}  {schedule.tokens / 1e6:.2f}M tokens  "
        f"{speed:,.0f} tokens/s  "
        f"epoch {training.epoch}  left {max(0.0, total_seconds - schedule.seconds) / 60:.1f} min"
    )


def save_checkpoint(training: TrainingRun, path: Path) -> None:
    """Write a checkpoint. If the process is killed meanwhile, the previous checkpoint stays intact."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save({"schooling": training.config.model_dump(), **training.state_dict()}, part)
    os.replace(part, path)


def _load_checkpoint(path: Path, config: PupilTraining) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, weights_only=False)
    old, new = PupilTraining(**state["schooling"]).resumable_fields(), config.resumable_fields()
    if old != new:
        changed = sorted(name for name in new if old[name] != new[name])
        raise ValueError(f"{path} was trained with another {', '.join(changed)}; remove it to start again")
    return state


def main() -> None:
    """Run `python -m tasks.pupil.train --lessons DIR --checkpoints DIR [--set minutes=30]`."""
    parser = argparse.ArgumentParser(description="Train the pupil.")
    parser.add_argument("--lessons", type=Path, required=True)
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200_000, help="number of examples to write, if there are none yet")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads of each process")
    parser.add_argument("--set", action="append", default=[], help="field=value of PupilTraining; may be repeated")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    write_dataset(options.lessons, options.count, processes=options.processes * options.threads)
    config = PupilTraining.model_validate_strings(dict(pair.split("=", 1) for pair in options.set))
    log_line: ReportProgress = lambda line: print(time.strftime("%H:%M:%S"), line, flush=True)  # noqa: E731
    train(options.lessons, options.checkpoints, config, processes=options.processes, report=log_line)


if __name__ == "__main__":
    main()
