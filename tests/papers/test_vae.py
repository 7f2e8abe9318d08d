"""VAE against its formulas, written out in plain torch."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Laplace
from torch.distributions import Normal as TorchNormal

from lightning_gans import MLP, VAE, Adam, Images, InputError, MixtureOfGaussians, Normal, Uniform
from lightning_gans.priors import Empirical
from lightning_gans.protocols import Encodes, Features
from lightning_gans.randomness import keyed_generator
from tests.games import IMAGE
from tests.games.vae import make_image_vae, make_vae
from tests.helpers import COMMON, arguments, fit, furthest, matters, record_arguments, record_turns, sgd_step, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=1e-3), "scheduler": None}
X = torch.rand(6, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def make(**settings: Any) -> VAE:
    return make_vae(**settings).double()


def by_hand(game: VAE, x: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
    """Minus E log p(x|z) and KL, draw by draw, by torch's distributions."""
    numbers = game.encoder(x)
    mu, v = numbers[:, : game.prior.dim], numbers[:, game.prior.dim :]
    likelihoods, divergences = [], []
    for draw in range(epsilon.shape[1]):
        z = mu + (v / 2).exp() * epsilon[:, draw]
        again = game.generator(z).flatten(1)
        match game.likelihood:
            case "bernoulli":
                p: Distribution = Bernoulli(probs=again, validate_args=False)
            case "gaussian":
                p = TorchNormal(again, game.sigma)
            case "laplace":
                p = Laplace(again, game.sigma)
        likelihoods.append(p.log_prob(x.flatten(1)).sum(1))
        divergences.append(TorchNormal(mu, (v / 2).exp()).log_prob(z).sum(1) - game.prior.log_prob(z))
    if game.kl == "closed":
        divergences = [-0.5 * (1 + v - mu**2 - v.exp()).sum(1)]
    return -torch.stack(likelihoods).mean(), torch.stack(divergences).mean()


@pytest.mark.parametrize("kl", ["closed", "monte_carlo"])
@pytest.mark.parametrize("draws", [1, 4])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "laplace"])
def test_both_terms_are_sums_over_dimensions_and_means_over_the_batch(likelihood: Any, draws: int, kl: Any) -> None:
    game = make(likelihood=likelihood, draws=draws, kl=kl, sigma=0.2)
    epsilon = torch.randn(6, draws, 2, dtype=torch.float64)
    torch.testing.assert_close(game.terms(X, epsilon), by_hand(game, X, epsilon))


def test_the_terms_of_images_are_sums_over_their_pixels() -> None:
    game = make_image_vae().double()
    x, epsilon = torch.rand(5, *IMAGE, dtype=torch.float64), torch.randn(5, 2, 4, dtype=torch.float64)
    torch.testing.assert_close(game.terms(x, epsilon), by_hand(game, x, epsilon))
    assert game.terms(x, epsilon)[0].item() == pytest.approx(64 * math.log(2), rel=0.1)


