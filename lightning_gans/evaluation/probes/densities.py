"""Densities of samples by Gaussian kernels: Parzen log-likelihoods, and the divergence of one-dimensional summaries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from lightning_gans.errors import InputError
from lightning_gans.evaluation.probes.estimate import Array, Estimate

_KERNELS_AT_ONCE = 2**23  # 64 MiB in float64
_SIGMAS = tuple(10 ** (i / 9 - 1) for i in range(10))


@dataclass(frozen=True)
class Parzen:
    """Log-likelihood in nats.

    Attributes:
        log_likelihood: over test examples; the papers print its ``standard_error``.
        sigma: of the kernels.
    """

    log_likelihood: Estimate
    sigma: float


def parzen_log_likelihood(
    samples: Array,
    test: Array,
    validation: Array | None = None,
    sigma: float | None = None,
    sigmas: Sequence[float] = _SIGMAS,
) -> Parzen:
    """The log-likelihood of test examples under Gaussian kernels around samples (Goodfellow et al. 2014, section 5).

    The papers take 10,000 samples of pixels in **[0, 1]**, and the sigma of ``logspace(-1, 0, 10)`` that suits up to 1,000
    validation examples best (parzen_ll.py). Values of other ranges of pixels cannot be compared.

    Args:
        samples: ``(N, ...)``.
        test: ``(M, ...)``.
        validation: ``(V, ...)``, of which the first 1,000 choose among ``sigmas``.
        sigma: given instead of ``validation``.
        sigmas: to choose from.

    Raises:
        InputError: both or neither of validation and sigma are given, sizes differ, or something is not finite.
    """
    if (sigma is None) == (validation is None):
        raise InputError("Parzen windows need either validation examples to choose sigma by, or a sigma")
    if validation is not None:
        sigma = sigmas[int(log_density(validation[:1000], samples, sigmas).mean(0).argmax())]
    assert sigma is not None
    return Parzen(Estimate.of(log_density(test, samples, [sigma])[:, 0]), sigma)


def log_density(points: Array, samples: Array, sigmas: Sequence[float]) -> Tensor:
    """float64 ``(M, len(sigmas))``: the log-density in nats at points ``(M, ...)`` of kernels around samples ``(N, ...)``."""
    points, samples = _flat(points), _flat(samples)
    if points.shape[1] != samples.shape[1]:
        raise InputError(f"samples have {samples.shape[1]} dimensions, what they are compared with {points.shape[1]}")
    if not sigmas or not all(0 < sigma < math.inf for sigma in sigmas):
        raise InputError(f"sigma is {list(sigmas)}, but must be above 0 and finite")
    centre = samples.mean(0)  # distances lose no digits to where the samples lie
    points, samples = points - centre, samples - centre
    norms, log_sums = samples.square().sum(1), []
    for block in tqdm(points.split(max(1, _KERNELS_AT_ONCE // len(samples))), "Parzen windows", delay=5):
        squared = torch.addmm(norms, block, samples.T, alpha=-2).add_(block.square().sum(1, keepdim=True)).clamp_(min=0)
        log_sums.append(torch.stack([torch.logsumexp(squared / (-2 * sigma**2), 1) for sigma in sigmas], 1))
    scale = torch.tensor([math.log(sigma * math.sqrt(2 * math.pi)) for sigma in sigmas], dtype=torch.float64)
    return torch.cat(log_sums).cpu() - math.log(len(samples)) - points.shape[1] * scale


@dataclass(frozen=True)
class DensityKL:
    """Two densities on the line, and how far they are apart.

    Attributes:
        kl: KL(fake || real) in nats.
        grid: where the densities are given, float64 ``(G,)``.
        real: density of the real samples there.
        fake: density of the generated samples there.
        bandwidth: std of the kernels of both.
    """

    kl: float
    grid: Tensor
    real: Tensor
    fake: Tensor
    bandwidth: float


def density_kl_1d(real: Array, fake: Array) -> DensityKL:
    """How far the densities of the mean of all dimensions are apart (GAAN, section 3.2 and Fig. 4: 55,000 digits).

    The paper does not say how it estimates densities. Here both get Gaussian kernels of one bandwidth, Scott's for the real
    samples, so that a collapsed generator has a density, too, and a value that is large but finite.

    Args:
        real: ``(N, ...)``.
        fake: ``(M, ...)``; the numbers may differ.

    Raises:
        InputError: the real samples are all alike, or something is not finite.
    """
    x, y = _flat(real).mean(1, keepdim=True).cpu(), _flat(fake).mean(1, keepdim=True).cpu()
    bandwidth = float(x.std()) * len(x) ** -0.2 if len(x) > 1 else 0.0
    if bandwidth == 0:
        raise InputError("the real samples all have the same mean, so they have no density; give more of them")
    low, high = (float(op(torch.cat([x, y]))) for op in (torch.min, torch.max))
    reach = 5 * bandwidth
    size = min(10_000, math.ceil((high - low + 2 * reach) * 5 / bandwidth))
    grid = torch.linspace(low - reach, high + reach, size, dtype=torch.float64)
    log_p, log_q = (log_density(grid[:, None], z, [bandwidth])[:, 0] for z in (x, y))
    kl = torch.trapezoid(log_q.exp() * (log_q - log_p), grid)
    return DensityKL(float(kl), grid, log_p.exp(), log_q.exp(), bandwidth)


def _flat(values: Array) -> Tensor:
    """float64 ``(N, D)``."""
    tensor = torch.as_tensor(values).detach()
    tensor = (tensor.cpu() if tensor.device.type == "mps" else tensor).double()  # Apple's GPUs have no double precision
    if not len(tensor) or not bool(tensor.isfinite().all()):
        raise InputError("a density needs samples, all of them finite; there are none, or NaN or infinity among them")
    return tensor.reshape(len(tensor), -1)
