"""How far real images are from what a model makes of them."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch.nn.functional import normalize

from lightning_gans.evaluation.features.frechet import FeatureSums, Gaussian, frechet_distance
from lightning_gans.evaluation.metrics.base import Block, Metric
from lightning_gans.evaluation.samples.quantise import quantise
from lightning_gans.strategy import world_size


class Reconstruction(Metric):
    """Errors of reconstructions, where the model encodes.

    The mean squared error in [-1, 1]; where another metric needs a network, also the mean squared distance of its features,
    each scaled to length 1, and their Fréchet distance.
    """

    name = "reconstruction"
    lower = ("reconstruction",)
    needs_encoder = True

    def reset(self, device: torch.device) -> None:
        self._totals = torch.zeros(3, dtype=torch.float64, device=device)  # of errors, of distances, of images
        self._real: Gaussian | None = None
        if self.comparison.real.network is not None:
            self._real = self.comparison.real.statistics(device)
            self._sums = FeatureSums(self.comparison.network.dim, self._real.mean, device)

    def update(self, block: Block) -> None:
        assert block.originals is not None
        assert block.unrounded is not None
        n = len(block.samples)
        error = (block.unrounded.float() - block.originals.float()).square().mean().double() * n
        distance = self._totals.new_zeros(())
        if self._real is not None:
            before, after = (normalize(f) for f in (self.comparison.features(quantise(block.originals)), block.features))
            distance = (before - after).square().sum().double()
            self._sums.update(block.features)
        self._totals += torch.stack([error, distance, error.new_tensor(n)])

    def compute(self) -> dict[str, float]:
        if world_size() > 1:
            dist.all_reduce(self._totals)
        errors, distances, images = self._totals.tolist()
        scores = {"reconstruction_mse": errors / images}
        if self._real is not None:
            self._sums.all_reduce()
            network = self.comparison.network
            scores[f"reconstruction_distance_{network.name}"] = distances / images
            scores[f"reconstruction_{network.key}"] = frechet_distance(self._real, self._sums.gaussian())
        return scores
