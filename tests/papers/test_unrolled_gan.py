"""Unrolled GAN against steps that are taken for real, and against plain GAN."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_gans import MLP, Adam, InputError, Normal, UnrolledGAN
from tests.games.gan import make_gan
from tests.games.unrolled_gan import make_unrolled_gan
from tests.helpers import COMMON, arguments, fit, furthest, matters, record_turns, state

sgd: Any = partial(torch.optim.SGD, lr=0.1)


def f(G: Any, D: Any, x: Tensor, z: Tensor) -> Tensor:
    return F.softplus(-D(x)).mean() + F.softplus(D(G(z))).mean()


def trained(**settings: Any) -> UnrolledGAN:
    """In the middle of a training, in float64; its losses can still be called."""
    fit(game := make_unrolled_gan(**settings), 3, precision="64-true")
    return game


@pytest.mark.parametrize("loss", ["minimax", "ns"])
@pytest.mark.parametrize("k", [0, 1, 3])
def test_the_generators_loss_and_gradient_are_those_of_real_steps(k: int, loss: Any) -> None:
    game = trained(unrolling_steps=k, loss=loss, optimizer=partial(Adam, lr=0.05, beta1=0.5))
    x, z = torch.rand(16, 2).double(), torch.randn(16, 2).double()
    bias = list(game.generator.parameters())[-1]
    adam = game._updates.players.optimizers["discriminator"]

    def ahead(change: float) -> float:
        """The loss where G's first output bias is another by ``change``."""
        G, D = deepcopy(game.generator), deepcopy(game.discriminator)
        own = torch.optim.Adam(D.parameters(), lr=0.05, betas=(0.5, 0.999))
        own.load_state_dict({**deepcopy(adam.state_dict()), "param_groups": own.state_dict()["param_groups"]})
        with torch.no_grad():
            list(G.parameters())[-1][0] += change
        for _ in range(k):
            own.zero_grad()
            f(G, D, x, z).backward(inputs=list(D.parameters()))
            own.step()
        fake = D(G(z))
        return float(-F.softplus(fake).mean() if loss == "minimax" else F.softplus(-fake).mean())

    found = game.unrolled_loss(z, x, z)
    assert float(found) == pytest.approx(ahead(0), abs=1e-9)
    (gradient,) = torch.autograd.grad(found, bias)
    assert float(gradient[0]) == pytest.approx((ahead(1e-5) - ahead(-1e-5)) / 2e-5, rel=1e-4, abs=1e-8)


def test_the_steps_ahead_leave_no_trace_in_the_discriminator() -> None:
    one_step = make_gan(loss="minimax", discriminator_scale=1.0, prior=Normal(2), discriminator=tanh_net())
    fit(one_step, 1)
    fit(game := make_unrolled_gan(unrolling_steps=4), 1)
    of = [{name: v for name, v in state(each).items() if name.startswith("discriminator")} for each in (game, one_step)]
    assert furthest(*of) == 0


def tanh_net() -> MLP:
    return make_unrolled_gan().discriminator  # type: ignore[return-value]


def test_without_steps_ahead_it_is_a_gan() -> None:
    fit(game := make_unrolled_gan(unrolling_steps=0), 3)
    plain = make_gan(loss="minimax", discriminator_scale=1.0, prior=Normal(2), discriminator=tanh_net())
    plain.generator.load_state_dict(make_unrolled_gan().generator.state_dict())
    fit(plain, 3)
    assert furthest(state(game), state(plain)) < 1e-6


def test_both_players_move_at_once() -> None:
    turns = record_turns(game := make_unrolled_gan())
    fit(game, 2)
    assert turns == [("discriminator and generator", ["discriminator", "generator"])] * 2


def test_another_optimiser_than_adam_is_refused() -> None:
    with pytest.raises(InputError, match="takes Adam; it has SGD"):
        fit(make_unrolled_gan(optimizer=sgd), 1)
    fit(make_unrolled_gan(optimizer=sgd, unrolling_steps=0), 1)
    fit(make_unrolled_gan(optimizer=sgd, optimizers={"discriminator": Adam}), 1)


@pytest.mark.parametrize("wrong", [{"unrolling_steps": -1}, {"loss": "wgan"}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_unrolled_gan(**wrong)


adam: Any = {"optimizer": partial(Adam, lr=1e-2)}
CHANGES = {name: ({**adam, **base}, change) for name, (base, change) in COMMON.items()} | {
    "optimizer": (adam, {"optimizer": Adam}),
    "optimizers": (adam, {"optimizers": {"generator": sgd}}),
    "prior": (adam, {"prior": Normal(2, 2.0)}),
    "generator": (adam, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "discriminator": (adam, {"discriminator": MLP(2, 1, (8,))}),
    "unrolling_steps": (adam, {"unrolling_steps": 3}),
    "loss": (adam, {"loss": "ns"}),
    "data_range": ({**adam, "generator": MLP(2, 2, (16,))}, {"data_range": (0.0, 1.0)}),
    "gradient_clip_algorithm": ({**adam, "gradient_clip_val": 0.01}, {"gradient_clip_algorithm": "value"}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(UnrolledGAN) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_unrolled_gan, *CHANGES[name])
