"""From encoded lessons to forward passes: lessons of like length together, each epoch in an order of its own."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.pupil.config import PupilTraining
from tasks.pupil.dataset import PackedExamples


class Batch(NamedTuple):
    """One forward pass; targets and weights are those of the counted positions only."""

    ids: Tensor
    positions: Tensor
    """Flat positions of the counted tokens."""
    targets: Tensor
    weights: Tensor


def iterate_batches(examples: PackedExamples, config: PupilTraining, epoch: int) -> Iterator[NDArray[np.int64]]:
    """Lessons of one epoch in random order, put together by length so that padding stays below a tenth.

    A lesson waits until its bucket is full; what waits at the end of the epoch is left out of it.
    Raises ValueError for a lesson longer than all widths.
    """
    lengths, widths = np.diff(examples.offsets), config.padded_lengths
    if lengths.max() > widths[-1]:
        raise ValueError(f"a lesson has {lengths.max()} tokens; add a width to {widths}")
    waiting: list[list[int]] = [[] for _ in widths]
    for i in np.random.default_rng((config.seed, epoch)).permutation(len(lengths)):
        bucket = bisect_left(widths, int(lengths[i]))
        waiting[bucket].append(int(i))
        if len(waiting[bucket]) == max(1, config.micro_tokens // widths[bucket]):
            yield np.array(waiting[bucket])
            waiting[bucket] = []


def collate(examples: PackedExamples, rows: NDArray[np.int64], widths: Sequence[int], device: torch.device) -> Batch:
    """Pad to the right with token 0: under a causal mask nothing ever looks there."""
    starts, ends = examples.offsets[rows], examples.offsets[rows + 1]
    width = widths[bisect_left(widths, int((ends - starts).max()))]
    padded_arrays = [np.zeros((len(rows), width), np.int64) for _ in range(3)]
    sources: list[NDArray[Any]] = [examples.ids, examples.targets, examples.weights]
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        for padded, source in zip(padded_arrays, sources, strict=True):
            padded[row, : end - start] = source[start:end]
    ids, targets, weights = (torch.from_numpy(made) for made in padded_arrays)
    at = weights.flatten().nonzero().squeeze(1)
    batch = Batch(ids, at, targets.flatten()[at], weights.flatten()[at].float())
    return Batch(*(part.to(device, non_blocking=True) for part in batch))
