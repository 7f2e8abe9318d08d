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
from lightning_gans.evaluation.feature_metrics import diversity, inception_score, kid, mode_score, prdc


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


def kl(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p / q).log()).sum()


@pytest.mark.parametrize("reference", [[1.0, 1.0, 1.0], [60.0, 30.0, 10.0]])
def test_the_mode_score_is_what_its_definition_says(reference: list[float]) -> None:
    logits = features(50, 3, scale=2.0)
    p, train = logits.double().softmax(1), torch.tensor(reference).double() / sum(reference)
    marginal = p.mean(0)
    told_apart = torch.stack([kl(one, train) for one in p]).mean()
    found = mode_score(logits, torch.tensor(reference))
    assert found["mode_score"] == pytest.approx(float((told_apart - kl(marginal, train)).exp()), rel=1e-12)
    assert found["mode_score_reversed"] == pytest.approx(float((told_apart - kl(train, marginal)).exp()), rel=1e-12)


def test_the_mode_score_as_printed_is_the_inception_score_whatever_the_training_data() -> None:
    logits = features(200, 10, scale=3.0)
    for reference in (torch.ones(10), torch.arange(1, 11)):
        assert mode_score(logits, reference)["mode_score"] == pytest.approx(inception_score(logits, splits=1)["is"], rel=1e-9)


SURE = 200 * torch.eye(4)


@pytest.mark.parametrize(
    ("logits", "score", "turned_round"),
    [
        (SURE.repeat(5, 1), 4.0, 4.0),
        (SURE[:1].repeat(20, 1), 1.0, 0.0),  # one mode of four
        (SURE[:2].repeat(10, 1), 2.0, 0.0),  # two
        (torch.zeros(20, 4), 1.0, 1.0),  # no idea
        (SURE[[0, 0, 1, 2, 3]], math.exp(-(0.4 * math.log(0.4) + 0.6 * math.log(0.2))), 4 * 1.6**0.25 * 0.8**0.75),
    ],
)
def test_mode_scores_that_are_known(logits: Tensor, score: float, turned_round: float) -> None:
    found = mode_score(logits, torch.full((4,), 25))
    assert found["mode_score"] == pytest.approx(score, rel=1e-6)
    assert found["mode_score_reversed"] == pytest.approx(turned_round, rel=1e-6, abs=1e-12)


def test_the_mode_score_is_biased_downwards_by_about_what_is_said() -> None:
    random = torch.Generator().manual_seed(0)
    draws = [SURE[torch.randint(4, (50,), generator=random)] for _ in range(2000)]
    logs = torch.tensor([math.log(mode_score(one, torch.ones(4))["mode_score"]) for one in draws])
    assert math.log(4) - logs.mean() == pytest.approx(3 / 100, rel=0.05)


def test_the_mode_score_refuses_other_classes_and_one_without_training_images() -> None:
    with pytest.raises(InputError, match=r"4 classes of training images .* with 3 of logits"):
        mode_score(features(5, 3), torch.ones(4))
    with pytest.raises(InputError, match="no training image is of class 1"):
        mode_score(features(5, 3), torch.tensor([4, 0, 1]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "elements", "paired"), [(2, 2**25, 1000), (57, 2**25, 1000), (57, 300, 1000), (57, 2**25, 10)])
def test_diversity_is_the_mean_of_all_pairwise_distances(
    n: int, elements: int, paired: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_metrics, "_ELEMENTS", elements)
    monkeypatch.setattr(feature_metrics, "_PAIRED", paired)
    points = features(n, 7, mean=3.0).to(dtype)
    assert diversity(points) == pytest.approx(float(torch.pdist(points.double()).mean()), rel=1e-12)


def test_diversity_is_known_for_few_points_and_falls_to_nothing_as_they_collapse() -> None:
    triangle = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    assert diversity(triangle) == pytest.approx(4.0)
    assert diversity(triangle[[0, 0, 1]]) == pytest.approx(2.0)  # 0, 3 and 3
    assert diversity(triangle[:1].expand(1500, 2)) < 1e-6
    near = 1000 + 1e-4 * features(1200, 3)
    assert diversity(near) == pytest.approx(float(torch.pdist(near.double()).mean()), rel=1e-6)
    scaled = [diversity(spread * features(300)) for spread in (1.0, 0.5, 0.1, 0.0)]
    assert scaled == pytest.approx([scaled[0], 0.5 * scaled[0], 0.1 * scaled[0], 0.0])


def test_diversity_takes_blocks_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    cdist, sizes = torch.cdist, []

    def noted(a: Tensor, b: Tensor) -> Tensor:
        sizes.append(len(a) * len(b))
        return cdist(a, b)

    monkeypatch.setattr(torch, "cdist", noted)
    monkeypatch.setattr(feature_metrics, "_ELEMENTS", 1400)
    diversity(features(200))
    assert max(sizes) <= 1400


def test_random_streams_are_not_touched_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    def draw() -> tuple[float, float, float]:
        return torch.rand(()).item(), np.random.rand(), random.random()

    def measure() -> list[dict[str, float]]:
        real, fake = features(50), features(50, seed=1)
        scores = [inception_score(real), mode_score(real, torch.ones(16)), {"diversity": diversity(real)}]
        return [kid(real, fake, subsets=3, subset_size=20), prdc(real, fake), *scores]

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
    [
        (kid, 1, 2),
        (prdc, 5, 6),
        (lambda real, fake: inception_score(fake), 9, 10),
        (lambda real, fake: mode_score(fake, torch.ones(16)), 0, 1),
        (lambda real, fake: diversity(fake), 1, 2),
    ],
    ids=["kid", "prdc", "inception score", "mode score", "diversity"],
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
