"""Losses of cosines against angles in the plane, worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_gans.cosines import all_cosines, cosines, h, kernel_loss, self_loss, shell_loss

# Three symbols each of two sets in the plane, by their angles in degrees
ANGLES = {"a": (0, 90, 210), "b": (35, 65, 170)}
ALL = [(j, k) for j in range(3) for k in range(3)]
OWN = [(j, j) for j in range(3)]
OTHERS = [(j, k) for j, k in ALL if j != k]


def in_plane(name: str) -> Tensor:
    turn = torch.tensor(ANGLES[name]).double() * math.pi / 180
    return torch.stack([turn.cos(), turn.sin()], dim=1)


def between(a: str, b: str, p: int, pairs: list[tuple[int, int]]) -> float:
    """The mean of h over pairs of rows by the half angle: (1 + cos) / 2 = cos^2 of it, (1 - cos) / 2 = sin^2."""
    halves = [math.radians(ANGLES[a][j] - ANGLES[b][k]) / 2 for j, k in pairs]
    return sum(-math.log((math.cos(half) if p else math.sin(half)) ** 2) for half in halves) / len(pairs)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_h_is_the_cross_entropy_of_the_squared_cosine_of_the_half_angle(p: float) -> None:
    angle = torch.linspace(0.1, 3.0, 30).double()
    expected = -p * (angle / 2).cos().square().log() - (1 - p) * (angle / 2).sin().square().log()
    torch.testing.assert_close(h(angle.cos(), p), expected)


@pytest.mark.parametrize("p", [0, 1])
def test_h_and_its_slope_are_finite_where_symbols_coincide_or_oppose_each_other(p: int) -> None:
    cosine = torch.tensor([1.0, -1.0, 1 + 1e-7, -1 - 1e-7], requires_grad=True)
    loss = h(cosine, p)
    assert loss.isfinite().all()
    assert loss.max() < 14  # -log 1e-6
    assert torch.autograd.grad(loss.sum(), cosine)[0].isfinite().all()


def test_cosines_are_those_of_the_angles() -> None:
    for j, k in ALL:
        expected = math.cos(math.radians(ANGLES["a"][j] - ANGLES["b"][k]))
        assert float(all_cosines(in_plane("a"), in_plane("b"))[j, k]) == pytest.approx(expected)
    torch.testing.assert_close(cosines(in_plane("a"), in_plane("b")), all_cosines(in_plane("a"), in_plane("b")).diag())


def test_cosines_of_all_pairs_are_not_rounded_to_16_bits() -> None:
    near = F.normalize(torch.tensor([1.0, 0.0]) + torch.tensor([[0.0, 0.0], [0.0, 0.01]]), dim=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        between_both = all_cosines(near, near)[0, 1]
    assert between_both.dtype == torch.float32
    assert float(between_both) == pytest.approx(1 / math.sqrt(1 + 1e-4), abs=1e-6)


@pytest.mark.parametrize("p", [0, 1])
def test_self_kernel_and_shell_loss_by_hand_for_three_symbols(p: int) -> None:
    a, b = in_plane("a"), in_plane("b")
    assert float(self_loss(a, p)) == pytest.approx(between("a", "a", p, OTHERS))
    assert float(kernel_loss(a, b, p)) == pytest.approx(between("a", "b", p, ALL))
    assert float(shell_loss(a, b, p)) == pytest.approx(between("a", "b", p, OWN))


def test_equal_symbols_leave_finite_losses_and_slopes() -> None:
    symbols = F.normalize(torch.ones(4, 3), dim=1).requires_grad_()
    for p in (0, 1):
        (slope,) = torch.autograd.grad(self_loss(symbols, p), symbols)
        assert slope.isfinite().all()
    assert float(self_loss(symbols[:1].detach(), 0)) == 0
