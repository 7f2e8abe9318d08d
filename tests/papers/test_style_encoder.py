"""The encoder of styles against its formula."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from lightning_gans import MLP, Adam, StyleEncoder
from tests.games.gan_cls import CLASSES
from tests.games.style_encoder import make_style_encoder
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_arguments, record_turns, sgd_step, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def test_it_minimises_the_distance_of_latents_and_codes_of_samples_of_the_batches_texts() -> None:
    game = make_style_encoder(**sgd)
    batches = record_arguments(game, "training_step")
    fit(game, 2)
    reference = make_style_encoder()
    for step in range(2):
        z, t = Noise(reference.prior, step).z(), reference.text_encoder(batches[step][0].conditions)
        made = reference.generator.network(torch.cat([z, t], 1))
        sgd_step([reference.encoder], ((reference.encoder(made) - z) ** 2).mean())
    assert furthest(state(game), state(reference)) < 1e-6


def test_the_style_is_learned_and_nothing_else_moves() -> None:
    turns = record_turns(game := make_style_encoder(optimizer=partial(Adam, lr=1e-2)))
    fit(game, 300)
    assert {(player, *networks) for player, networks in turns} == {("encoder", "encoder")}

    def error(of: StyleEncoder) -> Tensor:
        z, labels = of.prior.sample(500, torch.Generator().manual_seed(0)), torch.arange(500) % CLASSES
        return (of.encode(of.decode(z, labels), labels) - z).square().mean()

    assert error(game) < 0.8 * error(make_style_encoder())


def test_the_encoder_is_not_told_the_text() -> None:
    game, x = make_style_encoder(), torch.rand(4, 2)
    assert torch.equal(game.encode(x, torch.arange(4)), game.encode(x))
    assert torch.equal(game.features(x, ["hidden1"], torch.arange(4))[0], game.features(x, ["hidden1"])[0])


CHANGES = COMMON | {
    "encoder": ({}, {"encoder": MLP(2, 2, (8,))}),
    "posterior": (
        {"encoder": MLP(2, 4, (16,)), "posterior": "gaussian"},
        {"encoder": MLP(2, 2, (16,)), "posterior": "deterministic"},
    ),
    "optimizers": ({}, {"optimizers": {"encoder": partial(torch.optim.SGD, lr=0.2)}}),
}
ELSEWHERE = {"generator", "data_scale", "data_range", "schedule_counts", "text_encoder"}  # as for the inverse mapping


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(StyleEncoder) == {*CHANGES} | ELSEWHERE


@pytest.mark.parametrize("name", [name for name in CHANGES if name not in ELSEWHERE])
def test_every_argument_matters(name: str) -> None:
    assert matters(make_style_encoder, *CHANGES[name])
