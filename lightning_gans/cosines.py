"""Losses of cosines between symbols on the unit sphere: pure functions (Barta, section 3.5 and the algorithm)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_gans.losses import at_least_float32

# Of (1 +- cosine) / 2: float32 cannot tell the cosines of closer symbols apart, and the logarithm stays finite.
_SMALLEST = 1e-6


def on_sphere(numbers: Tensor) -> Tensor:
    """Symbols: the rows of ``numbers`` ``(N, dim)`` scaled to unit length, in at least float32."""
    return F.normalize(at_least_float32(numbers), dim=1)


def h(cosine: Tensor, p: float) -> Tensor:
    """Section 3.5: -p log((1 + x) / 2) - (1 - p) log((1 - x) / 2) for a cosine x; p = 1 attracts, p = 0 repels."""
    near, far = ((1 + cosine) / 2).clamp(min=_SMALLEST), ((1 - cosine) / 2).clamp(min=_SMALLEST)
    return -p * near.log() - (1 - p) * far.log()


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """``(N,)``: of each symbol of ``a`` with that of ``b`` in the same row, both ``(N, dim)``."""
    return (a * b).sum(dim=1)


def all_cosines(a: Tensor, b: Tensor) -> Tensor:
    """``(N, M)``: of each symbol of ``a`` ``(N, dim)`` with each of ``b`` ``(M, dim)``."""
    with torch.autocast(a.device.type, enabled=False):  # in 16 bits most symbols of the generalising unit would coincide
        return a @ b.T


def shell_loss(a: Tensor, b: Tensor, p: float) -> Tensor:
    """The mean of h over rows (lines 11 and 12)."""
    return h(cosines(a, b), p).mean()


def kernel_loss(a: Tensor, b: Tensor, p: float) -> Tensor:
    """The mean of h over all pairs of a symbol of ``a`` and one of ``b`` (lines 9 and 10)."""
    return h(all_cosines(a, b), p).mean()


def self_loss(symbols: Tensor, p: float) -> Tensor:
    """The mean of h over all pairs of different rows (line 8), 0 for a single one."""
    n = len(symbols)
    itself = torch.eye(n, dtype=torch.bool, device=symbols.device)
    return h(all_cosines(symbols, symbols), p).masked_fill(itself, 0).sum() / max(1, n * (n - 1))
