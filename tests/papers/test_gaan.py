"""GAAN against its equations, written out in plain torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans import GAAN, MLP, ConvGenerator, ConvNet, Images, InputError, Normal
from lightning_gans.networks import Network
from lightning_gans.papers.dist_gan import DistGAN
from lightning_gans.papers.gaan_printed import GAANPrinted
from tests.games import IMAGE
from tests.games.gaan import make_gaan, make_image_gaan, noisy
from tests.helpers import (
    COMMON,
    Noise,
    arguments,
    fit,
    furthest,
    made_images,
    make_images,
    make_trainer,
    matters,
    record_arguments,
    record_turns,
    same,
    sgd_step,
    slopes,
    state,
)

POINTS, LATENTS = torch.rand(32, 2, generator=torch.Generator().manual_seed(3)), torch.linspace(-1, 1, 64).view(32, 2)
EPSILON = torch.rand(32, generator=torch.Generator().manual_seed(4))
sgd: dict[str, Any] = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def by_equation_3(game: GAAN, x: Tensor, z: Tensor) -> Tensor:
    """R + lambda_r (f - lambda_w g)^2, on points and on features."""
    codes = game.encoder(x)
    again, fake = game.generator(codes), game.generator(z)
    if game.layer is None:
        r = -(x * again.log() + (1 - x) * (1 - again).log()).mean()
        f = (again.mean(dim=0) - fake.mean(dim=0)).mean()
    else:
        phi = game.discriminator.stages["hidden1"]
        r = ((phi(x) - phi(again)) ** 2).mean()
        f = (phi(again if isinstance(game, DistGAN) else x).mean(dim=0) - phi(fake).mean(dim=0)).mean()
    g = (codes.mean(dim=0) - z.mean(dim=0)).mean()
    return r + game.lambda_r * (f - game.lambda_w * g) ** 2


@pytest.mark.parametrize("lambda_w", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("lambda_r", [0.0, 5.0])
@pytest.mark.parametrize(("paper", "phi"), [(GAAN, None), (GAAN, "last"), (GAAN, "hidden1"), (DistGAN, "last")])
def test_the_autoencoder_minimises_equation_3(paper: type[GAAN], phi: str | None, lambda_r: float, lambda_w: float) -> None:
    game = make_gaan(paper, phi=phi, lambda_r=lambda_r, lambda_w=lambda_w).double()
    loss = game.autoencoder_loss(POINTS.double(), LATENTS.double())
    torch.testing.assert_close(loss, by_equation_3(game, POINTS.double(), LATENTS.double()))


def test_the_distance_vanishes_where_samples_and_codes_agree_in_the_mean() -> None:
    x, z = torch.rand(8, 2), torch.rand(8, 2)
    assert make_gaan().distance(x, x.flip(0), z, z.flip(0)) < 1e-12


def by_equation_4(game: GAAN, x: Tensor, z: Tensor, epsilon: Tensor, of_data: float, of_reconstructions: float) -> Tensor:
    """Minus the paper's equation, with the penalty added to what is minimised."""
    D, fake, again = game.discriminator, game.generator(z), game.generator(game.encoder(x))
    norm = slopes(D, x, fake, epsilon).norm(dim=1)
    penalty = (norm**2 - 1) ** 2 if isinstance(game, GAANPrinted) else (norm / math.sqrt(2) - 1) ** 2
    terms = -of_data * D(x).sigmoid().log() - of_reconstructions * D(again).sigmoid().log() - (1 - D(fake).sigmoid()).log()
    return terms.mean() + game.lambda_p * penalty.mean()


@pytest.mark.parametrize("lambda_p", [0.0, 2.0])
@pytest.mark.parametrize(("paper", "weights"), [(GAAN, (0.5, 0.5)), (GAANPrinted, (1.0, 1.0)), (DistGAN, (0.95, 0.05))])
def test_the_discriminator_minimises_equation_4(paper: type[GAAN], weights: tuple[float, float], lambda_p: float) -> None:
    game = make_gaan(paper, lambda_p=lambda_p)
    loss = game.discriminator_loss(POINTS, LATENTS, EPSILON)
    torch.testing.assert_close(loss, by_equation_4(game, POINTS, LATENTS, EPSILON, *weights))


