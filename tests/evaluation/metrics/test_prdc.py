"""Precision, recall, density and coverage beside torch-fidelity and brute force."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_prc import calculate_precision_recall_full

from lightning_gans.errors import InputError
from lightning_gans.evaluation.metrics import checks
from lightning_gans.evaluation.metrics.prdc import prdc
from tests.evaluation.metrics.draws import features


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
    monkeypatch.setattr(checks, "ELEMENTS", 1400)
    assert prdc(real, fake) == pytest.approx(whole)
    assert max(sizes) == 1400
    assert sum(sizes) == 200 * 200 + 150 * 150 + 200 * 150


@pytest.mark.parametrize(("k", "precision_k"), [(2, 6), (6, 2)])
def test_balls_to_the_kth_neighbour_need_more_samples_than_k(k: int, precision_k: int) -> None:
    prdc(features(7), features(7), k, precision_k)
    with pytest.raises(InputError, match="of 6, and 7 or more"):
        prdc(features(7), features(6), k, precision_k)
