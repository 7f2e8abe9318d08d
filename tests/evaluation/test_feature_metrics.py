"""Metrics of features beside torch-fidelity and brute force."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import calculate_precision_recall_full

from lightning_gans.errors import InputError
from lightning_gans.evaluation import feature_metrics
from lightning_gans.evaluation.feature_metrics import inception_score, kid, prdc


def features(n: int, dim: int = 16, seed: int = 0, scale: float = 1.0, mean: float = 0.0) -> Tensor:
    return scale * torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) + mean


def brute_force(real: Tensor, fake: Tensor, k: int, precision_k: int) -> dict[str, float]:
    """Word by word after the definitions."""
    real, fake = real.double(), fake.double()

    def radius(points: Tensor, i: int, k: int) -> float:
        return sorted(math.dist(points[i], points[j]) for j in range(len(points)) if j != i)[k - 1]

    between = [[math.dist(r, f) for f in fake] for r in real]
    n, m = range(len(real)), range(len(fake))
    wide, ball = [radius(real, i, k) for i in n], [radius(real, i, precision_k) for i in n]
    fakes_ball = [radius(fake, j, precision_k) for j in m]
    return {
        "precision": sum(any(between[i][j] <= ball[i] for i in n) for j in m) / len(fake),
        "recall": sum(any(between[i][j] <= fakes_ball[j] for j in m) for i in n) / len(real),
        "density": sum(between[i][j] < wide[i] for i in n for j in m) / (k * len(fake)),
        "coverage": sum(any(between[i][j] < wide[i] for j in m) for i in n) / len(real),
    }


@pytest.mark.parametrize(("k", "precision_k"), [(5, 3), (1, 1), (2, 6)])
@pytest.mark.parametrize(("n", "m", "dim"), [(40, 60, 3), (60, 33, 8)])
def test_prdc_is_what_the_definitions_say(n: int, m: int, dim: int, k: int, precision_k: int) -> None:
    real, fake = features(n, dim), features(m, dim, 1, 0.8, 0.3)
    assert prdc(real, fake, k, precision_k) == pytest.approx(brute_force(real, fake, k, precision_k), abs=1e-12)


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_precision_and_recall_are_torch_fidelitys(mean: float) -> None:
    real, fake = features(400), features(300, seed=1, scale=0.9, mean=mean)
    found = prdc(real, fake)
    precision, recall = calculate_precision_recall_full(fake, real)
    assert (found["precision"], found["recall"]) == pytest.approx((precision, recall), abs=1e-6)
    assert 0 < precision < 1
    assert 0 < recall < 1


def test_edges_of_balls_belong_to_precision_and_recall_alone() -> None:
    real = torch.tensor([[0.0], [1.0], [2.0]])  # with k = 1 every ball has radius 1
    found = prdc(real, torch.tensor([[3.0], [4.0]]), k=1, precision_k=1)
    assert found == {"precision": 0.5, "recall": pytest.approx(1 / 3), "density": 0.0, "coverage": 0.0}


def test_far_from_the_origin_distances_are_as_near_it() -> None:
    real, fake = (features(200, seed=seed).double() for seed in (0, 1))
    assert prdc((real + 1000).float(), (fake + 1000).float()) == pytest.approx(prdc(real, fake), abs=0.02)


def test_distances_are_computed_in_blocks_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = features(200), features(150, seed=1)
    whole, cdist, sizes = prdc(real, fake), torch.cdist, []

    def noted(a: Tensor, b: Tensor) -> Tensor:
        sizes.append(len(a) * len(b))
        return cdist(a, b)

    monkeypatch.setattr(torch, "cdist", noted)
    monkeypatch.setattr(feature_metrics, "_ELEMENTS", 1400)
    assert prdc(real, fake) == pytest.approx(whole)
    assert max(sizes) == 1400
    assert sum(sizes) == 200 * 200 + 150 * 150 + 200 * 150


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


def test_the_inception_score_is_torch_fidelitys() -> None:
    logits = features(205, 10, scale=3.0)
    theirs = isc_features_to_metric(logits, splits=10, shuffle=True, rng_seed=2020)
    assert inception_score(logits)["is"] == pytest.approx(theirs["inception_score_mean"], rel=1e-9)
    assert inception_score(logits)["is_std"] == pytest.approx(theirs["inception_score_std"], rel=1e-9)
    assert inception_score(logits, seed=1) != inception_score(logits)


@pytest.mark.parametrize("scale", [50.0, 1e4])
def test_sure_and_even_predictions_score_the_number_of_classes(scale: float) -> None:
    even = scale * torch.eye(5).repeat(40, 1)
    assert inception_score(even, splits=1)["is"] == pytest.approx(5)
    assert inception_score(even[::5])["is"] == pytest.approx(1)  # one class
    assert inception_score(torch.zeros(40, 5))["is"] == pytest.approx(1)  # no idea


def test_random_streams_are_not_touched_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    def draw() -> tuple[float, float, float]:
        return torch.rand(()).item(), np.random.rand(), random.random()

    def measure() -> list[dict[str, float]]:
        real, fake = features(50), features(50, seed=1)
        return [kid(real, fake, subsets=3, subset_size=20), inception_score(real), prdc(real, fake)]

    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(5)
    expected = draw()
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(5)
    first = measure()
    assert draw() == expected
    assert measure() == first
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("metric", "n", "least"),
    [(kid, 1, 2), (prdc, 5, 6), (lambda real, fake: inception_score(fake), 9, 10)],
    ids=["kid", "prdc", "inception score"],
)
def test_too_few_samples_bad_numbers_and_shapes_are_refused(metric, n: int, least: int) -> None:  # type: ignore[no-untyped-def]
    enough = features(40)
    metric(enough[:least], enough[:least])
    with pytest.raises(InputError, match=f"of {n}, and {least} or more"):
        metric(enough, enough[:n])
    with pytest.raises(InputError, match="NaN or infinite"):
        metric(enough, enough.where(enough < 2, math.nan))
    with pytest.raises(InputError, match=r"not \(N, D\)"):
        metric(enough, enough[:, 0])


@pytest.mark.parametrize(("k", "precision_k"), [(2, 6), (6, 2)])
def test_balls_to_the_kth_neighbour_need_more_samples_than_k(k: int, precision_k: int) -> None:
    prdc(features(7), features(7), k, precision_k)
    with pytest.raises(InputError, match="of 6, and 7 or more"):
        prdc(features(7), features(6), k, precision_k)


@pytest.mark.parametrize("metric", [kid, prdc])
def test_features_of_different_networks_are_refused(metric) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="of 16 and of 1 dimensions"):
        metric(features(40), features(40, 1))
