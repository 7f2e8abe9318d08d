"""Adversarial and reconstruction terms: pure functions, on logits, means over the batch unless they say otherwise.

``-log sigmoid(a) = softplus(-a)`` and ``-log(1 - sigmoid(a)) = softplus(a)``, so no probability is ever formed and none
can round to 0 or 1. Half-precision inputs are widened to float32 first.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

AdversarialKind = Literal["ns", "minimax", "lsgan", "wgan", "hinge"]


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` in float32 where it came in 16 bits, unchanged otherwise."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def bce_real(logits: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy of "these are real": the mean of ``-log sigmoid(logits)``, in nats; ``weights`` ``(N,)`` are factors."""
    return _weighted(F.softplus(-at_least_float32(logits)), weights).mean()


def bce_fake(logits: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy of "these are generated": the mean of ``-log(1 - sigmoid(logits))``, in nats, as ``bce_real``."""
    return _weighted(F.softplus(at_least_float32(logits)), weights).mean()


def bce(logits: Tensor, target: float) -> Tensor:
    """Cross-entropy of "these are real with probability ``target``", in nats: smoothed labels are targets, not factors."""
    return target * bce_real(logits) + (1 - target) * bce_fake(logits)


def least_squares(outputs: Tensor, target: float) -> Tensor:
    """Half the squared distance of outputs to a target, mean over the batch (Mao et al. 2017)."""
    return 0.5 * (at_least_float32(outputs) - target).square().mean()


def discriminator_loss(real: Tensor, fake: Tensor, kind: AdversarialKind = "ns") -> Tensor:
    """What the discriminator minimises.

    Args:
        real: its logits on data, ``(N,)`` or ``(N, 1)``.
        fake: its logits on generated samples.
        kind: ``ns`` and ``minimax`` (the same for this player: Goodfellow et al. 2014, Eqn. 1), ``lsgan`` (Mao et al. 2017,
            Eqn. 9: targets 1 and 0, halved), ``wgan`` (Arjovsky et al. 2017) or ``hinge`` (Lim and Ye 2017).
    """
    return discriminator_loss_on(real, True, kind) + discriminator_loss_on(fake, False, kind)


def discriminator_loss_on(logits: Tensor, real: bool, kind: AdversarialKind = "ns") -> Tensor:
    """The part of ``discriminator_loss`` that is of data, or that of generated samples."""
    logits = at_least_float32(logits)
    match kind:
        case "ns" | "minimax":
            return bce_real(logits) if real else bce_fake(logits)
        case "lsgan":
            return least_squares(logits, float(real))
        case "wgan":
            return -logits.mean() if real else logits.mean()
        case "hinge":
            return F.relu(1 - logits if real else 1 + logits).mean()
    raise ValueError(f"no adversarial loss {kind!r}")


def generator_loss(fake: Tensor, kind: AdversarialKind = "ns") -> Tensor:
    """What the generator minimises, given the discriminator's logits on its samples.

    ``ns`` is the non-saturating ``-log D`` (Goodfellow et al. 2014, section 3), ``minimax`` the saturating ``log(1 - D)``.
    """
    fake = at_least_float32(fake)
    match kind:
        case "ns":
            return bce_real(fake)
        case "minimax":
            return -bce_fake(fake)
        case "lsgan":
            return least_squares(fake, 1.0)
        case "wgan" | "hinge":
            return -fake.mean()
    raise ValueError(f"no adversarial loss {kind!r}")


def binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy in nats between targets in [0, 1] and ``sigmoid(logits)``, mean over batch and dimensions."""
    return F.binary_cross_entropy_with_logits(at_least_float32(logits), at_least_float32(target))


def mean_absolute_error(x: Tensor, y: Tensor) -> Tensor:
    """Absolute difference, mean over batch and dimensions."""
    return F.l1_loss(at_least_float32(x), at_least_float32(y))


def mean_squared_error(x: Tensor, y: Tensor) -> Tensor:
    """Squared difference, mean over batch and dimensions."""
    return F.mse_loss(at_least_float32(x), at_least_float32(y))


def _weighted(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Losses ``(N,)`` or ``(N, 1)``, each times its weight ``(N,)``."""
    return losses if weights is None else losses * weights.view_as(losses)