@pytest.mark.parametrize("prior", [MixtureOfGaussians(), MixtureOfGaussians(3, 0.5, 2.0, 1.0)])
def test_a_prior_other_than_the_normal_is_met_at_draws(prior: Any) -> None:
    game = make(prior=prior, draws=3)
    assert game.kl == "monte_carlo"
    epsilon = torch.randn(6, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(game.terms(X, epsilon), by_hand(game, X, epsilon))


@pytest.mark.parametrize("prior", [Uniform(2), Empirical(2)])
def test_a_prior_without_a_density_everywhere_is_refused(prior: Any) -> None:
    with pytest.raises(InputError, match=r"density everywhere.*set prior to Normal"):
        VAE(prior=prior)


@pytest.mark.parametrize("std", [1.0, 5.0])
def test_draws_estimate_the_closed_divergence(std: float) -> None:
    closed, estimated = (make(prior=Normal(2, std), kl=kl) for kl in ("closed", "monte_carlo"))
    epsilon = torch.randn(6, 40_000, 2, dtype=torch.float64)
    assert estimated.terms(X, epsilon)[1].item() == pytest.approx(closed.terms(X, epsilon)[1].item(), rel=0.01)
    assert make().kl == "closed"


def test_values_in_nats_on_a_sample_that_fits_and_one_that_does_not() -> None:
    """Two pixels, of which the generator always says 1/2."""
    half = nn.Linear(2, 2)
    nn.init.zeros_(half.weight)
    nn.init.constant_(half.bias, 0.5)
    z = torch.zeros(2, 2)
    x = torch.tensor([[0.5, 0.5], [0.9, 0.2]])
    gaussian, laplace = (make_vae(generator=half, likelihood=kind, sigma=0.1) for kind in ("gaussian", "laplace"))
    at_most = -math.log(2 * math.pi * 0.01)
    torch.testing.assert_close(gaussian.log_density(x, z), torch.tensor([at_most, at_most - (0.16 + 0.09) / 0.02]))
    at_most = -2 * math.log(0.2)
    torch.testing.assert_close(laplace.log_density(x, z), torch.tensor([at_most, at_most - (0.4 + 0.3) / 0.1]))
    flat = MLP(2, 2, (4,), output="sigmoid")
    for parameter in flat.parameters():
        nn.init.zeros_(parameter)
    bernoulli = make_vae(generator=flat, likelihood="bernoulli")
    torch.testing.assert_close(bernoulli.log_density(x, z), torch.full((2,), -2 * math.log(2)))


def noise(game: VAE, step: int, n: int = 32) -> Tensor:
    return torch.randn(n, game.draws, game.prior.dim, generator=keyed_generator("noise", 0, step, 1))


@pytest.mark.parametrize("settings", [{}, {"beta": 3.0, "draws": 2}, {"kl": "monte_carlo"}, {"prior": MixtureOfGaussians()}])
def test_training_descends_the_bound(settings: dict[str, Any]) -> None:
    game = make_vae(**settings, **sgd)
    seen = record_arguments(game, "training_step")
    fit(game, 2)
    reference = make_vae(**settings)
    for step, (batch, _) in enumerate(seen):
        likelihood, kl = by_hand(reference, batch.images, noise(reference, step))
        sgd_step([reference.encoder, reference.generator], likelihood + reference.beta * kl, rate=1e-3)
    assert furthest(state(game), state(reference)) < 1e-6
    assert furthest(state(game), state(make_vae(**settings))) > 1e-4


def test_one_turn_moves_both_networks() -> None:
    turns = record_turns(game := make_vae())
    fit(game, 2)
    assert turns == [("autoencoder", ["encoder", "generator"])] * 2


@pytest.mark.parametrize(
    ("term", "kl", "reached"), [(0, None, "both"), (1, "closed", "encoder"), (1, "monte_carlo", "encoder")]
)
def test_the_likelihood_reaches_both_networks_and_the_divergence_the_encoder(term: int, kl: Any, reached: str) -> None:
    game = make(kl=kl)
    game.terms(X, torch.randn(6, 1, 2, dtype=torch.float64))[term].backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in game.encoder.stages["output"].parameters())
    assert any(p.grad is not None for p in game.generator.parameters()) == (reached == "both")


def test_without_its_weight_the_divergence_moves_nothing() -> None:
    fit(game := make_vae(beta=0.0, **sgd), 2)
    fit(other := make_vae(beta=0.0, prior=Normal(2, 9.0), **sgd), 2)
    assert furthest(state(game), state(other)) == 0


def test_terms_are_logged_in_nats() -> None:
    game = make_vae()
    calls: list[dict[str, Tensor]] = []
    remember = game._remember
    game._remember = lambda player, loss, terms: (calls.append({"loss": loss, **terms}), remember(player, loss, terms))[1]  # type: ignore[method-assign,func-returns-value]
    fit(game, 1)
    torch.testing.assert_close(calls[0]["loss"], calls[0]["likelihood"] + calls[0]["kl"])


# At the doors


def test_it_encodes_to_the_mean_or_with_a_generator_to_a_draw() -> None:
    game = make_vae(data_scale=4.0)
    assert encodes(game)
    points = torch.randn(5, 2)
    numbers = game.encoder(points / 8 + 0.5)
    torch.testing.assert_close(game.encode(points), numbers[:, :2])
    epsilon = torch.randn(5, 2, generator=torch.Generator().manual_seed(7))
    drawn = game.encode(points, generator=torch.Generator().manual_seed(7))
    torch.testing.assert_close(drawn, numbers[:, :2] + (numbers[:, 2:] / 2).exp() * epsilon)


