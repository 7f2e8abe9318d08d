"""Conditional GAN against its formulas, and what its players are told."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from lightning_gans import ConditionalGAN, Images, InputError
from tests.games.conditional_gan import CLASSES, make_conditional_gan
from tests.games.gan import make_gan
from tests.helpers import Noise, arguments, fit, furthest, record_arguments, sgd_step, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def test_both_players_are_told_the_labels_of_the_minibatch() -> None:
    game = make_conditional_gan(simultaneous=False, discriminator_steps=2, discriminator_scale=1.0, **sgd)
    seen = record_arguments(game, "discriminator_loss")
    batches = record_arguments(game, "training_step")
    fit(game, 1)
    reference = make_conditional_gan()
    noise = Noise(reference.prior)

    def G(z: Any, y: Any) -> Any:
        return reference.generator.network(torch.cat([z, F.one_hot(y, CLASSES).float()], 1))

    def D(x: Any, y: Any) -> Any:
        return reference.discriminator.network(torch.cat([x, F.one_hot(y, CLASSES).float()], 1)).sigmoid()

    for x, _, y in seen:
        sgd_step([reference.discriminator.network], -D(x, y).log().mean() - (1 - D(G(noise.z(), y).detach(), y)).log().mean())
    y = batches[0][0].conditions
    sgd_step([reference.generator.network], -D(G(noise.z(), y), y).log().mean())
    assert furthest(state(game), state(reference)) < 1e-5
    assert torch.equal(seen[0][2], y)
    assert not torch.equal(seen[1][2], y), "a fresh minibatch brings its own labels"


@pytest.mark.parametrize("simultaneous", [True, False])
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_what_it_is_told_matters_to_each_player(player: str, simultaneous: bool) -> None:
    game = make_conditional_gan(simultaneous=simultaneous)
    x, z, y = torch.rand(8, 2), torch.rand(8, 2), torch.arange(8)

    def loss(of: torch.Tensor) -> float:
        if simultaneous:
            return float(game.both_losses(x, z, of)[player])
        return float(game.discriminator_loss(x, z, of) if player == "discriminator" else game.generator_loss(z, of))

    assert loss(y) != loss(y + 1)


def test_samples_are_of_the_condition_asked_for() -> None:
    game = make_conditional_gan()
    drawn = [game.sample(6, torch.full((6,), label), torch.Generator().manual_seed(1)) for label in (3, 3, 4)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_data_without_labels_are_refused() -> None:
    with pytest.raises(InputError, match=r"set data\.condition to labels"):
        fit(make_conditional_gan(), 1, Images("grid25", batch_size=32, condition=None))


def test_it_takes_what_a_gan_takes() -> None:
    assert arguments(ConditionalGAN) == arguments(type(make_gan()))
