"""Optimisers and schedules that a player can be given: those that cannot work are refused before anything trains."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch.callbacks import (
    BaseFinetuning,
    BatchSizeFinder,
    GradientAccumulationScheduler,
    LearningRateFinder,
    SpikeDetection,
    StochasticWeightAveraging,
)
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lightning_gans.config_files import LARGEST
from lightning_gans.errors import InputError
from lightning_gans.messages import first_line

_OF_AUTOMATIC_OPTIMISATION = (
    *(BatchSizeFinder, LearningRateFinder, GradientAccumulationScheduler, StochasticWeightAveraging, BaseFinetuning),
    SpikeDetection,  # reads the loss that a step returns
)


def optimizer(make: Callable[[Any], Optimizer], parameters: Sequence[Parameter], player: str) -> Optimizer:
    """The optimiser of a player, after one of its kind has taken a step on parameters of no consequence.

    Raises:
        InputError: it cannot be made of its settings, or does not step on gradients alone.
    """
    like = parameters[0]
    scratch = [Parameter(torch.zeros(shape, dtype=like.dtype, device=like.device)) for shape in ((2, 2), (2,))]
    for parameter in scratch:
        parameter.grad = torch.ones_like(parameter)
    try:
        trial, made = make(scratch), make(parameters)
    except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:
        raise InputError(f"the optimizer of the {player} cannot be made: {_said(error)}; change its settings") from error
    for group in made.param_groups:
        for name, value in group.items():
            for number in value if isinstance(value, tuple | list) and name != "params" else [value]:
                if isinstance(number, float) and not abs(number) <= LARGEST:
                    raise InputError(f"the optimizer of the {player} has {name} {number}; give a finite number that is smaller")
    try:
        trial.step()
    except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:
        raise InputError(
            f"{type(trial).__name__} cannot be the optimizer of the {player}: it does not step on gradients as they are "
            f"({_said(error)}); take another, such as lightning_gans.Adam"
        ) from error
    return made


def scheduler(make: Callable[[Optimizer], Any], of: Optimizer, player: str) -> LRScheduler:
    """The schedule of a player's learning rate.

    Raises:
        InputError: it cannot be made of its settings, or waits for a measure.
    """
    try:
        made = make(of)
    except (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError) as error:
        raise InputError(f"the scheduler of the {player} cannot be made: {_said(error)}; change its settings") from error
    if isinstance(made, torch.optim.lr_scheduler.ReduceLROnPlateau):
        raise InputError(
            "ReduceLROnPlateau waits for a measure, but schedules of a game go by steps alone; take another, such as StepLR"
        )
    for name, value in vars(made).items():
        if (isinstance(value, float) and not math.isfinite(value)) or (name == "step_size" and value == 0):
            raise InputError(f"the scheduler of the {player} has {name} {value}; give a number above 0")
    return made


@contextmanager
def advancing(scheduler: LRScheduler, player: str) -> Iterator[None]:
    """What a schedule says that has come to its end, in a sentence."""
    try:
        yield
    except (ValueError, ArithmeticError, TypeError) as error:
        raise InputError(
            f"the {type(scheduler).__name__} of the {player} cannot go on: {_said(error)}; give it as many steps as "
            "schedule_counts counts, or another schedule"
        ) from error


def refuse_callbacks(model: Any, callbacks: Sequence[Any]) -> None:
    """Refuse callbacks that train by Lightning's own steps, where players take theirs.

    Raises:
        InputError: names the first.
    """
    for callback in callbacks:
        if isinstance(callback, _OF_AUTOMATIC_OPTIMISATION) and not model.automatic_optimization:
            raise InputError(
                f"{type(callback).__name__} cannot work with {type(model).__name__}, whose players step themselves; "
                "leave it out of trainer.callbacks"
            )


def _said(error: Exception) -> str:
    return first_line(error) or type(error).__name__
