"""DCGAN is GAN whose players alternate, with networks of its own."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from lightning_gans import DCGAN, MLP
from tests.games.dcgan import make_dcgan
from tests.games.gan import make_gan
from tests.helpers import COMMON, arguments, fit, furthest, matters, record_turns, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def test_it_is_algorithm_1_of_gan_with_the_whole_loss_of_the_discriminator() -> None:
    settings = {"discriminator_steps": 2, "generator_steps": 2, "same_noise": True, "label_smoothing": 0.1, **sgd}
    fit(game := make_dcgan(**settings), 2)
    fit(reference := make_gan(simultaneous=False, discriminator_scale=1.0, **settings), 2)
    assert furthest(state(game), state(reference)) == 0


def test_the_discriminator_moves_first() -> None:
    turns = record_turns(game := make_dcgan())
    fit(game, 2)
    assert turns == [("discriminator", ["discriminator"]), ("generator", ["generator"])] * 2


CHANGES = COMMON | {
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "discriminator": ({}, {"discriminator": MLP(2, 1, (8,))}),
    "loss": ({}, {"loss": "hinge"}),
    "discriminator_steps": ({}, {"discriminator_steps": 2}),
    "generator_steps": ({}, {"generator_steps": 2}),
    "discriminator_scale": ({}, {"discriminator_scale": 0.5}),
    "label_smoothing": ({}, {"label_smoothing": 0.1}),
    "same_noise": ({}, {"same_noise": True}),
    "data_range": ({"generator": MLP(2, 2, (16,))}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(DCGAN) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_dcgan, *CHANGES[name])
