"""Updates: whose networks move, at which parameters, by which bounded gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn

from lightning_gans import Batch, InputError
from tests.helpers import Duel, fit, furthest, in_training, logged, same, state

# Updates


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_in_an_update_only_its_player_gets_gradients_and_moves(player: str) -> None:
    def both(self: Duel, x: Tensor) -> Tensor:
        return self.discriminator_loss(x) + self.generator_loss(x)

    game = Duel(lambda self, batch: self.minimize(player, partial(both, self), batch.images))
    before = state(game)
    fit(game, 1)
    for name, parameter in game.named_parameters():
        mine = name.startswith(player)
        assert (parameter.grad is not None) == mine
        assert torch.equal(parameter, before[name]) != mine


def test_other_networks_are_frozen_in_an_update_alone() -> None:
    seen: list[list[bool]] = []

    def loss(self: Duel, x: Tensor) -> Tensor:
        seen.append([p.requires_grad for p in self.discriminator.parameters()])
        return self.generator_loss(x)

    def play(self: Duel, batch: Batch) -> None:
        self.minimize("generator", partial(loss, self), batch.images)
        seen.append([p.requires_grad for p in self.parameters()])

    fit(Duel(play), 1)
    assert seen == [[False] * 2, [True] * 4] * 2  # in the dry run, too


def test_networks_can_be_trained_again_after_a_loss_that_raised() -> None:
    def loss(self: Duel, x: Tensor) -> Tensor:
        if in_training(self):
            raise ArithmeticError
        return self.generator_loss(x)

    game = Duel(lambda self, batch: self.minimize("generator", partial(loss, self), batch.images))
    with pytest.raises(ArithmeticError):
        fit(game, 1)
    assert all(p.requires_grad for p in game.parameters())


@pytest.mark.parametrize("play", [Duel.alternate, Duel.move_together])
def test_what_the_user_has_frozen_stays_frozen(play: Callable[..., None]) -> None:
    game = Duel(play)
    game.generator.weight.requires_grad_(False)
    game.discriminator.bias.requires_grad_(False)
    before = state(game)
    fit(game, 3)
    changed = {name for name, value in state(game).items() if not torch.equal(value, before[name])}
    assert changed == {"generator.bias", "discriminator.weight"}
    assert [name for name, p in game.named_parameters() if not p.requires_grad] == ["generator.weight", "discriminator.bias"]


def test_what_the_user_freezes_during_training_stays_frozen() -> None:
    def play(self: Duel, batch: Batch) -> None:
        if self.global_step == 1:
            self.generator.weight.requires_grad_(False)
        self.alternate(batch)

    fit(game := Duel(play), 3)
    assert not game.generator.weight.requires_grad


@pytest.mark.parametrize("play", [Duel.alternate, Duel.move_together])
def test_updates_outside_of_fit_are_refused(play: Callable[..., None]) -> None:
    with pytest.raises(RuntimeError, match=r"inside Trainer\.fit"):
        play(Duel(), Batch(torch.zeros(2, 2)))


def test_terms_of_a_loss_are_scalars_of_any_shape(tmp_path: Path) -> None:
    def loss(self: Duel, x: Tensor) -> Any:
        return self.generator_loss(x)[None], {"two": self.generator.bias.new_tensor(2.0), "three": torch.full((1, 1), 3.0)}

    game = Duel(lambda self, batch: self.minimize("generator", partial(loss, self), batch.images))
    fit(game, 2, logger=CSVLogger(tmp_path), log_every_n_steps=2)
    assert logged(tmp_path, "loss/generator/two") == {2: 2.0}
    assert logged(tmp_path, "loss/generator/three") == {2: 3.0}


# What is no loss, by what is said of it
NO_LOSSES: dict[str, Callable[[Duel, Tensor], Any]] = {
    "a scalar tensor that depends on the generator's": lambda self, x: self.generator(x),
    "scalar tensor": lambda self, x: 1.0,
    "must return a scalar": lambda self, x: None,
    "depends on the generator's parameters": lambda self, x: self.discriminator(x).mean(),
    "a dictionary of tensors by name": lambda self, x: (self.generator_loss(x), {"number": 1.0}),
    "what else it tells as a dictionary": lambda self, x: (self.generator_loss(x), self.generator_loss(x)),
}


@pytest.mark.parametrize("words", NO_LOSSES)
@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
def test_what_is_no_loss_is_refused(words: str, together: bool) -> None:
    def play(self: Duel, batch: Batch) -> None:
        if together:
            self.minimize_together(lambda x: {"generator": NO_LOSSES[words](self, x)}, batch.images)
        else:
            self.minimize("generator", partial(NO_LOSSES[words], self), batch.images)

    with pytest.raises(InputError, match=words if not together or "depends on" not in words else "depend"):
        fit(Duel(play), 1)


@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
def test_a_loss_of_an_unknown_player_is_refused(together: bool) -> None:
    def play(self: Duel, batch: Batch) -> None:
        if together:
            self.minimize_together(lambda x: {"critic": self.generator_loss(x)}, batch.images)
        else:
            self.minimize("critic", self.generator_loss, batch.images)

    with pytest.raises(InputError, match=r"no player 'critic'.*discriminator, generator"):
        fit(Duel(play), 1)


@pytest.mark.parametrize("returned", [None, 1.0, "losses"])
def test_losses_that_are_not_by_player_are_refused(returned: Any) -> None:
    def nothing(x: Tensor) -> Any:
        return returned

    with pytest.raises(InputError, match=rf"nothing must return a loss for each player by name, not {type(returned).__name__}"):
        fit(Duel(lambda self, batch: self.minimize_together(nothing, batch.images)), 1)


@pytest.mark.parametrize("play", [Duel.alternate, Duel.move_together])
@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
def test_callbacks_see_the_gradients_of_each_step(play: Callable[..., None], scaled: bool) -> None:
    seen: list[tuple[int, float]] = []

    class Look(Callback):
        def on_before_optimizer_step(self, trainer: Trainer, pl_module: Any, optimizer: Any) -> None:
            norm = torch.stack([p.grad.norm() for group in optimizer.param_groups for p in group["params"]]).norm()
            seen.append((trainer.optimizers.index(optimizer), float(norm)))

    class Heard(Duel):
        def on_before_optimizer_step(self, optimizer: Any) -> None:
            heard.append(self.trainer.optimizers.index(optimizer))

    heard: list[int] = []
    plugins = [MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=16.0))] if scaled else []
    fit(Heard(play, gradient_clip_val=1e-3), 2, callbacks=[Look()], plugins=plugins)
    assert [player for player, _ in seen] == heard == [0, 1] * 2
    assert [norm for _, norm in seen] == pytest.approx([1e-3] * 4, rel=1e-2), "neither unscaled nor clipped"


# Simultaneous moves


def by_hand(steps: int = 3, shared: bool = False) -> dict[str, Tensor]:
    """Plain SGD on gradients that are all taken before anybody moves."""
    batches: list[Tensor] = []

    def note(self: Duel, batch: Batch) -> None:
        self.alternate(batch)
        if in_training(self):
            batches.append(batch.images)

    fit(Duel(note), steps)
    game = Duel()
    owned = {name: [p for network in networks for p in network.parameters()] for name, networks in game.players().items()}
    if shared:
        owned["generator"] += owned["discriminator"]
    for images in batches:
        losses = game.both_losses(images)
        gradients = {name: torch.autograd.grad(losses[name], owned[name], retain_graph=True) for name in owned}
        with torch.no_grad():
            for name, parameters in owned.items():
                for parameter, gradient in zip(parameters, gradients[name], strict=True):
                    parameter -= 0.1 * gradient
    return state(game)


def test_simultaneous_moves_are_gradients_at_the_same_parameters() -> None:
    fit(game := Duel(Duel.move_together), 3)
    fit(alternating := Duel(Duel.alternate), 3)
    assert furthest(state(game), by_hand()) < 1e-6
    assert furthest(state(alternating), state(game)) > 1e-4


def test_a_network_that_two_players_share_is_moved_by_both() -> None:
    class Shared(Duel):
        def players(self) -> dict[str, list[nn.Module]]:
            return {"discriminator": [self.discriminator], "generator": [self.generator, self.discriminator]}

    fit(game := Shared(Duel.move_together), 3)
    assert furthest(state(game), by_hand(shared=True)) < 1e-6


def test_a_move_without_a_gradient_for_a_parameter_leaves_it() -> None:
    def play(self: Duel, batch: Batch) -> None:
        self.minimize_together(lambda: {"generator": self.generator.bias.square().sum()})

    fit(game := Duel(play), 2)
    assert torch.equal(game.generator.weight, Duel().generator.weight)
    torch.testing.assert_close(game.generator.bias, Duel().generator.bias * 0.8**2)


def test_an_error_among_the_losses_steps_nobody() -> None:
    def losses(self: Duel, x: Tensor) -> dict[str, Tensor]:
        found = {"generator": self.generator_loss(x)}
        if in_training(self):
            raise ArithmeticError
        return found

    game = Duel(lambda self, batch: self.minimize_together(partial(losses, self), batch.images))
    with pytest.raises(ArithmeticError):
        fit(game, 1)
    assert same(state(game), state(Duel()))


# Clipping


@pytest.mark.parametrize("play", [Duel.alternate, Duel.move_together])
@pytest.mark.parametrize(
    ("algorithm", "clip"),
    [
        ("norm", nn.utils.clip_grad_norm_),
        ("tensor", lambda parameters, bound: [nn.utils.clip_grad_norm_(parameter, bound) for parameter in parameters]),
        ("value", nn.utils.clip_grad_value_),
    ],
    ids=["norm", "tensor", "value"],
)
def test_gradients_are_clipped_as_torch_does(play: Callable[..., None], algorithm: str, clip: Callable[..., Any]) -> None:
    batches: list[Batch] = []

    def recorded(self: Duel, batch: Batch) -> None:
        if in_training(self):
            batches.append(batch)
        play(self, batch)

    fit(game := Duel(recorded, gradient_clip_val=0.05, gradient_clip_algorithm=algorithm), 1)
    reference = Duel()
    reference.discriminator_loss(batches[0].images).backward(inputs=list(reference.discriminator.parameters()))
    clip(reference.discriminator.parameters(), 0.05)
    torch.optim.SGD(reference.discriminator.parameters(), lr=0.1).step()
    for name, value in state(reference.discriminator).items():
        torch.testing.assert_close(game.state_dict()[f"discriminator.{name}"], value)
    assert not torch.equal(reference.discriminator.weight, Duel().discriminator.weight)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_bound_on_gradients_must_be_positive(value: float) -> None:
    with pytest.raises(InputError, match="gradient_clip_val"):
        Duel(gradient_clip_val=value)
