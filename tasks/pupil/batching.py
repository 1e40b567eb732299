"""Puts encoded examples into batches: examples of similar length together, in a new random order each epoch."""

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
    """One forward pass over B examples of width W, with N tokens that count for the loss."""

    ids: Tensor
    """Tokens, int64 of shape (B, W), padded on the right with 0."""
    positions: Tensor
    """Positions of the counted tokens in the flattened `ids`, int64 of shape (N,)."""
    targets: Tensor
    """The token to predict at each counted position, int64 of shape (N,)."""
    weights: Tensor
    """How often each counted token counts for the loss, float32 of shape (N,)."""


def iterate_batches(examples: PackedExamples, config: PupilTraining, epoch: int) -> Iterator[NDArray[np.int64]]:
    """Yield the batches of one epoch, each as indices of examples, int64 of shape (B,).

    Examples come in random order and are grouped by length, so that padding stays below a tenth. An example waits until
    its bucket is full; buckets that are not full at the end of the epoch are left out.
    Raises ValueError for an example longer than all widths.
    """
    lengths, widths = np.diff(examples.offsets), config.padded_lengths
    if lengths.max() > widths[-1]:
        raise ValueError(f"an example has {lengths.max()} tokens; add a width to padded_lengths, {widths}")
    waiting: list[list[int]] = [[] for _ in widths]
    for i in np.random.default_rng((config.seed, epoch)).permutation(len(lengths)):
        bucket = bisect_left(widths, int(lengths[i]))
        waiting[bucket].append(int(i))
        if len(waiting[bucket]) == max(1, config.micro_tokens // widths[bucket]):
            yield np.array(waiting[bucket])
            waiting[bucket] = []


def collate(examples: PackedExamples, rows: NDArray[np.int64], widths: Sequence[int], device: torch.device) -> Batch:
    """Collect the examples `rows` (int64 of shape (B,)), padded on the right with token 0.

    The causal mask keeps all counted tokens from attending to the padding.
    """
    starts, ends = examples.offsets[rows], examples.offsets[rows + 1]
    width = widths[bisect_left(widths, int((ends - starts).max()))]
    padded_arrays = [np.zeros((len(rows), width), np.int64) for _ in range(3)]
    sources: list[NDArray[Any]] = [examples.ids, examples.targets, examples.weights]
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        for padded, source in zip(padded_arrays, sources, strict=True):
            padded[row, : end - start] = source[start:end]
    ids, targets, weights = (torch.from_numpy(padded) for padded in padded_arrays)
    positions = weights.flatten().nonzero().squeeze(1)
    batch = Batch(ids, positions, targets.flatten()[positions], weights.flatten()[positions].float())
    return Batch(*(part.to(device, non_blocking=True) for part in batch))
