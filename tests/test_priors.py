"""Latent distributions against scipy, and the ways between their draws."""

import math

import pytest
import torch
from scipy import stats

from lightning_gans.errors import InputError
from lightning_gans.labelled_priors import MixtureOfGaussians, SwissRoll
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


@pytest.mark.parametrize("prior", [Uniform(5), Normal(5), MixtureOfGaussians()])
def test_a_generator_decides_the_draw_and_the_global_stream_does_otherwise(prior):
    assert torch.equal(draw(prior, 8), draw(prior, 8))
    assert not torch.equal(draw(prior, 8), draw(prior, 8, seed=1))
    torch.manual_seed(5)
    first = prior.sample(8)
    torch.manual_seed(5)
    assert torch.equal(first, prior.sample(8))


@pytest.mark.parametrize("prior", [Uniform(6), Normal(6), MixtureOfGaussians()])
def test_an_interpolation_starts_and_ends_at_the_given_latents(prior):
    a, b = draw(prior, 4), draw(prior, 4, seed=1)
    way = prior.interpolate(a, b, 7)
    assert way.shape == (7, 4, prior.dim)
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
    ("prior", "exact"), [(Uniform(2, -3, 1), stats.uniform(-3, 4)), (Normal(2, std=5.0), stats.norm(0, 5))]
)
def test_the_manifold_of_two_numbers_has_each_pair_of_percentiles_once(prior, exact):
    ways = prior.manifold(4)
    assert [*ways] == ["z2 at 87.5%", "z2 at 62.5%", "z2 at 37.5%", "z2 at 12.5%"]
    shares = torch.from_numpy(exact.cdf(torch.stack([*ways.values()]).double().numpy())).float()
    each = torch.tensor([0.125, 0.375, 0.625, 0.875])
    torch.testing.assert_close(shares[..., 0], each.expand(4, 4))
    torch.testing.assert_close(shares[..., 1], each.flip(0)[:, None].expand(4, 4))
    assert type(prior)(3).manifold(4) == {}


def test_the_manifold_of_a_mixture_walks_along_the_middle_of_each_petal():
    prior = MixtureOfGaussians(5, radius=2.0, along=0.3, across=0.01)
    ways = prior.manifold(7)
    assert [*ways] == [f"component {number}" for number in range(5)]
    for petal, way in zip(petals(prior), ways.values(), strict=True):
        centre = torch.from_numpy(petal.mean)
        out = centre / centre.norm()
        walked = (way.double() - centre) @ out
        expected = torch.from_numpy(stats.norm(0, 0.3).ppf((torch.arange(7) + 0.5) / 7))
        torch.testing.assert_close(walked, expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(way.double() - centre, walked[:, None] * out, rtol=0, atol=1e-6)


def test_the_manifold_of_a_swiss_roll_walks_along_each_stretch_of_it():
    prior = SwissRoll(4, radius=2.0)
    ways = torch.stack([*prior.manifold(5).values()])
    u = (ways.norm(dim=2) / 2).square()
    torch.testing.assert_close(u.flatten(), (torch.arange(20) + 0.5) / 20)
    torch.testing.assert_close(prior.project(ways.flatten(0, 1)), ways.flatten(0, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Uniform(0), "0"),
        (lambda: Normal(-3), "-3"),
        (lambda: Uniform(2, low=1, high=1), "low < high"),
        (lambda: Uniform(2, low=1, high=-1), "low < high"),
        (lambda: Normal(2, std=0), "positive and finite std"),
        (lambda: Normal(2, std=float("nan")), "positive and finite std"),
        (lambda: MixtureOfGaussians(0), "at least one component, not 0"),
        (lambda: MixtureOfGaussians(radius=-1.0), "-1.0"),
        (lambda: MixtureOfGaussians(along=0.0), "positive along and across"),
        (lambda: MixtureOfGaussians(across=float("nan")), "nan"),
    ],
)
def test_an_impossible_prior_is_refused(make, named):
    with pytest.raises(InputError, match=named):
        make()


FLOWERS = [MixtureOfGaussians(), MixtureOfGaussians(3, radius=2.0, along=0.2, across=0.6), MixtureOfGaussians(2, 1.0, 0.2, 0.2)]
flowers = pytest.mark.parametrize("prior", FLOWERS, ids=repr)