def test_the_generator_matches_scores_or_maximises_the_printed_one() -> None:
    game, printed = make_gaan(), make_gaan(GAANPrinted)
    fake = game.generator(LATENTS)
    real_score, fake_score = (game.discriminator(x).sigmoid().mean() for x in (POINTS, fake))
    torch.testing.assert_close(game.generator_loss(POINTS, LATENTS), (real_score - fake_score).abs())
    torch.testing.assert_close(printed.generator_loss(POINTS, LATENTS), -game.discriminator(fake).sigmoid().log().mean())


def test_a_training_step_is_that_of_the_authors_code() -> None:
    game = make_gaan(discriminator_steps=3, **sgd)
    batches, turns = record_arguments(game, "training_step"), record_arguments(game, "discriminator_loss")
    fit(game, 1)
    reference = make_gaan()
    E, G, D, noise = reference.encoder, reference.generator, reference.discriminator, Noise(reference.prior)
    x, z = batches[0][0].images, noise.z()
    again = G(E(x))
    distance = (again.mean() - G(z).mean()) - (E(x).mean() - z.mean())
    sgd_step([E, G], F.binary_cross_entropy(again, x) + 0.1 * distance**2)
    for other, _, _ in turns:
        fake, again = G(noise.z()).detach(), G(E(other)).detach()
        slope = slopes(D, other, fake, noise.uniform())
        penalty = ((slope.square().mean(dim=1).sqrt() - 1) ** 2).mean()
        labelled = 0.5 * F.softplus(-D(other)) + 0.5 * F.softplus(-D(again)) + F.softplus(D(fake))
        sgd_step([D], labelled.mean() + 0.1 * penalty)
    sgd_step([G], (D(x).sigmoid().mean() - D(G(noise.z())).sigmoid().mean()).abs())
    assert furthest(state(game), state(reference)) < 1e-6


def test_a_training_step_is_that_of_algorithm_1() -> None:
    game = make_gaan(GAANPrinted, discriminator_steps=2, **sgd)
    batches = record_arguments(game, "training_step")
    fit(game, 1)
    reference = make_gaan()
    E, G, D, noise = reference.encoder, reference.generator, reference.discriminator, Noise(reference.prior)
    x, z = batches[0][0].images, noise.z()
    again = G(E(x))
    distance = (again.mean() - G(z).mean()) - (E(x).mean() - z.mean())
    sgd_step([E, G], F.binary_cross_entropy(again, x) + 0.1 * distance**2)
    for _ in range(2):
        fake, again = G(z).detach(), G(E(x)).detach()
        penalty = ((slopes(D, x, fake, noise.uniform()).square().sum(dim=1) - 1) ** 2).mean()
        sgd_step([D], (F.softplus(-D(x)) + F.softplus(-D(again)) + F.softplus(D(fake))).mean() + 0.1 * penalty)
    sgd_step([G], -D(G(z)).sigmoid().log().mean())
    assert furthest(state(game), state(reference)) < 1e-6


# Which networks move


def test_each_turn_moves_its_own_networks_alone() -> None:
    turns = record_turns(game := make_gaan(discriminator_steps=2))
    fit(game, 2)
    discriminator = ("discriminator", ["discriminator"])
    step = [("autoencoder", ["encoder", "generator"]), discriminator, discriminator, ("generator", ["generator"])]
    assert turns == step * 2


def test_the_encoder_can_be_the_only_one_to_move_in_the_autoencoders_turn() -> None:
    turns = record_turns(game := make_gaan(encoder_alone=True, discriminator_steps=1))
    fit(game, 2)
    assert turns == [("autoencoder", ["encoder"]), ("discriminator", ["discriminator"]), ("generator", ["generator"])] * 2


@pytest.mark.parametrize("alone", [False, True])
def test_features_let_gradients_through_to_the_autoencoder_and_keep_none(alone: bool, tmp_path: Path) -> None:
    make_images(tmp_path)
    turns = record_turns(game := make_image_gaan(encoder_alone=alone, lambda_r=0.0))
    fit(game, 1, made_images(tmp_path))
    assert turns[0] == ("autoencoder", ["encoder"] if alone else ["encoder", "generator"])


def test_every_sub_step_on_images_has_a_minibatch_of_its_own(tmp_path: Path) -> None:
    make_images(tmp_path)
    game = make_image_gaan(discriminator_steps=3)
    assert len(set(minibatches(game, 2, made_images(tmp_path)))) == 10


def test_on_points_the_generator_reuses_the_autoencoders_minibatch() -> None:
    """gaan_toy2d.py, line 176; D's steps draw afresh."""
    game = make_gaan(discriminator_steps=3)
    of_autoencoder, *of_discriminator, of_generator = minibatches(game, 1)
    assert of_autoencoder == of_generator
    assert len({of_autoencoder, *of_discriminator}) == 4


