"""Discriminators of whole sets of samples (Li et al. 2017, Distributional Adversarial Networks)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from lightning_gans.errors import InputError


class SetDiscriminator(nn.Module):
    """Judges a set by the mean of its samples' features: real or generated, or whether two sets are of one distribution.

    DAN-S has ``head(mean phi(a))``, DAN-2S ``head(|mean phi(a) - mean phi(b)|)`` (ChengtaoLi/dan at dce4190). The order of the
    samples in a set changes nothing. ``embed`` and ``judge`` are apart, so that a mean can be taken over several devices.

    Args:
        phi: samples ``(N, ...)`` to features ``(N, F)``.
        head: features ``(1, F)`` to a logit ``(1, 1)``.
        two_samples: whether two sets are compared.

    Raises:
        InputError: in calls: there is one set where two are compared, or two where one is judged.
    """

    phi: Any  # a network

    def __init__(self, phi: nn.Module, head: nn.Module, two_samples: bool = True) -> None:
        super().__init__()
        self.phi, self.head, self.two_samples = phi, head, two_samples

    def embed(self, x: Tensor) -> Tensor:
        """The features ``(N, F)`` of samples ``(N, ...)``."""
        return self.phi(x)

    def judge(self, mean: Tensor, other: Tensor | None = None) -> Tensor:
        """The logit ``(1, 1)`` of a set, or of two, by their mean features ``(1, F)``."""
        if self.two_samples != (other is not None):
            wanted = "two sets, which it compares" if self.two_samples else "one set, which it judges alone"
            raise InputError(f"this SetDiscriminator takes {wanted}; set two_samples, or give it as many")
        return self.head(mean if other is None else (mean - other).abs())

    def forward(self, a: Tensor, b: Tensor | None = None) -> Tensor:
        """The logit ``(1, 1)`` of the samples a ``(N, ...)``, beside the samples b where two sets are compared."""
        means = [self.embed(x).mean(0, keepdim=True) for x in (a, b) if x is not None]
        return self.judge(*means)

    def features(self, x: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Layers of ``phi``, of each sample."""
        return self.phi.features(x, layers)
