"""The Frechet distance between the Gaussians that have the mean and covariance of two sets of features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.strategy import world_size


@dataclass(eq=False)
class Gaussian:
    """What a Frechet distance needs to know of a set of features.

    Attributes:
        mean: float64 ``(D,)``.
        covariance: float64 ``(D, D)``, of N - 1.
        n: number of samples.
    """

    mean: Tensor
    covariance: Tensor
    n: int

    @cached_property
    def root(self) -> Tensor:
        """The symmetric square root ``(D, D)`` of the covariance; computed once, and it can be assigned."""
        values, vectors = torch.linalg.eigh(self.covariance)
        return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def of_draws(gaussian: Gaussian, n: int) -> Gaussian:
    """The mean and covariance that ``n`` draws from a Gaussian have, the same each time.

    By Bartlett's decomposition, so that no draw is made: their scatter is ``A A^T`` with ``A`` lower triangular, normal numbers
    below its diagonal and roots of chi-squares on it, whose degrees of freedom are the draws less one, and ever fewer.
    """
    dim, random = len(gaussian.mean), np.random.default_rng(0)
    rank = min(dim, n - 1)
    factor = np.tril(random.standard_normal((dim, rank)), -1)
    factor[range(rank), range(rank)] = np.sqrt(random.chisquare(n - 1 - np.arange(rank)))
    spread = gaussian.root @ torch.from_numpy(factor).to(gaussian.root)
    away = gaussian.root @ torch.from_numpy(random.standard_normal(dim)).to(gaussian.root)
    return Gaussian(gaussian.mean + away / n**0.5, spread @ spread.T / (n - 1), n)


class FeatureSums:
    """Count, sums and products of features in float64, from which mean and covariance follow.

    They are taken of features less ``shift``, which costs nothing and keeps digits where the mean is far from zero. Sums can
    only be added if the shift is the same, on all ranks too: give generated features the mean of the real statistics, which
    every rank has. Real features need none: what float64 loses to a mean is less than what their float32 has lost to it.

    Args:
        dim: D.
        shift: ``(D,)``, zero if none.
        device: where the sums are, the rank's own under NCCL; on MPS, which has no float64, they are on the processor.
    """

    @torch.inference_mode(False)  # what is made in inference mode cannot be added to later
    def __init__(self, dim: int, shift: Tensor | None = None, device: torch.device | str = "cpu") -> None:
        self.device = torch.device("cpu" if torch.device(device).type == "mps" else device)
        self.shift = (torch.zeros(dim) if shift is None else shift).to(self.device).double()
        # Of each feature vector with a one appended: products, sum and count are one matrix
        self._moments = torch.zeros(dim + 1, dim + 1, dtype=torch.float64, device=self.device)

    @torch.no_grad()
    def update(self, features: Tensor) -> None:
        """Add ``features`` ``(N, D)`` of any precision."""
        if features.shape[1:] != self.shift.shape:
            raise InputError(f"features (N, {len(self.shift)}) are summed here, not {tuple(features.shape)}")
        centred = features.to(self.device).double() - self.shift
        rows = torch.nn.functional.pad(centred, (0, 1), value=1.0)
        self._moments.addmm_(rows.T, rows)

    def all_reduce(self) -> None:
        """Replace the sums by those over all ranks; every rank must call it, once, with features or without."""
        if world_size() > 1:
            dist.all_reduce(self._moments)

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self._moments[-1, -1])

    @property
    def mean(self) -> Tensor:
        """Float64 ``(D,)``."""
        self._need(1)
        return self._moments[-1, :-1] / self.n + self.shift

    @property
    def covariance(self) -> Tensor:
        """Float64 ``(D, D)``, of N - 1."""
        self._need(2)
        total = self._moments[-1, :-1]
        return (self._moments[:-1, :-1] - total.outer(total / self.n)) / (self.n - 1)

    def gaussian(self) -> Gaussian:
        """Mean and covariance.

        Raises:
            InputError: there are fewer than two samples, or features that are not finite.
        """
        gaussian = Gaussian(self.mean, self.covariance, self.n)
        if not gaussian.covariance.isfinite().all():
            raise InputError("some features are NaN or infinite; look at the images and the precision of the feature network")
        return gaussian

    def _need(self, n: int) -> None:
        if self.n < n:
            raise InputError(f"a Frechet distance needs the features of two images or more, not of {self.n}; raise num_samples")


@torch.no_grad()
def frechet_distance(real: Gaussian, fake: Gaussian) -> float:
    """``|m_r - m_f|^2 + tr(S_r + S_f - 2 (S_r S_f)^(1/2))`` (Heusel et al. 2017, Eqn. 6), computed where ``fake`` is.

    ``S_r S_f`` has the eigenvalues of ``A S_f A`` with ``A`` the symmetric root of ``S_r``, which is symmetric: no root of a
    matrix has to be found for each ``fake``, and no imaginary part dropped. Where a set has no more samples than features,
    those eigenvalues that are zero but for rounding are left out. The distance of equal sets may be negative by rounding.

    Raises:
        InputError: the features are of different networks, or come from fewer than two samples.
    """
    if real.mean.shape != fake.mean.shape:
        raise InputError(f"features of {len(real.mean)} and of {len(fake.mean)} dimensions cannot be compared; use one network")
    least, dim = min(real.n, fake.n), len(real.mean)
    if least < 2:
        raise InputError(f"a Frechet distance needs the features of two images or more, not of {least}; raise num_samples")
    root = real.root.to(fake.covariance)
    eigenvalues = torch.linalg.eigvalsh(root @ fake.covariance @ root).clamp(min=0)
    if least <= dim:
        noise = dim * torch.finfo(eigenvalues.dtype).eps * eigenvalues.max()
        eigenvalues = eigenvalues.where(eigenvalues > noise, 0.0)
    difference = real.mean.to(fake.mean) - fake.mean
    traces = real.covariance.trace().item() + fake.covariance.trace().item()
    return difference.square().sum().item() + traces - 2 * eigenvalues.sqrt().sum().item()
