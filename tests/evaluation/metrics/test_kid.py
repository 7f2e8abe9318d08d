"""The kernel distance beside torch-fidelity and by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_kid import kid_features_to_metric

from lightning_gans.evaluation.metrics.kid import kid
from tests.evaluation.metrics.draws import features


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_kid_is_torch_fidelitys(dtype: torch.dtype) -> None:
    real, fake = features(300).to(dtype), features(250, seed=1, scale=1.1).to(dtype)
    wide = torch.promote_types(dtype, torch.float32)
    theirs = kid_features_to_metric(
        fake.to(wide), real.to(wide), kid_subsets=20, kid_subset_size=100, rng_seed=7, verbose=False
    )
    found = kid(real, fake, subsets=20, subset_size=100, seed=7)
    assert found["kid"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-6)
    assert found["kid_std"] == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-6)
    assert found["kid_subset_size"] == 100


def test_kid_of_a_whole_set_is_the_unbiased_estimate_by_hand() -> None:
    real, fake = features(30, 4).double(), features(30, 4, 1, 1.5).double()

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / 4 + 1) ** 3

    within = sum((kernel(x, x).sum() - kernel(x, x).trace()) / (30 * 29) for x in (real, fake))
    found = kid(real, fake, subsets=2)
    assert found["kid"] == pytest.approx(float(within - 2 * kernel(real, fake).mean()), rel=1e-9)
    assert found["kid_subset_size"] == 30


@pytest.mark.parametrize(("n", "m"), [(2000, 50), (50, 2000)])
def test_kid_of_small_sets_says_how_large_its_subsets_were(n: int, m: int) -> None:
    assert kid(features(n), features(m, seed=1), subsets=2)["kid_subset_size"] == 50
    assert kid(features(1200, 2), features(1100, 2), subsets=2)["kid_subset_size"] == 1000
