"""The kernel Inception distance."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_fidelity.metric_kid import kid_features_to_metric

from lightning_gans.evaluation.metrics import checks
from lightning_gans.evaluation.metrics.base import FeatureMetric


class KID(FeatureMetric):
    """The kernel Inception distance."""

    name = "kid"
    lower = ("kid",)
    compares_features = True

    def score(self, features: Tensor) -> dict[str, float]:
        return kid(self.real_features, features)


@torch.no_grad()
def kid(real: Tensor, fake: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 2020) -> dict[str, float]:
    """Kernel Inception distance (Binkowski et al. 2018): unbiased squared MMD with the kernel ``(x.y / D + 1)^3``.

    The mean over random subsets, ``kid``, may be slightly negative; ``kid_std`` is the subsets' standard deviation. Sets with
    fewer than ``subset_size`` samples are compared in subsets of what there is: ``kid_subset_size`` says of how many.

    Args:
        real: features ``(N, D)``.
        fake: features ``(M, D)``.
        subsets: how many.
        subset_size: samples in each, without replacement.
        seed: of the subsets; torch-fidelity's by default.

    Raises:
        InputError: a set has fewer than two samples, features that are not finite, or the sets do not fit together.
    """
    real, fake = checks.checked_sets(real, fake, 2)
    size = min(subset_size, len(real), len(fake))
    distances = kid_features_to_metric(fake, real, kid_subsets=subsets, kid_subset_size=size, rng_seed=seed, verbose=False)
    return {
        "kid": distances["kernel_inception_distance_mean"],
        "kid_std": distances["kernel_inception_distance_std"],
        "kid_subset_size": size,
    }
