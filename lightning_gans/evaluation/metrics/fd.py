"""The Fréchet distance in the features of any network."""

from __future__ import annotations

import torch

from lightning_gans.evaluation.features.frechet import FeatureSums, frechet_distance
from lightning_gans.evaluation.metrics.base import Block, Metric


class FD(Metric):
    """The Fréchet distance in the features, logged as ``fid`` for the genuine Inception at pool3 and else under a name of its
    own, such as ``fd_lenet_mnist``.
    """

    name = "fd"
    lower = ("fd", "fid")
    needs_network = True

    def reset(self, device: torch.device) -> None:
        self._real = self.comparison.real.statistics(device)
        self._sums = FeatureSums(self.comparison.network.dim, self._real.mean, device)

    def update(self, block: Block) -> None:
        self._sums.update(block.features)

    def compute(self) -> dict[str, float]:
        self._sums.all_reduce()
        return {self.comparison.network.key: frechet_distance(self._real, self._sums.gaussian())}
