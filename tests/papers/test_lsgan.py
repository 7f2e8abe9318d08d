"""LSGAN against its formulas, written out in plain torch."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from lightning_gans import LSGAN, MLP, InputError
from tests.games.gan import make_gan
from tests.games.lsgan import make_lsgan
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_arguments, sgd_step, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}
TARGETS = {"equation 9": (0.0, 1.0, 1.0, False), "Pearson": (-1.0, 1.0, 0.0, False), "on the sigmoid": (0.1, 0.9, 0.8, True)}


@pytest.mark.parametrize("targets", TARGETS)
def test_the_players_take_half_the_squared_distances_from_their_targets(targets: str) -> None:
    a, b, c, on_sigmoid = TARGETS[targets]
    game = make_lsgan(a=a, b=b, c=c, on_sigmoid=on_sigmoid, **sgd)
    seen = record_arguments(game, "discriminator_loss")
    fit(game, 1)
    reference = make_lsgan()
    G, noise = reference.generator, Noise(reference.prior)

    def D(x: Any) -> Any:
        return reference.discriminator(x).sigmoid() if on_sigmoid else reference.discriminator(x)

    x = seen[0][0]
    fake = G(noise.z()).detach()
    sgd_step([reference.discriminator], ((D(x) - b) ** 2).mean() / 2 + ((D(fake) - a) ** 2).mean() / 2)
    sgd_step([G], ((D(G(noise.z())) - c) ** 2).mean() / 2)
    assert furthest(state(game), state(reference)) < 1e-6


@pytest.mark.parametrize("simultaneous", [True, False])
def test_with_the_usual_targets_it_is_the_gan_of_that_loss(simultaneous: bool) -> None:
    fit(game := make_lsgan(simultaneous=simultaneous), 2)
    fit(reference := make_gan(loss="lsgan", discriminator_scale=1.0, simultaneous=simultaneous), 2)
    assert furthest(state(game), state(reference)) == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"a": 1.0}, "a and b are both 1.0"),
        ({"c": float("nan")}, "the target c is nan"),
        ({"a": -1.0, "on_sigmoid": True}, "a is -1.0"),
    ],
)
def test_targets_that_tell_nothing_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_lsgan(**wrong)


CHANGES = COMMON | {
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "discriminator": ({}, {"discriminator": MLP(2, 1, (8,))}),
    "a": ({}, {"a": -1.0}),
    "b": ({}, {"b": 0.9}),
    "c": ({}, {"c": 0.5}),
    "on_sigmoid": ({}, {"on_sigmoid": True}),
    "simultaneous": ({}, {"simultaneous": True}),
    "discriminator_steps": ({}, {"discriminator_steps": 2}),
    "generator_steps": ({}, {"generator_steps": 2}),
    "same_noise": ({}, {"same_noise": True}),
    "data_range": ({"generator": MLP(2, 2, (16,))}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(LSGAN) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_lsgan, *CHANGES[name])
