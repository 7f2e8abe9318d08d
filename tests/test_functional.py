"""Steps of a player that are values: the optimiser's own, differentiable, and without a trace in the game."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_gans import Adam, Batch, InputError
from lightning_gans.functional import FunctionalPlayer
from tests.games.gaan import noisy
from tests.helpers import Duel, fit, furthest, in_training, same, state

X = torch.randn(16, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(5))

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": partial(Adam, lr=0.01, beta1=0.5),
    "decayed": partial(Adam, lr=0.02, beta1=0.9, beta2=0.99, weight_decay=0.1),
    "torch's own": partial(torch.optim.Adam, lr=0.03, betas=(0.0, 0.9), eps=1e-3),
}


def trained(steps: int, **settings: Any) -> Duel:
    """A game in float64 in the middle of a training; its updates can still be called."""
    fit(game := Duel(**{"optimizer": OPTIMIZERS["adam"], **settings}), steps, precision="64-true")
    return game


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_imagined_steps_are_the_optimisers_own(optimizer: str, steps: int, k: int) -> None:
    game = trained(steps, optimizer=OPTIMIZERS[optimizer])
    player = game.functional("discriminator")
    batches = [X * (number + 1) for number in range(k)]
    for x in batches:
        player = player.minimize(game.discriminator_loss, x)
    adam = game._updates.players.optimizers["discriminator"]
    for x in batches:
        adam.zero_grad()
        game.discriminator_loss(x).backward(inputs=list(game.discriminator.parameters()))
        adam.step()
    real = {name: p for name, p in game.named_parameters() if name.startswith("discriminator")}
    assert furthest({name: p.detach() for name, p in player.parameters.items()}, dict(real)) < 1e-12
    assert player.count == steps + k


def test_before_the_first_step_moments_are_zero() -> None:
    seen: list[FunctionalPlayer] = []

    def play(self: Duel, batch: Batch) -> None:
        if in_training(self) and self.global_step == 0:
            seen.append(self.functional("generator").minimize(self.generator_loss, batch.images))
        self.minimize("generator", self.generator_loss, batch.images)

    game = trained(1, play=play)
    real = {name: p for name, p in game.named_parameters() if name.startswith("generator")}
    assert furthest({name: p.detach() for name, p in seen[0].parameters.items()}, dict(real)) < 1e-12


@pytest.mark.parametrize("k", [1, 3])
def test_gradients_through_imagined_steps_are_those_of_finite_differences(k: int) -> None:
    game = trained(4, optimizer=OPTIMIZERS["decayed"])

    def ahead(weight: Tensor) -> Tensor:
        """The generator's loss against a discriminator that has learnt from samples of ``weight``."""

        def loss(x: Tensor) -> Tensor:
            fake = x @ weight.T
            return (game.discriminator(fake).tanh() - game.discriminator(x).tanh()).mean()

        player = game.functional("discriminator")
        for _ in range(k):
            player = player.minimize(loss, X)
        return player.evaluate(lambda: game.discriminator(X @ weight.T).square().mean())

    assert torch.autograd.gradcheck(ahead, (game.generator.weight.detach().clone().requires_grad_(),))


def test_the_game_is_as_it_was_afterwards() -> None:
    game = Duel(optimizer=OPTIMIZERS["adam"])
    game.discriminator = noisy(2, 1)
    fit(game, 3)
    optimizers = game._updates.players.optimizers
    before, moments = state(game), {name: str(each.state_dict()) for name, each in optimizers.items()}
    flags = [p.requires_grad for p in game.parameters()]
    player = game.functional("discriminator")
    for _ in range(3):
        player = player.minimize(game.discriminator_loss, X.float())
    assert same(state(game), before)
    assert {name: str(each.state_dict()) for name, each in optimizers.items()} == moments
    assert [p.requires_grad for p in game.parameters()] == flags
    assert furthest({name: p.detach() for name, p in player.parameters.items()}, {n: before[n] for n in player.parameters}) > 0


def test_an_update_through_imagined_steps_moves_its_player_alone() -> None:
    def ahead(self: Duel, x: Tensor) -> Tensor:
        player = self.functional("discriminator").minimize(self.discriminator_loss, x)
        return player.evaluate(self.generator_loss, x)

    def play(self: Duel, batch: Batch) -> None:
        self.minimize("generator", partial(ahead, self), batch.images)

    game = Duel(play, optimizer=OPTIMIZERS["adam"])
    before = state(game)
    fit(game, 2)
    changed = {name for name, value in state(game).items() if not torch.equal(value, before[name])}
    assert changed == {"generator.weight", "generator.bias"}


@pytest.mark.parametrize(
    "other", [torch.optim.SGD, partial(torch.optim.Adam, amsgrad=True), torch.optim.AdamW, torch.optim.RMSprop]
)
def test_other_optimisers_are_refused(other: Callable[..., torch.optim.Optimizer]) -> None:
    game = trained(1, optimizers={"discriminator": partial(other, lr=0.1)})
    with pytest.raises(InputError, match="takes Adam"):
        game.functional("discriminator")


def test_a_player_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match=r"no player 'critic'.*discriminator, generator"):
        trained(1).functional("critic")


def test_parameters_that_have_moved_at_different_times_are_refused() -> None:
    def play(self: Duel, batch: Batch) -> None:
        self.minimize("generator", lambda: self.generator.bias.square().sum())

    game = trained(2, play=play)
    with pytest.raises(InputError, match="all its parameters must move"):
        game.functional("generator")


def test_a_network_that_is_shared_keeps_its_names() -> None:
    class Shared(Duel):
        def players(self) -> dict[str, list[nn.Module]]:
            return {"discriminator": [self.discriminator, self.generator], "generator": [self.generator]}

    fit(game := Shared(optimizer=OPTIMIZERS["adam"]), 1)
    names = ["discriminator.weight", "discriminator.bias", "generator.weight", "generator.bias"]
    assert list(game._updates.players.optimizers) == ["discriminator", "generator"]
    game._updates.players.optimizers["discriminator"].state.clear()
    assert list(game.functional("discriminator").parameters) == names
