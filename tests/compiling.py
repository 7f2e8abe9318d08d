"""Games trained eagerly and compiled, and what is compared of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import Adam, Batch, Game, compiled
from tests.games.gaan import noisy
from tests.games.gan import make_gan
from tests.helpers import (
    Duel,
    fit,
    furthest,
    state,
)

adam = partial(Adam, lr=1e-3)
ROUNDING = 1e-10
"""How far some steps in 64 bits may carry orders of summation apart; it depends on the processor."""
# Biases before batch norm have gradients of mere rounding, which a small epsilon would magnify
calm_adam = partial(Adam, lr=1e-3, eps=1e-3)


def compiler_of(game: Game) -> compiled.Compiler:
    assert game._updates.compiler is not None
    return game._updates.compiler


def forms_of(game: Game) -> list[compiled.Compiled]:
    return [form for update in compiler_of(game)._updates.values() for form in update.forms]


def both_ways(make: Callable[..., Game], steps: int = 10, data: Any = None, **settings: Any) -> tuple[Game, Game]:
    """A game trained eagerly, and compiled."""
    settings = {"precision": "64-true", **settings}
    callbacks = settings.pop("callbacks", list)
    fit(eager := make(), steps, data, callbacks=callbacks(), **settings)
    fit(traced := make(compile=True), steps, data, callbacks=callbacks(), **settings)
    return eager, traced


def assert_same(eager: Game, traced: Game, steps_inside: bool = True, within: float = 1e-12) -> None:
    """All is equal: weights, buffers, the optimisers' states."""
    assert compiler_of(traced).eager == {}
    assert [form._steps_inside for form in forms_of(traced)] == [steps_inside] * len(forms_of(traced))
    assert forms_of(traced)
    assert furthest(state(eager), state(traced)) < within
    for one, other in zip(eager._updates.players.optimizers.values(), traced._updates.players.optimizers.values(), strict=True):
        a, b = one.state_dict(), other.state_dict()
        assert a["param_groups"] == b["param_groups"]
        for number, moments in a["state"].items():
            for key, value in moments.items():
                # the slopes of SAE's logarithms near a cosine of 1 are steep: moments are further apart than weights
                torch.testing.assert_close(b["state"][number][key], value, rtol=10 * within, atol=10 * within)


def said(recwarn: pytest.WarningsRecorder) -> list[str]:
    return [str(each.message) for each in recwarn if "runs eagerly" in str(each.message)]


def make_normed(**settings: Any) -> Game:
    """Batch norm everywhere, no dropout."""
    torch.manual_seed(1)
    networks = {"generator": noisy(2, 2, "sigmoid"), "discriminator": noisy(2, 1)}
    for module in itertools.chain(*(network.modules() for network in networks.values())):
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return make_gan(**networks, **settings)


def ahead(self: Duel, x: Tensor) -> Tensor:
    player = self.functional("discriminator").minimize(self.discriminator_loss, x).minimize(self.discriminator_loss, 2 * x)
    return player.evaluate(self.generator_loss, x)


class Unrolled(Duel):
    """The generator looks two steps of the discriminator ahead."""

    def ahead(self, x: Tensor) -> Tensor:
        return ahead(self, x)

    def both_ahead(self, x: Tensor) -> dict[str, Tensor]:
        return {"discriminator": self.discriminator_loss(x), "generator": ahead(self, x)}

    def in_turn(self, batch: Batch) -> None:
        self.minimize("discriminator", self.discriminator_loss, batch.images)
        self.minimize("generator", self.ahead, batch.images)

    def at_once(self, batch: Batch) -> None:
        self.minimize_together(self.both_ahead, batch.images)


class Item(Duel):
    """Its loss reads a number off a tensor, which need not end a graph."""

    def item_loss(self, x: Tensor) -> Tensor:
        return self.generator_loss(x) * x.mean().item()

    def play_item(self, batch: Batch) -> None:
        self.minimize("generator", self.item_loss, batch.images)
