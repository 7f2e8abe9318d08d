"""Latent distributions against scipy, and the ways between their draws."""

import pytest
import torch
from scipy import stats

from lightning_gans.errors import InputError
from lightning_gans.priors import Normal, Uniform

REFERENCES = [
    pytest.param(Uniform(3), stats.uniform(-1, 2), id="uniform"),
    pytest.param(Uniform(2, 0, 5), stats.uniform(0, 5), id="wide uniform"),
    pytest.param(Normal(4), stats.norm(0, 1), id="normal"),
    pytest.param(Normal(2, std=0.3), stats.norm(0, 0.3), id="narrow normal"),
]


def draw(prior, n: int, seed: int = 0) -> torch.Tensor:
    return prior.sample(n, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("prior", "exact"), REFERENCES)
def test_draws_follow_the_distribution_and_their_numbers_are_independent(prior, exact):
    z = draw(prior, 20_000)
    assert z.shape == (20_000, prior.dim)
    assert stats.kstest(z.flatten().numpy(), exact.cdf).pvalue > 0.01
    off_diagonal = torch.corrcoef(z.T) - torch.eye(prior.dim)
    assert off_diagonal.abs().max() < 5 / 20_000**0.5


def test_uniform_draws_stay_within_their_bounds_and_come_near_them():
    z = draw(Uniform(2, low=-3, high=0.5), 20_000)
    assert -3 <= z.min() < -2.99
    assert 0.49 < z.max() <= 0.5


@pytest.mark.parametrize(("prior", "exact"), REFERENCES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_log_prob_is_scipys_to_the_precision_of_the_latents(prior, exact, dtype, tolerance):
    z = draw(prior, 100).to(dtype)
    found = prior.log_prob(z)
    assert found.dtype == dtype
    expected = torch.from_numpy(exact.logpdf(z.double().numpy()).sum(axis=1))
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


def test_a_latent_outside_the_uniform_bounds_has_no_density():
    assert Uniform(2).log_prob(torch.tensor([[0.0, 1.1], [-1.1, 0.0]])).eq(-torch.inf).all()


@pytest.mark.parametrize("prior", [Uniform(5), Normal(5)])
def test_a_generator_decides_the_draw_and_the_global_stream_does_otherwise(prior):
    assert torch.equal(draw(prior, 8), draw(prior, 8))
    assert not torch.equal(draw(prior, 8), draw(prior, 8, seed=1))
    torch.manual_seed(5)
    first = prior.sample(8)
    torch.manual_seed(5)
    assert torch.equal(first, prior.sample(8))


@pytest.mark.parametrize("prior", [Uniform(6), Normal(6)])
def test_an_interpolation_starts_and_ends_at_the_given_latents(prior):
    a, b = draw(prior, 4), draw(prior, 4, seed=1)
    way = prior.interpolate(a, b, 7)
    assert way.shape == (7, 4, 6)
    torch.testing.assert_close(way[0], a)
    torch.testing.assert_close(way[-1], b)


def test_a_uniform_interpolation_is_straight_and_stays_inside():
    prior = Uniform(6)
    a, b = draw(prior, 50), draw(prior, 50, seed=1)
    way = prior.interpolate(a, b, 5)
    torch.testing.assert_close(way[2], (a + b) / 2)
    assert prior.log_prob(way.flatten(0, 1)).isfinite().all()


def test_a_normal_interpolation_keeps_the_norm_and_turns_by_equal_angles():
    a, b = (torch.nn.functional.normalize(draw(Normal(16), 5, seed).double()) * 4 for seed in (0, 1))
    way = Normal(16).interpolate(a, b, 9)
    torch.testing.assert_close(way.norm(dim=2), torch.full((9, 5), 4.0, dtype=torch.float64))
    turns = torch.cosine_similarity(way[1:], way[:-1], dim=2)
    torch.testing.assert_close(turns, turns[:1].expand_as(turns))


@pytest.mark.parametrize("factor", [1.0, 2.5, -1.0])
def test_a_normal_interpolation_between_parallel_latents_is_finite_and_hits_both_ends(factor):
    a = draw(Normal(8), 3)
    way = Normal(8).interpolate(a, factor * a, 4)
    assert way.isfinite().all()
    torch.testing.assert_close(way[0], a)
    torch.testing.assert_close(way[-1], factor * a)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Uniform(0), "0"),
        (lambda: Normal(-3), "-3"),
        (lambda: Uniform(2, low=1, high=1), "low < high"),
        (lambda: Uniform(2, low=1, high=-1), "low < high"),
        (lambda: Normal(2, std=0), "positive std"),
        (lambda: Normal(2, std=float("nan")), "positive std"),
    ],
)
def test_an_impossible_prior_is_refused(make, named):
    with pytest.raises(InputError, match=named):
        make()


def test_a_prior_prints_its_settings():
    assert repr(Normal(4, std=0.5)) == "Normal(dim=4, std=0.5)"
