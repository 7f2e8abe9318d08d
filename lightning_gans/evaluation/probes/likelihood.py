"""Log-likelihoods of latent-variable models by importance sampling (Burda et al. 2016)."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from tqdm import tqdm

from lightning_gans import checks
from lightning_gans.errors import InputError
from lightning_gans.posteriors import DiagonalNormal
from lightning_gans.priors import Prior
from lightning_gans.randomness import keyed_generator

_NUMBERS_AT_ONCE = 2**22  # of decoded images: 16 MiB in float32


@runtime_checkable
class HasLikelihood(Protocol):
    """Knows p(z), q(z|x) and p(x|z); images are as at the doors of ``lightning_gans.protocols``."""

    prior: Prior

    def posterior(self, images: Tensor) -> DiagonalNormal:
        """q(z|x) of images ``(N, C, H, W)``, or of points ``(N, 2)``."""

    def log_likelihood(self, images: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats ``(N,)`` of images under latents ``(N, dim)``."""


@torch.no_grad()
def log_likelihood(model: HasLikelihood, images: Tensor, draws: int = 5000, seed: int = 0, first: int = 0) -> Tensor:
    """The log-likelihood of each image, float64 ``(N,)`` in nats.

    The logarithm of the mean of ``p(x|z) p(z) / q(z|x)`` over ``draws`` of z from q (Burda et al. 2016, section 3). With 1 draw
    its expectation is the bound that a VAE maximises; it rises with more, and stays below ``log p(x)``. They take 5000.

    Its unit of x is the model's: a density of pixels in [0, 1] is not one of pixels in [-1, 1].

    Args:
        model: in evaluation mode; its networks compute in their own precision, all sums are in float64.
        images: on the model's device.
        draws: for each image.
        seed: of the draws; each image has a stream of its own, so what it is among does not matter.
        first: the number of the first image.

    Raises:
        InputError: the model does not know these laws, or there are no draws.
    """
    if not isinstance(model, HasLikelihood):
        raise InputError(
            f"{type(model).__name__} has no posterior(images) and log_likelihood(images, z), which a likelihood takes; "
            "the parzen probe estimates one from samples"
        )
    checks.positive(draws=draws)
    at_once = max(1, _NUMBERS_AT_ONCE // images[:1].numel())
    size = max(1, at_once // draws)
    blocks = tqdm(images.split(size), "log-likelihoods", delay=5, leave=False)
    return torch.cat([_log_mean_weight(model, block, draws, seed, first + n * size, at_once) for n, block in enumerate(blocks)])


def _log_mean_weight(model: HasLikelihood, images: Tensor, draws: int, seed: int, first: int, at_once: int) -> Tensor:
    """``(N,)`` of a few images."""
    q = model.posterior(images)
    q = DiagonalNormal(q.mean.cpu().double(), q.log_variance.cpu().double())
    noise = [
        torch.randn(draws, q.mean.shape[1], generator=keyed_generator("likelihood", seed, first + row), dtype=torch.float64)
        for row in range(len(images))
    ]
    weights = []
    for epsilon in torch.stack(noise, dim=1).split(max(1, at_once // len(images))):  # (some draws, N, dim)
        z = q.at(epsilon)
        flat = z.flatten(0, 1)
        repeated = images.repeat(len(z), *[1] * (images.dim() - 1))
        log_joint = model.log_likelihood(repeated, flat.to(images)).cpu().double() + model.prior.log_prob(flat)
        weights.append(log_joint.view(z.shape[:2]) - q.log_prob(z))
    return torch.cat(weights).logsumexp(dim=0) - math.log(draws)
