"""Normal laws for models that encode and generate, but say nothing of p(x|z) and q(z|x)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.evaluation.probes.likelihood import log_likelihood
from lightning_gans.posteriors import DiagonalNormal
from lightning_gans.priors import Prior
from lightning_gans.randomness import keyed_generator

_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of the prior's standard deviation
_IMAGES, _MOST_DRAWS = 100, 500  # to choose by; s hardly depends on more


class AssumedNormal:
    """A model with p(x|z) = N(G(z), sigma^2), and N(E(x), s^2) to draw from in place of q(z|x).

    So its likelihood is that of its samples with noise of sigma added; s changes only how well many draws estimate it.

    Args:
        model: a module that encodes and generates, without a condition.
        sigma: in the units of the doors: of pixels in [-1, 1], or of points.
        s: in the units of the latents.
    """

    def __init__(self, model: Any, sigma: float, s: float) -> None:
        self.model, self.sigma, self.s = model, sigma, s
        self.prior: Prior = model.prior

    def posterior(self, images: Tensor) -> DiagonalNormal:
        mean = self.model.encode(images).double()
        return DiagonalNormal(mean, torch.full_like(mean, 2 * math.log(self.s)))

    def log_likelihood(self, images: Tensor, z: Tensor) -> Tensor:
        error = (self.model.decode(z).double() - images).flatten(1) / self.sigma
        return -error.square().sum(1) / 2 - error.shape[1] * math.log(self.sigma * math.sqrt(2 * math.pi))


@torch.no_grad()
def assume_normal(model: Any, images: Tensor, draws: int, seed: int = 0) -> AssumedNormal:
    """The laws that held-out images choose.

    sigma is the root of the mean square of their reconstruction error; s gives the highest estimate on the first 100 of them,
    by up to 500 draws each: that is from below, so the best is the nearest.

    Args:
        model: a module that encodes and generates, without a condition, in evaluation mode.
        images: for validation, on the model's device.
        draws: as many as the estimate will have.
        seed: of the draws.

    Raises:
        InputError: the prior has no density, or all is reconstructed exactly.
    """
    spread = _spread(model)
    errors = [
        (model.decode(model.encode(part)).double() - part).square().mean((*range(1, part.dim()),)) for part in images.split(250)
    ]
    sigma = float(torch.cat(errors).mean().sqrt())
    if not 0 < sigma < math.inf:
        raise InputError(f"a likelihood needs a reconstruction error above 0 and finite, not {sigma:g}; train another model")
    tried = [AssumedNormal(model, sigma, share * spread) for share in _SHARES]
    return max(tried, key=lambda one: float(log_likelihood(one, images[:_IMAGES], min(draws, _MOST_DRAWS), seed).mean()))


def _spread(model: Any) -> float:
    """The standard deviation of the prior's numbers, of a prior that has a density."""
    z = model.prior.sample(1000, keyed_generator("prior's spread", 0)).double()
    spread = float(z.std(dim=0).square().mean().sqrt())
    near = z + 1e-3 * spread * torch.randn(z.shape, generator=keyed_generator("beside the prior", 0), dtype=z.dtype)
    try:
        there = bool(model.prior.log_prob(near).isfinite().any())
    except NotImplementedError:
        there = False
    if not there:
        raise InputError(
            f"a likelihood needs a prior with a density, which {model.prior!r} has not; "
            "the parzen probe estimates one from samples"
        )
    return spread
