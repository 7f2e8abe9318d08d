"""AAE against its formulas, written out in plain torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_gans import AAE, MLP, AttributeCondition, Conditioned, Images, InputError, Normal, Uniform
from tests.games.aae import make_aae, make_gaussian_aae, make_implicit_aae
from tests.helpers import COMMON, arguments, fit, furthest, matters, record_arguments, record_turns, sgd_step, state

SGD: dict[str, Any] = {"optimizer": partial(torch.optim.SGD, lr=0.1)}


def cross_entropy(logits: Tensor, label: float) -> Tensor:
    """The mean over the batch, summed over the columns."""
    probability = logits.sigmoid()
    return -(label * probability.log() + (1 - label) * (1 - probability).log()).mean(0).sum()


def deterministic(game: AAE, x: Tensor, _: Tensor) -> Tensor:
    return game.encoder(x)


def gaussian(game: AAE, x: Tensor, epsilon: Tensor) -> Tensor:
    mean, log_variance = game.encoder(x).chunk(2, 1)
    return mean + log_variance.exp().sqrt() * epsilon


def implicit(game: AAE, x: Tensor, epsilon: Tensor) -> Tensor:
    return game.encoder.network(torch.cat([x, epsilon], 1))


def reconstruction(reference: AAE, code: Any, distance: Callable[[Tensor], Tensor], x: Tensor, epsilon: Tensor) -> None:
    """One step of E and G."""
    again = reference.generator(code(reference, x, epsilon))
    sgd_step([reference.encoder, reference.generator], distance(again - x))


def regularisation(reference: AAE, code: Any, of_d: tuple[Any, ...], of_e: tuple[Any, ...]) -> None:
    """One step of D, and one of E."""
    E, D = reference.encoder, reference.latent_discriminator
    x, z, epsilon, blur, *told = of_d
    fake = code(reference, x, epsilon).detach() + blur
    sgd_step([D], cross_entropy(D(z, *told), 1) + cross_entropy(D(fake, *told), 0))
    x, epsilon, blur, *told = of_e
    sgd_step([E], cross_entropy(D(code(reference, x, epsilon) + blur, *told), 1))


@pytest.mark.parametrize(
    ("make", "code"),
    [(make_aae, deterministic), (make_gaussian_aae, gaussian), (make_implicit_aae, implicit)],
    ids=["deterministic", "gaussian", "implicit"],
)
@pytest.mark.parametrize(
    ("settings", "distance"),
    [
        ({}, lambda error: error.square().mean()),
        ({"lambda_r": 3.0}, lambda error: 3 * error.square().mean()),
        ({"distance": "absolute", "lambda_r": 10.0}, lambda error: 10 * error.abs().mean()),
        ({"discriminator_noise": 0.3}, lambda error: error.square().mean()),
    ],
    ids=["squared", "weighted", "absolute", "noise"],
)
def test_a_batch_is_three_steps_by_their_formulas(make: Any, code: Any, settings: Any, distance: Any) -> None:
    game = make(**settings, **SGD)
    methods = "autoencoder_loss", "discriminator_loss", "encoder_loss"
    of_r, of_d, of_e = (record_arguments(game, method) for method in methods)
    fit(game, 2)
    reference = make()
    for given, of_discriminator, of_encoder in zip(of_r, of_d, of_e, strict=True):
        reconstruction(reference, code, distance, *given)
        regularisation(reference, code, of_discriminator, of_encoder)
    assert furthest(state(game), state(reference)) < 1e-6


def test_every_phase_has_the_same_samples_and_noise_of_its_own() -> None:
    game = make_gaussian_aae()
    of_r, of_d, of_e = (record_arguments(game, f"{name}_loss") for name in ("autoencoder", "discriminator", "encoder"))
    fit(game, 1)
    ((x, first),), ((x_d, z, second, _),), ((x_e, third, _),) = of_r, of_d, of_e
    assert torch.equal(x, x_d)
    assert torch.equal(x, x_e)
    noises = [first, second, third, z]
    assert all(a.shape == b.shape == (32, 2) and not torch.equal(a, b) for n, a in enumerate(noises) for b in noises[:n])


def test_noise_is_on_all_that_the_discriminator_is_given() -> None:
    blurred, plain = make_aae(discriminator_noise=0.3), make_aae(discriminator_noise=1e-9)
    of_d, of_e = record_arguments(blurred, "discriminator_loss"), record_arguments(blurred, "encoder_loss")
    without = record_arguments(plain, "discriminator_loss")
    for game in (blurred, plain):
        fit(game, 1, Images("grid25", batch_size=500))
    ((_, z, _, on_fake),), ((_, _, again),), ((_, clear, _, _),) = of_d, of_e, without
    noises = [z - clear, on_fake, again]
    assert all(0.25 < noise.std() < 0.35 for noise in noises)
    assert not torch.equal(on_fake, again)


def test_each_turn_moves_its_own_networks_alone() -> None:
    turns = record_turns(game := make_aae())
    fit(game, 2)
    one = [("autoencoder", ["encoder", "generator"]), ("discriminator", ["latent_discriminator"]), ("encoder", ["encoder"])]
    assert turns == one * 2


def test_each_phase_has_an_optimiser_of_its_own() -> None:
    still = partial(torch.optim.SGD, lr=0.0)
    for player in ("autoencoder", "discriminator", "encoder"):
        turns = record_turns(game := make_aae(optimizers={player: still}))
        fit(game, 1)
        assert [name for name, moved in turns if not moved] == [player]


def test_a_code_is_the_mean_or_a_draw() -> None:
    points = torch.rand(5, 2)
    game = make_gaussian_aae()
    x = game.normalize(points)
    torch.testing.assert_close(game.encode(points), game.encoder(x)[:, :2])
    drawn = game.encode(points, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn, gaussian(game, x, noise))


@pytest.mark.parametrize("std", [0.5, 2.0])
def test_codes_come_to_have_the_law_of_the_prior(std: float) -> None:
    torch.manual_seed(0)
    networks = MLP(2, 2, (64, 64)), MLP(2, 2, (64, 64), output="sigmoid"), MLP(2, 1, (64, 64))
    game = AAE(*networks, Normal(2, std), data_scale=4.3)
    data = Images("grid25", batch_size=100)
    fit(game, 600, data)
    codes = game.encode(data.real("test"))
    assert codes.mean(0).abs().max() < 0.4 * std
    spread = codes.std(0) / std
    assert spread.min() > 0.6
    assert spread.max() < 1.5
    again = game.decode(codes)
    assert (again - data.real("test")).square().mean() < 1  # the variance of a coordinate is 8


@pytest.mark.parametrize(
    "wrong", [{"lambda_r": 0.0}, {"distance": "cubic"}, {"discriminator_noise": -0.1}, {"posterior": "normal"}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_aae(**wrong)


def test_a_universal_approximator_needs_an_encoder_that_is_given_noise() -> None:
    with pytest.raises(InputError, match="implicit posterior is given noise; set it to a Conditioned"):
        make_aae(posterior="implicit")


IMPLICIT = {"encoder": Conditioned(MLP(4, 2, (16,)), AttributeCondition(2)), "posterior": "implicit"}
CHANGES = COMMON | {
    "encoder": ({}, {"encoder": MLP(2, 2, (8,))}),
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "latent_discriminator": ({}, {"latent_discriminator": MLP(2, 1, (8,))}),
    "posterior": (IMPLICIT, {"encoder": MLP(2, 4, (16,)), "posterior": "gaussian"}),
    "lambda_r": ({}, {"lambda_r": 2.0}),
    "distance": ({}, {"distance": "absolute"}),
    "discriminator_noise": ({}, {"discriminator_noise": 0.3}),
    "prior": ({}, {"prior": Uniform(2, -2.0, 2.0)}),
    "optimizers": ({}, {"optimizers": {"encoder": partial(torch.optim.SGD, lr=0.2)}}),
    "data_range": ({"generator": nn.Linear(2, 2)}, {"data_range": (-2.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(AAE) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_aae, *CHANGES[name])
