"""Frechet distances beside closed forms and other packages, and sums beside those of the whole."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torchmetrics.image.fid import _compute_fid

from lightning_gans.errors import InputError
from lightning_gans.evaluation.features.frechet import FeatureSums, Gaussian, frechet_distance, of_draws
from tests.helpers import on_ranks


def features(n: int, dim: int, seed: int = 0, scale: float = 1.0, mean: float = 0.0) -> Tensor:
    """Correlated and not Gaussian, as those of a network are."""
    mixing = torch.randn(dim, dim, generator=torch.Generator().manual_seed(99)).double() / math.sqrt(dim)
    draws = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)).double()
    return scale * (draws @ mixing).relu() + mean


def gaussian(samples: Tensor, shift: Tensor | None = None) -> Gaussian:
    sums = FeatureSums(samples.shape[1], shift)
    for some in samples.split(37):
        sums.update(some)
    return sums.gaussian()


def distance(real: Tensor, fake: Tensor) -> float:
    return frechet_distance(gaussian(real), gaussian(fake))


def exact_distance(real: Tensor, fake: Tensor) -> float:
    """The trace of the root as the nuclear norm of the product of the centred sets, which needs no root."""
    x, y = ((some - some.mean(0)) / math.sqrt(len(some) - 1) for some in (real, fake))
    traces = x.square().sum() + y.square().sum() - 2 * torch.linalg.svdvals(x @ y.T).sum()
    return float((real.mean(0) - fake.mean(0)).square().sum() + traces)


def normal(mean: list[float], variances: list[float], n: int = 1000) -> Gaussian:
    return Gaussian(torch.tensor(mean).double(), torch.tensor(variances).double().diag(), n)


@pytest.mark.parametrize(("n", "m", "dim"), [(400, 300, 1), (400, 300, 64), (900, 1000, 192)])
def test_the_distance_is_that_of_torch_fidelity_torchmetrics_and_scipy(n: int, m: int, dim: int) -> None:
    real, fake = features(n, dim), features(m, dim, 1, 1.3, 0.1)
    ours = distance(real, fake)
    if dim > 1:  # numpy.cov of one feature is no matrix
        theirs = fid_statistics_to_metric(fid_features_to_statistics(real), fid_features_to_statistics(fake), verbose=False)
        assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
    a, b = gaussian(real), gaussian(fake)
    assert ours == pytest.approx(_compute_fid(a.mean, a.covariance, b.mean, b.covariance).item(), rel=1e-6)
    root = np.trace(sqrtm((a.covariance @ b.covariance).numpy()).real)
    assert ours == pytest.approx(float((a.mean - b.mean).square().sum() + (a.covariance + b.covariance).trace() - 2 * root))
    assert ours == pytest.approx(distance(fake, real), rel=1e-9)


@pytest.mark.parametrize(
    ("real", "fake", "expected"),
    [
        (normal([1], [4]), normal([4], [0.25]), 9 + 1.5**2),
        (normal([0, 1], [9, 1]), normal([0, 0], [1, 4]), 1 + 4 + 1),
        (normal([2, 0], [1, 0]), normal([0, 0], [1, 25]), 4 + 25),
        (normal([0, 0], [0, 0]), normal([3, 4], [0, 0]), 25),
    ],
)
def test_the_distance_of_normal_distributions_is_the_closed_form(real: Gaussian, fake: Gaussian, expected: float) -> None:
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(20, 30), (20, 500), (500, 20), (64, 64), (65, 64), (64, 65), (66, 66)])
def test_sets_with_fewer_samples_than_features_are_exact(n: int, m: int) -> None:
    real, fake = features(n, 64), features(m, 64, 1, 1.2)
    assert distance(real, fake) == pytest.approx(exact_distance(real, fake), rel=1e-9)


@pytest.mark.parametrize("n", [2, 9, 50, 2000])
def test_draws_of_a_gaussian_are_as_far_from_it_as_draws_are(n: int) -> None:
    real = gaussian(features(500, 10, mean=3.0))
    found = of_draws(real, n)
    assert found.n == n
    assert torch.linalg.matrix_rank(found.covariance) == min(n - 1, 10)
    again = of_draws(real, n)
    assert torch.equal(again.mean, found.mean)
    assert torch.equal(again.covariance, found.covariance)
    random, distances = torch.Generator().manual_seed(0), []
    for _ in range(40):
        normal_numbers = torch.randn(n, 10, generator=random, dtype=torch.float64)
        distances.append(frechet_distance(real, gaussian(real.mean + normal_numbers @ real.root)))
    assert frechet_distance(real, found) == pytest.approx(np.mean(distances), abs=4 * np.std(distances))


def test_many_draws_in_many_dimensions_are_away_by_the_formula() -> None:
    dim, n = 200, 40_000
    plain = Gaussian(torch.zeros(dim).double(), torch.eye(dim).double(), 100_000)
    expected = dim / n + dim * (dim + 1) / (4 * n)  # to the first order in 1 / n
    assert frechet_distance(plain, of_draws(plain, n)) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("n", [10, 200])
def test_equal_sets_are_at_no_distance(n: int) -> None:
    real = features(n, 64)
    size = float(gaussian(real).covariance.trace())
    assert abs(distance(real, real.clone())) < 1e-7 * size
    assert abs(distance(real, real.flip(0))) < 1e-7 * size


@pytest.mark.parametrize("n", [10, 200])
def test_a_generator_that_collapsed_is_as_far_as_its_point(n: int) -> None:
    real, point = features(n, 64), torch.full((64,), 2.0).double()
    expected = (real.mean(0) - point).square().sum() + real.var(0).sum()
    assert distance(real, point.expand(50, 64)) == pytest.approx(float(expected), rel=1e-7)


@pytest.mark.parametrize(("n", "expected"), [(101, 0), (100, 2 * 99 * 3e-8)])
def test_small_variances_count_where_there_are_samples_enough(n: int, expected: float) -> None:
    small = normal([0.0] * 100, [1.0] + [3e-8] * 99, n)
    assert frechet_distance(small, small) == pytest.approx(expected, abs=1e-9)


def test_a_generator_that_repeats_itself_is_as_far_as_its_few_samples() -> None:
    real, fake = features(500, 64), features(10, 64, 1).repeat(20, 1)
    assert distance(real, fake) == pytest.approx(exact_distance(real, fake), rel=1e-3)


def test_the_root_is_symmetric_squares_to_the_covariance_and_can_be_given() -> None:
    found = gaussian(features(100, 16))
    assert torch.allclose(found.root, found.root.T, rtol=0, atol=1e-14)
    assert torch.allclose(found.root @ found.root, found.covariance, rtol=0, atol=1e-14)
    assert found.root is found.root
    given, other = gaussian(features(100, 16)), gaussian(features(100, 16, 1))
    given.root = torch.zeros(16, 16).double()
    assert frechet_distance(given, other) == pytest.approx(
        float((given.mean - other.mean).square().sum() + (given.covariance + other.covariance).trace())
    )


@pytest.mark.parametrize("shift", [None, torch.full((8,), 3.1).double() + 1e-9])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_mean_and_covariance_are_numpys_of_the_same_numbers(shift: Tensor | None, dtype: torch.dtype) -> None:
    given = features(500, 8, mean=3.0).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        found = gaussian(given, shift)
    assert found.n == 500
    assert found.mean.dtype == found.covariance.dtype == torch.float64
    np.testing.assert_allclose(found.mean.numpy(), given.double().numpy().mean(0), rtol=1e-13)
    np.testing.assert_allclose(found.covariance.numpy(), np.cov(given.double().numpy(), rowvar=False), rtol=1e-11, atol=1e-13)


def test_a_shift_keeps_digits_where_the_mean_is_far_from_zero() -> None:
    near = features(500, 8)
    far = near + 1e7
    expected = np.cov((far - 1e7).numpy(), rowvar=False)
    found = gaussian(far, torch.full((8,), 1e7)).covariance
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("sizes", [(500,), (0, 499, 0, 1), (250, 250), (1, 2, 3, 494)])
def test_sums_of_shares_are_those_of_the_whole(sizes: tuple[int, ...]) -> None:
    given, shift = features(500, 16, mean=2.0), torch.full((16,), 2.0)
    whole, merged = gaussian(given, shift), FeatureSums(16, shift)
    for share in given.split(sizes):
        merged.update(share)
    assert merged.n == 500
    assert torch.allclose(merged.mean, whole.mean, rtol=1e-12, atol=0)
    assert torch.allclose(merged.covariance, whole.covariance, rtol=1e-12, atol=1e-13)


def test_sums_keep_no_graph_and_outlive_inference_mode() -> None:
    weight = torch.ones(4, requires_grad=True)
    with torch.inference_mode():
        sums = FeatureSums(4, shift=torch.ones(4))
    sums.update(features(5, 4).float() * weight)
    sums.update(features(5, 4, 1).float() * weight)
    assert sums.n == 10
    assert not sums.covariance.requires_grad


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 4), (5, 3, 1)])
def test_features_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"\(N, 3\)"):
        FeatureSums(3).update(torch.zeros(shape))


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_samples_are_refused(n: int) -> None:
    with pytest.raises(InputError, match=f"not of {n}"):
        gaussian(torch.zeros(n, 3))
    with pytest.raises(InputError, match=f"not of {n}"):
        frechet_distance(normal([0], [1]), normal([0], [1], n))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_features_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="NaN or infinite"):
        gaussian(torch.tensor([[0.0], [bad], [1.0]]))


def test_features_of_different_networks_are_refused() -> None:
    with pytest.raises(InputError, match="of 1 and of 2 dimensions"):
        frechet_distance(normal([0], [1]), normal([0, 0], [1, 1]))


@pytest.mark.parametrize("first", [500, 123, 0])
def test_two_ranks_with_any_shares_find_what_one_does(tmp_path: Path, first: int) -> None:
    given, shift = features(500, 16, mean=2.0), torch.full((16,), 2.0)
    whole = gaussian(given, shift)

    def work(rank: int) -> None:
        sums = FeatureSums(16, shift)
        for some in given.split([first, 500 - first])[rank].split(100):
            sums.update(some)
        sums.all_reduce()
        torch.save(sums.gaussian(), tmp_path / f"{rank}.pt")

    on_ranks(work, tmp_path)
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in (0, 1)]
    assert torch.equal(found[0].covariance, found[1].covariance)
    assert found[0].n == 500
    assert torch.allclose(found[0].mean, whole.mean, rtol=1e-12, atol=0)
    assert torch.allclose(found[0].covariance, whole.covariance, rtol=1e-12, atol=1e-13)


@pytest.mark.gpu
def test_a_gpu_finds_what_the_processor_does() -> None:
    real, fake = features(300, 64), features(300, 64, 1, 1.2)
    sums = FeatureSums(64, gaussian(real).mean, "cuda")
    sums.update(fake.cuda())
    assert frechet_distance(gaussian(real), sums.gaussian()) == pytest.approx(distance(real, fake), rel=1e-9)
