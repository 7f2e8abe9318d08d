"""A player's update: a pure function of tensors gives a loss, its gradients are averaged, clipped and stepped with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

import torch
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor
from torch.optim import Optimizer

from lightning_gans.errors import InputError
from lightning_gans.players import Players, clip_gradients, laid_out_like
from lightning_gans.strategy import average_over_ranks

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from lightning_gans.compiled import Compiler
    from lightning_gans.game import Game

# A loss and what else of it is logged, by player
Losses = dict[str, tuple[Tensor, Mapping[str, Tensor]]]
Gradients = Mapping[str, Sequence[Tensor | None]]
LossFunction = Callable[..., Any]


class Updates:
    """Takes the steps of a game's players.

    Args:
        game: whose networks they are.
        players: who owns which parameters, with which optimiser.
        scaler: of the loss, for 16 bits.
        trainer: whose callbacks are told of each step, if they ask for it.
        compiler: compiles updates; none runs all eagerly.
    """

    def __init__(
        self,
        game: Game,
        players: Players,
        scaler: torch.amp.GradScaler | None,
        trainer: Trainer,
        compiler: Compiler | None = None,
    ) -> None:
        self.game, self.players, self.scaler, self.compiler = game, players, scaler, compiler
        told = [each for each in (*cast(Any, trainer).callbacks, game) if is_overridden("on_before_optimizer_step", each)]
        self.before_step: list[Callable[[Optimizer], Any]] = [_telling(each, trainer, game) for each in told]

    def take(self, player: str | None, loss: LossFunction, inputs: Sequence[Any]) -> Losses:
        """One step of a player, or where none is named of all whose losses ``loss`` returns, at the same parameters."""
        if self.compiler is not None and (compiled := self.compiler.find(player, loss, inputs)) is not None:
            losses, gradients = compiled(inputs)
        else:
            losses, gradients = self.gradients(player, loss, inputs)
        if gradients is not None:
            self.step(gradients)
        return losses

    def gradients(self, player: str | None, loss: LossFunction, inputs: Sequence[Any]) -> tuple[Losses, Gradients]:
        """The losses, and the gradient of each for its player's parameters, scaled."""
        with nullcontext() if player is None else self.players.freeze_others(player):
            losses = evaluate(player, loss, inputs, self.players.parameters)
            gradients = {}
            for name, (value, _) in losses.items():
                scaled = value if self.scaler is None else self.scaler.scale(value)
                gradients[name] = gradients_of(scaled, self.players.parameters[name], retain_graph=len(losses) > 1)
        return losses, gradients

    def step(self, gradients: Gradients) -> None:
        """Average over ranks, unscale, clip and step: in this order, so that all ranks find the same overflow and norm."""
        for name, of_player in gradients.items():
            optimizer = self.players.optimizers[name]
            average_over_ranks(of_player)
            for parameter, gradient in zip(self.players.parameters[name], of_player, strict=True):
                parameter.grad = laid_out_like(parameter, gradient)
            if self.scaler is not None:
                self.scaler.unscale_(optimizer)
            if (bound := self.game.gradient_clip_val) is not None:
                given = [p.grad for p in self.players.parameters[name] if p.grad is not None]
                clip_gradients(given, bound, self.game.gradient_clip_algorithm)
            for tell in self.before_step:
                tell(optimizer)
            optimizer.step() if self.scaler is None else self.scaler.step(optimizer)
        if self.scaler is not None and gradients:
            self.scaler.update()


def evaluate(player: str | None, loss: LossFunction, inputs: Sequence[Any], players: Mapping[str, Any]) -> Losses:
    """What a loss function returns, by player.

    Raises:
        InputError: it is no loss, or one for a player that there is not.
    """
    returned = loss(*inputs)
    by_player = {player: returned} if player is not None else returned
    if not isinstance(by_player, Mapping):
        raise InputError(f"{name_of(loss)} must return a loss for each player by name, not {type(returned).__name__}")
    losses: Losses = {}
    for name, value in by_player.items():
        if name not in players:
            raise InputError(f"there is no player {name!r} to minimize {name_of(loss)}; the players are {', '.join(players)}")
        scalar, terms = value if isinstance(value, tuple) and len(value) == 2 else (value, {})
        if not isinstance(scalar, Tensor) or scalar.numel() != 1 or not scalar.requires_grad:
            raise InputError(f"{name_of(loss)} must return a scalar tensor that depends on the {name}'s parameters")
        if not isinstance(terms, Mapping) or not all(isinstance(term, Tensor) for term in terms.values()):
            raise InputError(f"{name_of(loss)} must return what else it tells as a dictionary of tensors by name")
        losses[name] = scalar.reshape(()), terms
    return losses


def gradients_of(loss: Tensor, parameters: Sequence[Tensor], retain_graph: bool) -> list[Tensor | None]:
    """The gradient for each parameter, ``None`` for those that are frozen or that the loss does not depend on."""
    wanted = [parameter for parameter in parameters if parameter.requires_grad]
    found = iter(torch.autograd.grad(loss, wanted, retain_graph=retain_graph, allow_unused=True) if wanted else ())
    return [next(found) if parameter.requires_grad else None for parameter in parameters]


def _telling(callback: Any, trainer: Trainer, game: Game) -> Callable[[Optimizer], Any]:
    """Its ``on_before_optimizer_step``, with the arguments that Lightning would give."""
    if callback is game:
        return game.on_before_optimizer_step
    return lambda optimizer: callback.on_before_optimizer_step(trainer, game, optimizer)


def name_of(loss: LossFunction) -> str:
    """What a loss function is called."""
    return getattr(loss, "__qualname__", None) or type(loss).__name__