def petals(prior):
    """The components by scipy: each turned by its angle."""
    for k in range(prior.components):
        angle = torch.tensor(2 * torch.pi * k / prior.components, dtype=torch.float64)
        turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
        covariance = turn @ torch.diag(torch.tensor([prior.along, prior.across], dtype=torch.float64) ** 2) @ turn.T
        yield stats.multivariate_normal((turn[:, 0] * prior.radius).numpy(), covariance.numpy())


@flowers
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.float64, 1e-10)])
def test_the_mixtures_log_prob_is_scipys(prior, dtype, tolerance):
    z = torch.cat([draw(prior, 200), 3 * draw(Normal(2), 20)]).to(dtype)
    joint = [torch.from_numpy(petal.logpdf(z.double().numpy())) for petal in petals(prior)]
    joint = torch.stack(joint, 1) - math.log(prior.components)
    assert prior.log_prob(z).dtype == dtype
    torch.testing.assert_close(prior.log_joint(z).double(), joint, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(prior.log_prob(z).double(), joint.logsumexp(1), rtol=tolerance, atol=tolerance)


@flowers
def test_draws_of_the_mixture_are_as_dense_as_it_says(prior):
    """As often in each petal, and with the mean and spread of each; the mean log-density is minus the entropy."""
    z = draw(prior, 50_000).double()
    centres = torch.stack([torch.as_tensor(petal.mean) for petal in petals(prior)])
    assert torch.allclose(z.mean(0), centres.mean(0), atol=0.02)
    spread = sum(torch.as_tensor(p.cov) + torch.outer(c, c) for p, c in zip(petals(prior), centres, strict=True))
    assert torch.allclose(z.T @ z / len(z), spread / prior.components, atol=0.05)
    counts = prior.log_joint(z).argmax(1).bincount(minlength=prior.components)
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    axis = torch.linspace(-6, 6, 1201, dtype=torch.float64)
    density = prior.log_prob(torch.cartesian_prod(axis, axis)).exp()
    cell = (axis[1] - axis[0]) ** 2
    assert density.sum() * cell == pytest.approx(1, abs=1e-6)
    assert prior.log_prob(z).mean() == pytest.approx(float((density * density.clamp(min=1e-300).log()).sum() * cell), abs=0.02)


def test_a_way_between_petals_stays_where_the_mixture_is():
    prior = MixtureOfGaussians()
    a, b = draw(prior, 300).double(), draw(prior, 300, seed=1).double()
    way = prior.interpolate(a, b, 41)
    ends = torch.stack([prior.log_prob(a), prior.log_prob(b), prior.log_prob(torch.zeros_like(a))])
    lowest = prior.log_prob(way.flatten(0, 1)).view(41, 300).amin(0)
    assert bool((lowest > ends.amin(0) - 1.5).all())
    chord = prior.log_prob((a + b) / 2)
    assert chord.quantile(0.1) < ends.amin() - 5, "a straight way would have done"
    alike = prior.log_joint(a).argmax(1) == prior.log_joint(b).argmax(1)
    torch.testing.assert_close(way[20][alike], ((a + b) / 2)[alike])
    steps = (way[1:] - way[:-1])[:, ~alike].norm(dim=2)
    turn = steps.argmin(0)  # the step around the origin is a short cut
    steps[turn, torch.arange(steps.shape[1])] = steps.amax(0)
    torch.testing.assert_close(steps, steps[:1].expand_as(steps))


def test_a_way_from_the_origin_is_finite():
    way = MixtureOfGaussians().interpolate(torch.zeros(2, 2), torch.tensor([[0.0, 0.0], [1.0, 0.5]]), 5)
    assert way.isfinite().all()
    torch.testing.assert_close(way[-1], torch.tensor([[0.0, 0.0], [1.0, 0.5]]))


def test_a_prior_prints_its_settings():
    assert repr(Normal(4, std=0.5)) == "Normal(dim=4, std=0.5)"


def test_the_mixture_keeps_its_precision_under_autocast() -> None:
    z = MixtureOfGaussians().sample(500, torch.Generator().manual_seed(0))
    expected = MixtureOfGaussians().log_prob(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(MixtureOfGaussians().log_prob(z), expected)
