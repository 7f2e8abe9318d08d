"""What a stochastic encoder says of a sample: a normal distribution over its latent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_gans.losses import widen

# exp of half of these is 3e-5 and 2e4: no posterior is narrower or wider, and no float32 overflows.
_LOG_VARIANCES = (-20.0, 20.0)


@dataclass
class DiagonalNormal:
    """Independent normal numbers.

    Args:
        mean: ``(N, dim)``.
        log_variance: ``(N, dim)``, the logarithm of the squared standard deviation (some code says log sigma and means this).
    """

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def of(cls, numbers: Tensor) -> DiagonalNormal:
        """From an encoder's ``(N, 2 * dim)`` outputs: the means, then the log-variances, which are kept within bounds."""
        mean, log_variance = widen(numbers).chunk(2, dim=1)
        return cls(mean, log_variance.clamp(*_LOG_VARIANCES))

    def at(self, epsilon: Tensor) -> Tensor:
        """``mean + std * epsilon``: a draw, given standard normal ``epsilon`` (Kingma and Welling 2014, section 2.4)."""
        return self.mean + (0.5 * self.log_variance).exp() * epsilon

    def sample(self, generator: torch.Generator) -> Tensor:
        """A draw; the generator may be on any device."""
        epsilon = torch.randn(self.mean.shape, generator=generator, device=generator.device)
        return self.at(epsilon.to(self.mean))

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats of each row of ``z`` ``(..., N, dim)``, as ``(..., N)``."""
        square = (z - self.mean).square() / self.log_variance.exp()
        return -0.5 * (square + self.log_variance + math.log(2 * math.pi)).sum(dim=-1)

    def kl_to_standard_normal(self) -> Tensor:
        """KL divergence in nats to the standard normal law, ``(N,)`` (Kingma and Welling 2014, appendix B)."""
        return -0.5 * (1 + self.log_variance - self.mean.square() - self.log_variance.exp()).sum(dim=1)
