"""Gradient penalties: pure functions of a critic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from lightning_gans.losses import at_least_float32

PenaltyKind = Literal["sum", "mean", "printed", "one_sided"]

# The slope of an input without gradient is exactly 0, where the square root has no derivative.
_TINY = 1e-12


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, epsilon: Tensor, kind: PenaltyKind = "sum"
) -> Tensor:
    """How far the critic's slope is from 1 between data and samples, mean over the batch.

    The slope is taken at ``(1 - epsilon) * real + epsilon * fake`` and only the critic's parameters are reached. It runs in
    float32 even under autocast: in 16 bits the penalty's own gradient loses a fifth of its value.

    Args:
        critic: maps ``(N, ...)`` to logits ``(N,)`` or ``(N, 1)``, each row independent of the others (no batch norm). One that
            judges packs of m samples (its attribute ``pack``) gives N / m logits; a slope is that of a pack, at one epsilon.
        real: data ``(N, ...)``.
        fake: generated samples of the same shape.
        epsilon: ``(N,)`` numbers in [0, 1], of a pack the first counts.
        kind: with g the gradient of a logit by the sample, or pack, and d its number of dimensions,
            ``sum``: ``(||g|| - 1)^2`` (Gulrajani et al. 2017, Eqn. 3);
            ``mean``: ``(||g|| / sqrt(d) - 1)^2`` (the code of GAAN's authors);
            ``printed``: ``(||g||^2 - 1)^2`` (Tran et al. 2018, Eqn. 4, which grows with the fourth power of the slope);
            ``one_sided``: ``max(0, ||g|| - 1)^2``.
    """
    mixed = torch.is_autocast_enabled(real.device.type)  # else the critic has weights of the input's type
    with torch.autocast(real.device.type, enabled=False):
        real, fake = (at_least_float32(x.detach()) if mixed else x.detach() for x in (real, fake))
        pack = getattr(critic, "pack", 1)
        epsilon = epsilon[::pack].repeat_interleave(pack) if pack > 1 else epsilon
        between = torch.lerp(real, fake, epsilon.to(real.dtype).view(-1, *[1] * (real.dim() - 1))).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        slope = slope.reshape(len(slope) // pack, -1)
        square = at_least_float32(slope).square().sum(dim=1)
        match kind:
            case "printed":
                return (square - 1).square().mean()
            case "mean":
                return ((square / slope[0].numel() + _TINY).sqrt() - 1).square().mean()
            case "sum":
                return ((square + _TINY).sqrt() - 1).square().mean()
            case "one_sided":
                return ((square + _TINY).sqrt() - 1).relu().square().mean()
    raise ValueError(f"no gradient penalty {kind!r}")
