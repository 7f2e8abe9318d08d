"""Precision, recall, density and coverage."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gans.evaluation.metrics import checks
from lightning_gans.evaluation.metrics.base import FeatureMetric

_K = 5


class PRDC(FeatureMetric):
    """Precision, recall, density and coverage."""

    name = "prdc"
    higher = ("precision", "recall", "density", "coverage")
    compares_features = True
    least_samples = least_real = _K + 1

    def score(self, features: Tensor) -> dict[str, float]:
        return prdc(self.real_features.to(self.device), features.to(self.device))


@torch.no_grad()
def prdc(real: Tensor, fake: Tensor, k: int = _K, precision_k: int = 3) -> dict[str, float]:
    """Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020).

    The ball of a sample reaches to its k-th nearest neighbour in its own set, itself not counted.

    - ``precision``: share of generated samples in the ball of a real one, its edge included;
    - ``recall``: share of real samples in the ball of a generated one, its edge included;
    - ``density``: real balls around a generated sample, edges excluded, over k; about 1 for equal laws, and can be above;
    - ``coverage``: share of real samples with a generated one in their ball, edge excluded.

    Memory is bounded: distances are computed a block of rows at a time, and each only once but for those within a set.

    Args:
        real: features ``(N, D)``.
        fake: features ``(M, D)``.
        k: of density and coverage; 5 in the paper.
        precision_k: of precision and recall; 3 in the paper.

    Raises:
        InputError: a set has no more than k samples, features that are not finite, or the sets do not fit together.
    """
    real, fake = checks.checked_sets(real, fake, max(k, precision_k) + 1)
    centre = real.mean(dim=0)  # distances are found by way of products, which are exact for short vectors only
    real, fake = real - centre, fake - centre
    real_radius, density_radius = _radii(real, precision_k, k)
    (fake_radius,) = _radii(fake, precision_k)
    precise = inside = 0
    recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    nearest = torch.full((len(real),), torch.inf, dtype=real.dtype, device=real.device)
    rows = checks.rows_at_once(real)
    for block, radius in zip(fake.split(rows), fake_radius.split(rows), strict=True):
        distance = torch.cdist(block, real)
        precise += int((distance <= real_radius).any(dim=1).sum())
        inside += int((distance < density_radius).sum())
        recalled |= (distance <= radius[:, None]).any(dim=0)
        nearest = nearest.minimum(distance.amin(dim=0))
    return {
        "precision": precise / len(fake),
        "recall": recalled.double().mean().item(),
        "density": inside / (k * len(fake)),
        "coverage": (nearest < density_radius).double().mean().item(),
    }


def _radii(points: Tensor, *ks: int) -> list[Tensor]:
    """The distance ``(N,)`` of every point to its k-th nearest other, for each k."""
    blocks = points.split(checks.rows_at_once(points))
    nearest = [torch.cdist(block, points).topk(max(ks) + 1, largest=False).values for block in blocks]
    return [torch.cat(nearest)[:, k] for k in ks]
