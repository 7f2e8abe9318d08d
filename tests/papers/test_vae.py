"""VAE against its formulas, written out in plain torch."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Laplace, kl_divergence
from torch.distributions import Normal as TorchNormal

from lightning_gans import MLP, VAE, Adam, Images, InputError, MixtureOfGaussians, Normal, Uniform
from lightning_gans.priors import Empirical, Prior
from lightning_gans.protocols import encodes, shows_features
from tests.games import IMAGE
from tests.games.vae import make_image_vae, make_vae
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_arguments, record_turns, sgd_step, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=1e-3)}
X = torch.rand(6, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
PRIORS = [Normal(2), Normal(2, 5.0), MixtureOfGaussians(), MixtureOfGaussians(3, 0.5, 2.0, 1.0)]


def make(**settings: Any) -> VAE:
    return make_vae(**settings).double()


def by_hand(game: VAE, x: Tensor, epsilon: Tensor) -> dict[str, Tensor]:
    """Minus E log p(x|z) and KL, by torch's distributions."""
    numbers = game.encoder(x)
    mu, v = numbers[:, : game.prior.dim], numbers[:, game.prior.dim :]
    q = TorchNormal(mu, (v / 2).exp())
    z = mu + (v / 2).exp() * epsilon
    again = game.generator(z).flatten(1)
    match game.likelihood:
        case "bernoulli":
            p: Distribution = Bernoulli(probs=again, validate_args=False)
        case "gaussian":
            p = TorchNormal(again, game.sigma)
        case "laplace":
            p = Laplace(again, game.sigma)
    if isinstance(game.prior, Normal):
        zeros = torch.zeros_like(mu)
        kl = kl_divergence(q, TorchNormal(zeros, zeros + game.prior.std)).sum(1)
    else:
        kl = q.log_prob(z).sum(1) - game.prior.log_prob(z)
    return {"likelihood": -p.log_prob(x.flatten(1)).sum(1).mean(), "kl": kl.mean()}


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "laplace"])
def test_both_terms_are_sums_over_dimensions_and_means_over_the_batch(likelihood: Any, prior: Prior) -> None:
    """The divergence from a normal prior is exact, that from any other one at the draw."""
    game, epsilon = make(likelihood=likelihood, prior=prior, sigma=0.2), torch.randn(6, 2, dtype=torch.float64)
    loss, terms = game.loss(X, epsilon)
    torch.testing.assert_close(terms, by_hand(game, X, epsilon))
    torch.testing.assert_close(loss, terms["likelihood"] + terms["kl"])


def test_the_divergence_from_the_standard_normal_is_that_of_appendix_b() -> None:
    game = make()
    mu, v = game.encoder(X).chunk(2, dim=1)
    found = game.loss(X, torch.zeros(6, 2, dtype=torch.float64))[1]["kl"]
    torch.testing.assert_close(found, -0.5 * (1 + v - mu**2 - v.exp()).sum(1).mean())


def test_the_terms_of_images_are_sums_over_their_pixels() -> None:
    game = make_image_vae().double()
    x, epsilon = torch.rand(5, *IMAGE, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    terms = game.loss(x, epsilon)[1]
    torch.testing.assert_close(terms, by_hand(game, x, epsilon))
    assert terms["likelihood"].item() == pytest.approx(64 * math.log(2), rel=0.1)


@pytest.mark.parametrize("prior", [Uniform(2), Empirical(2)])
def test_a_prior_without_a_density_everywhere_is_refused(prior: Any) -> None:
    with pytest.raises(InputError, match=r"density everywhere.*set prior to Normal"):
        make_vae(prior=prior)


@pytest.mark.parametrize("std", [1.0, 5.0])
def test_draws_estimate_the_closed_divergence(std: float) -> None:
    """A mixture of one component in the origin is a normal distribution, too."""
    closed, estimated = (make(prior=prior) for prior in (Normal(2, std), MixtureOfGaussians(1, 0.0, std, std)))
    x = X.repeat(40_000, 1)
    epsilon = torch.randn(len(x), 2, dtype=torch.float64)
    with torch.no_grad():
        exact, found = (game.loss(x, epsilon)[1]["kl"].item() for game in (closed, estimated))
    assert found == pytest.approx(exact, rel=0.01)
    assert found != exact


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


@pytest.mark.parametrize("settings", [{}, {"prior": MixtureOfGaussians()}, {"likelihood": "laplace"}])
def test_training_descends_the_bound(settings: dict[str, Any]) -> None:
    game = make_vae(**settings, **sgd)
    seen = record_arguments(game, "step")
    fit(game, 2)
    reference = make_vae(**settings)
    for step, (batch,) in enumerate(seen):
        epsilon = torch.randn(32, 2, generator=Noise(reference.prior, step)._generator())
        terms = by_hand(reference, batch.images, epsilon)
        sgd_step([reference.encoder, reference.generator], terms["likelihood"] + terms["kl"], rate=1e-3)
    assert furthest(state(game), state(reference)) < 1e-6
    assert furthest(state(game), state(make_vae(**settings))) > 1e-4


def test_one_turn_moves_both_networks() -> None:
    turns = record_turns(game := make_vae())
    fit(game, 2)
    assert turns == [("autoencoder", ["encoder", "generator"])] * 2


@pytest.mark.parametrize("prior", [Normal(2), MixtureOfGaussians()], ids=repr)
@pytest.mark.parametrize(("term", "reached"), [("likelihood", "both"), ("kl", "encoder")])
def test_the_likelihood_reaches_both_networks_and_the_divergence_the_encoder(term: str, reached: str, prior: Prior) -> None:
    game = make(prior=prior)
    game.loss(X, torch.randn(6, 2, dtype=torch.float64))[1][term].backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in game.encoder.stages["output"].parameters())
    assert any(p.grad is not None for p in game.generator.parameters()) == (reached == "both")


