"""Densities against scikit-learn and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KernelDensity

from lightning_gans import InputError
from lightning_gans.evaluation.probes.densities import density_kl_1d, log_density, parzen_log_likelihood

PIXELS = load_digits(return_X_y=True)[0] / 16


@pytest.mark.parametrize("sigma", [0.1, 0.7])
def test_log_densities_are_scikit_learns(sigma, monkeypatch):
    monkeypatch.setattr("lightning_gans.evaluation.probes.densities._KERNELS_AT_ONCE", 3001)  # blocks that do not divide
    exact = KernelDensity(bandwidth=sigma, leaf_size=1000)  # with several leaves it is off by up to 161 nats here
    reference = exact.fit(PIXELS[:300]).score_samples(PIXELS[300:350])
    found = log_density(torch.from_numpy(PIXELS[300:350]).float(), PIXELS[:300].reshape(-1, 8, 8), [2.0, sigma])
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found[:, 1], reference, rtol=1e-9)


def test_sigma_is_the_one_that_suits_the_first_thousand_validation_examples():
    random = np.random.default_rng(0)
    samples, test = random.standard_normal((500, 2)), random.standard_normal((200, 2))
    validation = np.concatenate([random.standard_normal((1000, 2)), 100 + np.zeros((500, 2))])
    sigmas = [0.01, 0.35, 5.0]
    scores = [KernelDensity(bandwidth=s).fit(samples).score(validation[:1000]) for s in sigmas]
    found = parzen_log_likelihood(samples, test, validation, sigmas=sigmas)
    assert found.sigma == sigmas[int(np.argmax(scores))] == 0.35
    assert found == parzen_log_likelihood(samples, test, sigma=0.35)
    each = KernelDensity(bandwidth=0.35).fit(samples).score_samples(test)
    assert found.log_likelihood.mean == pytest.approx(each.mean())
    assert found.log_likelihood.standard_error == pytest.approx(each.std() / math.sqrt(200))
    truth = -math.log(2 * math.pi) - 1  # mean log-density of the normal that all are drawn from
    assert found.log_likelihood.mean == pytest.approx(truth, abs=0.3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "either validation examples.*or a sigma"),
        ({"sigma": 1.0, "validation": np.ones((2, 3))}, "either validation examples.*or a sigma"),
        ({"sigma": 0.0}, "must be above 0"),
        ({"sigma": 1.0, "test": np.ones((2, 4))}, "samples have 3 dimensions.* 4"),
        ({"sigma": 1.0, "samples": np.full((2, 3), np.inf)}, "finite"),
        ({"sigma": 1.0, "samples": np.ones((0, 3))}, "there are none"),
    ],
)
def test_parzen_windows_that_cannot_be_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        parzen_log_likelihood(**{"samples": np.ones((2, 3)), "test": np.ones((2, 3)), **change})


@pytest.mark.parametrize(("shift", "std"), [(0.0, 1.0), (0.5, 1.0), (0.0, 0.6), (-1.0, 0.8)])
def test_the_divergence_of_two_gaussians_is_its_closed_form(shift, std):
    n = 10_000
    real, fake = np.random.default_rng(0).standard_normal((2, n))
    found = density_kl_1d(real, shift + std * fake)
    h = n**-0.2
    p, q = math.hypot(1, h), math.hypot(std, h)  # kernels at_least_float32 both
    expected = math.log(p / q) + (q**2 + shift**2) / (2 * p**2) - 0.5
    assert found.kl == pytest.approx(expected, abs=0.005, rel=0.05)
    assert found.bandwidth == pytest.approx(h, rel=0.02)
    assert float(torch.trapezoid(found.real, found.grid)) == pytest.approx(1, abs=1e-4)
    assert float(torch.trapezoid(found.fake, found.grid)) == pytest.approx(1, abs=1e-4)


def test_samples_are_summarised_by_the_mean_of_their_dimensions():
    real, fake = torch.rand(500, 1, 4, 4), torch.rand(300, 1, 4, 4) - 0.1
    assert density_kl_1d(real, fake).kl == pytest.approx(density_kl_1d(real.mean((1, 2, 3)), fake.mean((1, 2, 3))).kl, rel=1e-4)
    assert density_kl_1d(real, real).kl == pytest.approx(0, abs=1e-12)


def test_a_collapsed_generator_diverges_far_but_finitely_and_collapsed_data_is_refused():
    real, collapsed = torch.randn(1000), torch.zeros(1000)
    assert 0.5 < density_kl_1d(real, collapsed).kl < density_kl_1d(real, collapsed + 20).kl < math.inf
    with pytest.raises(InputError, match="same mean"):
        density_kl_1d(collapsed, real)
