"""What is refused before anything trains, each with one sentence that names it and says what to do."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, get_args

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import nn

from lightning_gans.errors import InputError
from lightning_gans.priors import Normal, Prior


def positive(**values: float) -> None:
    """Refuse what is not a finite number above 0."""
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}, but must be a number above 0")


def not_negative(**values: float) -> None:
    """Refuse what is negative, infinite or NaN."""
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} is {value}, but must be a number of at least 0")


def fractions(**values: float) -> None:
    """Refuse what is outside [0, 1]."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise InputError(f"{name} is {value}, but must lie between 0 and 1")


def smoothing(label_smoothing: float) -> None:
    """Refuse labels that do not tell real from generated."""
    if not 0 <= label_smoothing < 0.5:
        raise InputError(f"label_smoothing is {label_smoothing}, but must be at least 0 and below 0.5")


def one_move_each(simultaneous: bool, **steps: int) -> None:
    """Refuse several steps of one player where both move at once."""
    for name, count in steps.items():
        if simultaneous and count != 1:
            raise InputError(f"{name} is {count}, but both players move at once; set simultaneous to false")


def rows_are_independent(critic: nn.Module, penalty: float) -> None:
    """Warn of a penalised critic with batch norm: a sample's slope then depends on the others (GAAN's authors did so)."""
    if penalty and any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in critic.modules()):
        rank_zero_warn("the gradient penalty takes slopes a sample, but the discriminator has batch norm; prefer norm 'layer'")


def is_normal(prior: Prior) -> None:
    """Refuse a prior to which a normal posterior has no divergence in closed form."""
    if not isinstance(prior, Normal):
        raise InputError(f"L_prior is known for a normal prior only, not for {prior!r}; set prior to Normal")


def has_density_everywhere(prior: Prior) -> None:
    """Refuse a prior under which a normal posterior has an infinite divergence, or whose density is not known."""
    try:
        known = bool(prior.log_prob(torch.full((1, prior.dim), 1e3)).isfinite().all())
    except NotImplementedError:
        known = False
    if not known:
        raise InputError(
            f"a normal posterior needs a prior with a density everywhere, which {prior} is not; set prior to Normal"
        )


def takes_over(network: str, start_from: Any) -> None:
    """Refuse a game that is about a trained network and is given none, or trains it on."""
    if start_from is None or network not in start_from.networks or not start_from.frozen:
        raise InputError(
            f"the {network} is a trained one that stays as it is; set model.start_from.checkpoint to a file of a run that has "
            f"one, model.start_from.networks to ['{network}'], and leave frozen true"
        )


def one_of(name: str, value: Any, choices: Any) -> None:
    """Refuse a value that is none of the choices, a tuple or a Literal; the command has looked already, Python has not."""
    allowed = choices if isinstance(choices, tuple) else get_args(choices)
    if value not in allowed:
        raise InputError(f"{name} is {value!r}, but must be one of {', '.join(map(repr, allowed))}")


def length(trainer: Any) -> None:
    """Refuse a training of no steps."""
    for name in ("max_steps", "max_epochs"):
        if getattr(trainer, name) == 0:
            raise InputError(f"trainer.{name} is 0, so nothing would be trained; give it a positive number (-1: no limit)")
    if trainer.limit_train_batches == 0:
        raise InputError("trainer.limit_train_batches is 0, so nothing would be trained; raise it, or leave it out")


def validation(trainer: Any, batches: Callable[[], Any]) -> None:
    """Refuse to be told when a training is interrupted for validation if ``batches`` gives none for it."""
    for name, usual in {"check_val_every_n_epoch": 1, "val_check_interval": 1.0}.items():
        value = getattr(trainer, name, "a time")  # the latter is not there where it is one
        if value != usual and not batches():
            raise InputError(
                f"trainer.{name} is {value}, but nothing is validated in this training; leave it out, and set "
                "evaluation.every_n_steps to measure in between"
            )


def fits_memory(what: str, size: int) -> None:
    """Refuse so many bytes as no memory here holds, by arithmetic: a system that tries kills the process."""
    if not hasattr(os, "sysconf"):  # Windows
        return
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > there:
        raise InputError(f"{what} takes more memory than the {there // 2**30} GiB of this machine; make it smaller")