def test_terms_are_logged_in_nats() -> None:
    game, logged = make_vae(), {}
    game.log_dict = lambda values, **_: logged.update(values)  # type: ignore[method-assign,assignment]
    seen = record_arguments(game, "loss")
    fit(game, 1, log_every_n_steps=1)
    expected = by_hand(make_vae(), *seen[0])
    found = {name: torch.tensor(logged[f"loss/autoencoder/{name}"]) for name in expected}
    torch.testing.assert_close(found, expected)
    assert logged["loss/autoencoder"] == pytest.approx((expected["likelihood"] + expected["kl"]).item())


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


def test_it_tells_the_posterior_and_the_density_of_data_in_their_own_units() -> None:
    game, points, z = make_vae(), torch.randn(5, 2), torch.randn(5, 2)
    q = game.posterior(points)
    torch.testing.assert_close(torch.cat([q.mean, q.log_variance], 1), game.encoder(game.normalize(points)))
    density = TorchNormal(game.generator(z), 0.3).log_prob(game.normalize(points)).sum(1)
    torch.testing.assert_close(game.log_likelihood(points, z), density)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_latents_come_in_the_precision_of_the_networks_and_densities_in_no_less_than_32_bits(dtype: torch.dtype) -> None:
    game = make_vae().to(dtype)
    points = torch.randn(4, 2).to(dtype)
    assert game.encode(points).dtype == game.decode(game.encode(points)).dtype == dtype
    expected = torch.float64 if dtype == torch.float64 else torch.float32
    assert game.log_likelihood(points, torch.zeros(4, 2)).dtype == expected


# Bad settings


@pytest.mark.parametrize("wrong", [{"sigma": 0.0}, {"sigma": -1.0}, {"sigma": float("nan")}, {"likelihood": "poisson"}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_vae(**wrong)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"generator": MLP(2, 2, output="tanh")}, "logarithm of the generator's output.*set the generator's output to sigmoid"),
        ({"generator": nn.Linear(2, 2), "data_range": (0.0, 1.0)}, r"method logits\(z\)"),
        ({"generator": MLP(2, 2, (16,)), "data_range": (-2.0, 2.0)}, "needs a sigmoid"),
        ({"data_range": (-1.0, 1.0)}, r"data_range is \[-1\.0, 1\.0\]"),
    ],
)
def test_a_bernoulli_without_a_sigmoid_or_data_in_0_to_1_is_refused_before_training(
    wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        fit(make_vae(likelihood="bernoulli", **wrong), 1)


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
}
# There is one player, so that its own steps, the shared count and batches are the same.
ALIKE = {"schedule_counts"}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(VAE) == set(CHANGES)


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
        optimizer=partial(Adam, lr=3e-3),
    )
    data = Images("digits", batch_size=100)
    fit(game, 400, data)
    test, mean = data.real("test"), data.real("train").mean(0)
    with torch.no_grad():
        error = (game.decode(game.encode(test)) - test).square().mean()
        x = game.normalize(test).repeat(10, 1, 1, 1)
        bound = -game.loss(x, torch.randn(len(x), 8))[0]
    assert error < 0.4 * (mean - test).square().mean()
    squares = game.normalize(test).sub(game.normalize(mean)).square().flatten(1)
    sigma = squares.mean().sqrt()
    without_latents = -squares.sum(1).mean() / (2 * sigma**2) - 64 * math.log(sigma * math.sqrt(2 * math.pi))
    assert bound > without_latents + 10
