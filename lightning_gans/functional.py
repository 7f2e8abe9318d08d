"""A player as a value: steps of its own optimiser that leave it where it is and can be differentiated through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import Parameter
from torch.optim import Optimizer

from lightning_gans.errors import InputError
from lightning_gans.optimizers import AdamStep, moments
from lightning_gans.players import Players


@dataclass(frozen=True, eq=False)
class FunctionalPlayer:
    """Parameters of a player and the state of its optimiser.

    Unrolled GAN (Metz et al. 2017) trains its generator against a discriminator that is K such steps ahead.

    Attributes:
        game: whose player it is.
        parameters: by their names in the game.
        first: Adam's moving averages of gradients, in the same order.
        second: those of their squares.
        count: steps so far, a scalar.
        rate: learning rate, a scalar.
        adam: the other settings of the optimiser.
    """

    game: nn.Module
    parameters: dict[str, Tensor]
    first: list[Tensor]
    second: list[Tensor]
    count: Tensor
    rate: Tensor
    adam: AdamStep

    @classmethod
    def of(cls, game: nn.Module, players: Players, name: str, traced: Mapping[str, Any] | None = None) -> FunctionalPlayer:
        """A player as it is now; within a trace, as ``traced`` has it.

        Raises:
            InputError: there is no such player, its optimiser is not Adam, or parameters have taken different numbers of steps.
        """
        if name not in players.optimizers:
            raise InputError(f"there is no player {name!r}; the players are {', '.join(players.names)}")
        optimizer, own = players.optimizers[name], players.parameters[name]
        adam = AdamStep.of(optimizer)
        if adam is None:
            raise InputError(
                f"steps of the {name} are differentiated through, which takes Adam; it has {type(optimizer).__name__}"
            )
        if traced:
            names: list[str] = traced["names"][name]
            tensors: Mapping[str, Tensor] = {**traced["parameters"], **traced["others"]}
            kept = (traced[key][name] for key in ("first", "second", "count", "rates"))
            first, second, count, rate = kept
        else:
            names = names_of(game, own)
            tensors = dict(zip(names, own, strict=True))
            first, second, count = _moments(optimizer, own, name)
            rate = torch.as_tensor(optimizer.param_groups[0]["lr"], dtype=torch.float64)
        parameters = {key: tensors[key].detach().requires_grad_() for key in names}
        return cls(game, parameters, list(first), list(second), count, rate, adam)

    def minimize(self, loss: Callable[..., Any], *inputs: Any) -> FunctionalPlayer:
        """The player after one step on ``loss(*inputs)``, differentiable in all that the loss depends on.

        The step is imagined: batch statistics that the loss updates are those of a copy.
        """
        buffers = {name: buffer.detach().clone() for name, buffer in self.game.named_buffers()}
        returned = at_parameters(self.game, self.parameters | buffers, loss, *inputs)
        value = returned[0] if isinstance(returned, tuple) else returned
        gradients = torch.autograd.grad(value, list(self.parameters.values()), create_graph=True, allow_unused=True)
        count, stepped = self.count + 1, []
        for parameter, gradient, first, second in zip(
            self.parameters.values(), gradients, self.first, self.second, strict=True
        ):
            now = parameter, first, second
            stepped.append(now if gradient is None else self.adam(parameter, gradient, first, second, count, self.rate))
        parameters, firsts, seconds = (list(each) for each in zip(*stepped, strict=True))
        after = dict(zip(self.parameters, parameters, strict=True))
        return replace(self, parameters=after, first=firsts, second=seconds, count=count)

    def evaluate(self, function: Callable[..., Any], *inputs: Any) -> Any:
        """``function(*inputs)`` with these parameters in the place of the player's own."""
        return at_parameters(self.game, self.parameters, function, *inputs)


def names_of(game: nn.Module, parameters: Sequence[Tensor]) -> list[str]:
    """The names that parameters have in a game."""
    names = {id(parameter): name for name, parameter in game.named_parameters()}
    return [names[id(parameter)] for parameter in parameters]


def _moments(optimizer: Optimizer, parameters: Sequence[Parameter], player: str) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Adam's moments and its count of steps, zeros before the first."""
    if (kept := moments(optimizer, parameters)) is not None:
        return kept[0], kept[1], kept[2][0]
    if any(optimizer.state.get(parameter) for parameter in parameters):
        raise InputError(f"steps of the {player} are differentiated through, so all its parameters must move in each step")
    zeros = [torch.zeros_like(parameter) for parameter in parameters]
    return zeros, zeros, torch.zeros((), device=parameters[0].device)


class _Caller(nn.Module):
    """Makes a game something that ``functional_call`` can call any function of."""

    def __init__(self, game: nn.Module) -> None:
        super().__init__()
        self.game = game

    def forward(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)


def at_parameters(game: nn.Module, tensors: Mapping[str, Tensor], function: Callable[..., Any], *args: Any) -> Any:
    """``function(*args)`` with parameters and buffers of ``game`` replaced by ``tensors``, by name."""
    return functional_call(_Caller(game), {f"game.{name}": tensor for name, tensor in tensors.items()}, (function, *args))