def minibatches(game: GAAN, steps: int, *data: Any) -> list[bytes]:
    """The data that each turn of each player saw, player after player."""
    calls = [record_arguments(game, name) for name in ("autoencoder_loss", "discriminator_loss", "generator_loss")]
    fit(game, steps, *data)
    return [call[0].numpy().tobytes() for some in calls for call in some]


def test_all_sub_steps_of_algorithm_1_see_one_batch_and_noise() -> None:
    game = make_gaan(GAANPrinted)
    calls = [record_arguments(game, name) for name in ("autoencoder_loss", "discriminator_loss", "generator_loss")]
    fit(game, 1)
    seen = [call[:2] for some in calls for call in some]
    assert len(seen) == 4
    assert all(same(drawn, seen[0]) for drawn in seen)


# Images


@pytest.mark.parametrize(("make", "shape", "expected"), [(make_image_gaan, IMAGE, 0.25), (make_gaan, (2,), 1.0)])
def test_lambda_w_can_be_taken_from_the_dimensions(make: Callable[..., GAAN], shape: tuple[int, ...], expected: float) -> None:
    """sqrt(4 / 64): four latents, and 16 maps of 2 x 2."""
    x, z = torch.rand(6, *shape), torch.rand(6, 4 if len(shape) == 3 else 2)
    found, given, other = (make(lambda_w=w, lambda_r=9.0).autoencoder_loss(x, z) for w in (None, expected, 2 * expected))
    torch.testing.assert_close(found, given)
    assert abs(given - other) > 1e-4


def image_networks_with_batch_norm() -> dict[str, nn.Module]:
    generator, discriminator = ConvGenerator(4, IMAGE, (16, 8), output="sigmoid"), ConvNet(IMAGE, 1, (8, 16))
    return {"encoder": ConvNet(IMAGE, 4, (8, 16)), "generator": generator, "discriminator": discriminator}


def test_nothing_is_learnt_before_the_first_step() -> None:
    game = make_image_gaan(**image_networks_with_batch_norm())
    before = state(game)
    make_trainer().test(game, datamodule=Images("digits", batch_size=16), verbose=False)
    assert same(state(game), before)


@pytest.mark.parametrize("generator", [MLP(2, 2, (16,), output="tanh"), nn.Linear(2, 2)], ids=["tanh", "no logits"])
def test_a_generator_without_logits_is_refused_for_cross_entropy(generator: nn.Module) -> None:
    with pytest.raises(InputError, match=r"needs a sigmoid and a method logits"):
        fit(make_gaan(generator=generator), 1)
    fit(make_gaan(generator=nn.Linear(2, 2), phi="last"), 1)


def test_batch_norm_in_a_penalised_discriminator_is_pointed_out() -> None:
    with pytest.warns(UserWarning, match="batch norm"):
        make_gaan(discriminator=noisy(2, 1))


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["lambda_r", "lambda_p", "lambda_w"])
def test_weights_must_be_numbers_of_at_least_zero(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        make_gaan(**{name: value})


@pytest.mark.parametrize("wrong", [{"discriminator_steps": 0}, {"discriminator_steps": -1}, {"data_scale": 0.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_gaan(**wrong)


def two_hidden_layers() -> Network:
    return MLP(2, 1, (16, 16))


CHANGES = COMMON | {
    "encoder": ({}, {"encoder": MLP(2, 2, (8,))}),
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "discriminator": ({}, {"discriminator": MLP(2, 1, (8,))}),
    "prior": ({}, {"prior": Normal(2)}),
    "lambda_r": ({}, {"lambda_r": 1.0}),
    "lambda_p": ({}, {"lambda_p": 0.05}),
    "lambda_w": ({}, {"lambda_w": 3.0}),
    "phi": ({"phi": "last", "discriminator": two_hidden_layers()}, {"phi": "hidden1"}),
    "encoder_alone": ({}, {"encoder_alone": True}),
    "discriminator_steps": ({}, {"discriminator_steps": 3}),
    "data_range": ({"generator": MLP(2, 2, (16,)), "phi": "last"}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(GAAN) == set(CHANGES)


@pytest.mark.parametrize("paper", [GAAN, GAANPrinted])
@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(paper: type[GAAN], name: str) -> None:
    assert matters(partial(make_gaan, paper), *CHANGES[name])
