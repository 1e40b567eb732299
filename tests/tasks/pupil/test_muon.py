"""Muon, ours and torch's: one update of matrices."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from tasks.pupil.muon import Muon, make_muon, make_torch_muon  # noqa: E402


def make_matrices() -> list[torch.nn.Parameter]:  # type: ignore[name-defined]
    """Two of one shape and a wide one, with their gradients."""
    torch.manual_seed(5)
    matrices = [torch.nn.Parameter(torch.randn(shape)) for shape in ((16, 32), (16, 32), (64, 16))]
    for matrix in matrices:
        matrix.grad = torch.randn_like(matrix)
    return matrices


def test_a_cpu_trains_by_our_muon() -> None:
    assert isinstance(make_muon(make_matrices(), 0.1, 0.0), Muon)


def test_the_muon_of_torch_makes_the_same_updates_as_ours() -> None:
    ours, torchs, start = make_matrices(), make_matrices(), make_matrices()
    optimisers = [make_muon(ours, 0.1, 0.01), make_torch_muon(torchs, 0.1, 0.01)]
    for _ in range(3):
        for optimiser in optimisers:
            optimiser.step()
    for one, other, before in zip(ours, torchs, start, strict=True):
        way = (one - before).norm()
        assert (one - other).norm() < 0.02 * way, "they differ by what bfloat16 rounds"