def test_it_shows_layers_of_the_encoder() -> None:
    game = make_image_vae()
    assert shows_features(game)
    images = torch.rand(3, *IMAGE) * 2 - 1
    torch.testing.assert_close(game.features(images, ["conv1"])[0], game.encoder.stages["conv1"]((images + 1) / 2))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_latents_come_in_the_precision_of_the_networks_and_densities_in_no_less_than_32_bits(dtype: torch.dtype) -> None:
    game = make_vae().to(dtype)
    points = torch.randn(4, 2).to(dtype)
    assert game.encode(points).dtype == game.decode(game.encode(points)).dtype == dtype
    expected = torch.float64 if dtype == torch.float64 else torch.float32
    assert game.log_likelihood(points, torch.zeros(4, 2)).dtype == expected


# Bad settings


@pytest.mark.parametrize("wrong", [{"sigma": 0.0}, {"sigma": -1.0}, {"draws": 0}, {"beta": -1.0}, {"beta": float("nan")}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        VAE(**wrong)


def test_a_closed_divergence_from_other_priors_is_refused() -> None:
    with pytest.raises(InputError, match=r"Normal prior, but it is MixtureOfGaussians.*monte_carlo"):
        VAE(prior=MixtureOfGaussians(), kl="closed")


def test_a_bernoulli_needs_a_sigmoid_and_data_in_0_to_1() -> None:
    with pytest.raises(InputError, match=r"likelihood 'bernoulli' needs.*gaussian"):
        VAE(likelihood="bernoulli", generator=MLP(2, 2, output="tanh"), data_range=(-1.0, 1.0))
    with pytest.raises(InputError, match=r"data_range is \[-1\.0, 1\.0\]"):
        VAE(likelihood="bernoulli", data_range=(-1.0, 1.0))


def test_an_encoder_without_variances_is_refused_before_training() -> None:
    with pytest.raises(InputError, match="gives 2 numbers a sample, but a posterior over 2 latent numbers takes 4"):
        fit(make_vae(encoder=MLP(2, 2, (8,))), 1)


CHANGES = {name: change for name, change in COMMON.items() if name != "prior"} | {
    "optimizers": ({}, {"optimizers": {"autoencoder": partial(torch.optim.SGD, lr=0.2)}}),
    "schedule_counts": (
        {"optimizer": Adam, "scheduler": partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)},
        {"schedule_counts": "batches"},
    ),
    "encoder": ({}, {"encoder": MLP(2, 4, (8,))}),
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "prior": ({}, {"prior": Normal(2, 3.0)}),
    "likelihood": ({}, {"likelihood": "laplace"}),
    "sigma": ({}, {"sigma": 0.5}),
    "beta": ({}, {"beta": 2.0}),
    "draws": ({}, {"draws": 2}),
    "kl": ({}, {"kl": "monte_carlo"}),
    "data_range": ({"generator": MLP(2, 2, (16,))}, {"data_range": (-1.0, 1.0)}),
}
# There is one player, so that its own steps, the shared count and batches are the same.
ALIKE = {"schedule_counts"}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(VAE) == set(CHANGES) | {"nonfinite"}


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_vae, *CHANGES[name]) == (name not in ALIKE)


# Learning


def test_it_learns_the_digits() -> None:
    """Reconstructions far better than the mean image, and a bound above what no model without latents can have."""
    torch.manual_seed(0)
    game = VAE(
        encoder=MLP(IMAGE, 16, (128,)),
        generator=MLP(8, IMAGE, (128,), output="sigmoid"),
        prior=Normal(8),
        sigma=0.15,
        data_scale=1.0,
        optimizer=partial(Adam, lr=3e-3),
    )
    data = Images("digits", batch_size=100)
    fit(game, 400, data)
    test, mean = data.real("test"), data.real("train").mean(0)
    with torch.no_grad():
        error = (game.decode(game.encode(test)) - test).square().mean()
        bound = -sum(game.terms(game.normalize(test), torch.randn(len(test), 10, 8)))
    assert error < 0.4 * (mean - test).square().mean()
    squares = game.normalize(test).sub(game.normalize(mean)).square().flatten(1)
    sigma = squares.mean().sqrt()
    without_latents = -squares.sum(1).mean() / (2 * sigma**2) - 64 * math.log(sigma * math.sqrt(2 * math.pi))
    assert bound > without_latents + 10
