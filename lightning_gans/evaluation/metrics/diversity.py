"""How far apart samples are."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import pdist

from lightning_gans.errors import InputError
from lightning_gans.evaluation.metrics import checks
from lightning_gans.evaluation.metrics.base import Block, Comparison, FeatureMetric
from lightning_gans.evaluation.samples.ranks import gather_rows

_PAIRED = 1000  # rows of which distances are taken one by one: the slower, the exact way for near ones


class Diversity(FeatureMetric):
    """The mean distance between samples over that between real ones, of points or in the features."""

    name = "diversity"
    higher = ("diversity",)
    measures_points = True
    compares_features = True

    def __init__(self, comparison: Comparison) -> None:
        super().__init__(comparison)
        self._of_real: float | None = None

    def reset(self, device: torch.device) -> None:
        if self.comparison.of_points:
            self.device, self._stored = device, []
        else:
            super().reset(device)

    def update(self, block: Block) -> None:
        self._stored.append(block.samples.cpu() if self.comparison.of_points else block.stored_features)

    def compute(self) -> Mapping[str, float]:
        if not self.comparison.of_points:
            return super().compute()
        points = torch.cat(self._stored) if self._stored else torch.zeros(0, *self.comparison.data.shape)
        real = self.comparison.real
        return self._ratio(gather_rows(points, self.device), real.data.real(real.split, real.rows))

    def score(self, features: Tensor) -> dict[str, float]:
        return self._ratio(features.to(self.device), self.real_features.to(self.device))

    def _ratio(self, generated: Tensor, real: Tensor) -> dict[str, float]:
        if self._of_real is None:
            self._of_real = diversity(real)
        if not self._of_real:
            raise InputError("all real samples are the same, so that there is no diversity to compare with; leave it out")
        return {"diversity": diversity(generated) / self._of_real}


@torch.no_grad()
def diversity(points: Tensor) -> float:
    """The mean Euclidean distance between two different samples; a generator that makes one image only has 0.

    Exact, in double precision, over all N (N - 1) / 2 pairs, a block of rows at a time, and without bias. Its ratio to that of
    real samples is 1 for equal laws and falls towards 0 as a generator collapses; above 1 samples are scattered more widely
    than real ones. It does not notice modes that are lost while others stay far apart: see ``recall`` and ``modes``.

    Args:
        points: features ``(N, D)``, or coordinates of points.

    Raises:
        InputError: there are fewer than two samples, or features that are not finite.
    """
    checks.check_set(points, "features", 2)
    points = points.double()
    points = points - points.mean(dim=0)
    total = points.new_zeros(())
    start = 0
    for block in points.split(min(checks.rows_at_once(points), _PAIRED)):
        start += len(block)
        total += pdist(block).sum() + torch.cdist(block, points[start:]).sum()
    return total.item() / (len(points) * (len(points) - 1) / 2)
