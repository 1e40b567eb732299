"""Muon, an optimiser for matrices that brings all singular values of the momentum near one (Jordan et al. 2024).

torch's own Muon multiplies in bfloat16. That suits a GPU, but CPUs without AMX do it five times slower than float32
(measured), and torch's does not divide the matrices among processes.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration, as published; they favour speed over exactness."""


def make_muon(matrices: list[Tensor], lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """Make torch's Muon if one process trains on a GPU, else ours. Both compute the same update.

    `matrices` are parameters of shape (rows, columns), float32.
    """
    if matrices[0].is_cuda and not dist.is_initialized():
        return make_torch_muon(matrices, lr, weight_decay)
    return Muon(matrices, lr=lr, weight_decay=weight_decay)


def make_torch_muon(matrices: list[Tensor], lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """Make torch's Muon with the same momentum, coefficients and scale as ours."""
    optimiser: torch.optim.Optimizer = torch.optim.Muon(
        matrices,
        lr=lr,
        weight_decay=weight_decay,
        momentum=0.95,
        nesterov=True,
        ns_coefficients=COEFFICIENTS,
        ns_steps=5,
        adjust_lr_fn="match_rms_adamw",
    )
    return optimiser


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum, scaled to the size of an AdamW update (Moonlight, arXiv:2502.16982).

    All parameters are matrices of shape (rows, columns), with gradients of the same shape and dtype.
    """

    def __init__(
        self, matrices: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0, turns: int = 5
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "turns": turns})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """Update all matrices; those of equal shape are orthogonalised together. `closure` is ignored."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for matrix in group["params"]:
                by_shape.setdefault(matrix.shape, []).append(matrix)
            for shape, matrices in by_shape.items():
                momenta = torch.stack([self._update_momentum(m, group["momentum"]) for m in matrices])
                update = orthogonalize_shared(momenta, group["turns"]) * (0.2 * max(shape) ** 0.5)
                for matrix, matrix_update in zip(matrices, update.unbind(), strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).add_(matrix_update, alpha=-group["lr"])

    def _update_momentum(self, matrix: Tensor, momentum: float) -> Tensor:
        assert matrix.grad is not None
        buffer = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
        buffer.lerp_(matrix.grad, 1 - momentum)
        return matrix.grad.lerp(buffer, momentum)


def orthogonalize_shared(stack: Tensor, turns: int) -> Tensor:
    """`orthogonalize`, with the n matrices divided among the processes. Every process gets all (n, rows, columns)."""
    if not dist.is_initialized():
        return orthogonalize(stack, turns)
    result, own_matrices = torch.zeros_like(stack), slice(dist.get_rank(), None, dist.get_world_size())
    result[own_matrices] = orthogonalize(stack[own_matrices], turns)
    dist.all_reduce(result)
    return result


def orthogonalize(stack: Tensor, turns: int) -> Tensor:
    """Bring the singular values of n matrices near one: shape (n, rows, columns) in and out, dtype unchanged."""
    a, b, c = COEFFICIENTS
    tall = stack.shape[1] > stack.shape[2]
    x = stack.transpose(1, 2) if tall else stack
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(turns):
        square = x @ x.transpose(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return x.transpose(1, 2) if tall else x
