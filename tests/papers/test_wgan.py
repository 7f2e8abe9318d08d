"""WGAN against its algorithm, written out in plain torch."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from lightning_gans import MLP, WGAN, InputError, Normal
from tests.games.wgan import make_wgan
from tests.helpers import (
    COMMON,
    Noise,
    arguments,
    fit,
    furthest,
    matters,
    record_arguments,
    record_turns,
    sgd_step,
    state,
)

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def test_training_is_algorithm_1() -> None:
    game = make_wgan(critic_steps=3, **sgd)
    seen = record_arguments(game, "critic_loss")
    fit(game, 2)
    reference = make_wgan()
    G, D = reference.generator, reference.critic
    for step in range(2):
        noise = Noise(reference.prior, step)
        for x, _ in seen[3 * step :][:3]:
            sgd_step([D], D(G(noise.z()).detach()).mean() - D(x).mean())
            with torch.no_grad():
                for parameter in D.parameters():
                    parameter.clamp_(-0.1, 0.1)
        sgd_step([G], -D(G(noise.z())).mean())
    assert furthest(state(game), state(reference)) < 1e-6
    assert len({x.numpy().tobytes() for x, _ in seen}) == 6, "a minibatch is seen twice"


@pytest.mark.parametrize("clip", [0.01, 0.05])
def test_the_critic_stays_in_its_box_and_the_generator_does_not(clip: float) -> None:
    fit(game := make_wgan(clip=clip), 4)
    assert max(float(p.abs().max()) for p in game.critic.parameters()) == pytest.approx(clip)
    assert max(float(p.abs().max()) for p in game.generator.parameters()) > clip


def test_the_critic_is_brought_near_its_best_at_first() -> None:
    game = make_wgan(critic_steps=1, first_critic_steps=4)
    turns = record_turns(game)
    fit(game, 2)
    assert [player for player, _ in turns] == (["critic"] * 4 + ["generator"]) * 2
    steps = {24: 4, 25: 1, 499: 1, 500: 4, 501: 1, 1000: 4}
    for step, count in steps.items():
        game._pretended_step = step
        assert game.critic_steps_now() == count


@pytest.mark.parametrize("wrong", [{"clip": 0.0}, {"clip": float("nan")}, {"critic_steps": 0}, {"first_critic_steps": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_wgan(**wrong)


CHANGES = COMMON | {
    "generator": ({}, {"generator": MLP(2, 2, (8,))}),
    "critic": ({}, {"critic": MLP(2, 1, (8,))}),
    "prior": ({}, {"prior": Normal(2, 2.0)}),
    "clip": ({}, {"clip": 0.02}),
    "critic_steps": ({}, {"critic_steps": 3}),
    "first_critic_steps": ({}, {"first_critic_steps": 3}),
    "data_range": ({}, {"data_range": (0.0, 1.0)}),
    "gradient_clip_val": ({}, {"gradient_clip_val": 0.001}),
    "gradient_clip_algorithm": ({"gradient_clip_val": 0.001}, {"gradient_clip_algorithm": "value"}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(WGAN) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_wgan, *CHANGES[name])
