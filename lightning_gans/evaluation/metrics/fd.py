"""The Fréchet distance in the features of any network."""

from __future__ import annotations

import torch

from lightning_gans.evaluation.features.frechet import FeatureSums, frechet_distance, of_draws
from lightning_gans.evaluation.metrics.base import Block, Metric


class FD(Metric):
    """The Fréchet distance in the features, logged as ``fid`` for the genuine Inception at pool3 and else under a name of its
    own, such as ``fd_lenet_mnist``.

    Its floor is that of as many draws from the Gaussian of the real features: it falls with the number of samples. Other real
    samples get more, for those that they are compared with are a sample, too.
    """

    name = "fd"
    lower = ("fd", "fid")
    needs_network = True

    def reset(self, device: torch.device) -> None:
        self._real = self.comparison.real.statistics(device)
        self._sums = FeatureSums(self.comparison.network.dim, self._real.mean, device)

    def floor(self) -> dict[str, float]:
        n = self.comparison.num_samples
        known = hasattr(self, "_real") and n > 1  # from the first measurement on: all ranks must ask for it
        return {self.comparison.network.key: frechet_distance(self._real, of_draws(self._real, n))} if known else {}

    @property
    def floor_is(self) -> str:
        return "Gaussian features"

    def update(self, block: Block) -> None:
        self._sums.update(block.features)

    def compute(self) -> dict[str, float]:
        self._sums.all_reduce()
        return {self.comparison.network.key: frechet_distance(self._real, self._sums.gaussian())}
