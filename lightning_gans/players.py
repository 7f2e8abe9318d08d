"""The players of a game: which parameters each may move, with which optimiser, on which schedule."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any, Literal

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR

from lightning_gans import fitting, idle
from lightning_gans.errors import InputError
from lightning_gans.optimizers import Adam

ScheduleCounts = Literal["own", "shared", "batches"]
ClipAlgorithm = Literal["norm", "tensor", "value"]


# By then whoever moves less often than the others has done so
_BATCHES_TO_MOVE = 100


class Players:
    """Parameters, optimiser and schedule of every player. A network may belong to several.

    Args:
        networks: the networks that each player owns, by the player's name.
        optimizer: makes the optimiser of every player; none takes Adam with DCGAN's rate of 2e-4 and beta1 of 0.5.
        optimizers: makes that of single players instead, by name.
        scheduler: makes the learning-rate schedule of every optimiser; ``None`` keeps rates constant.
        schedule_counts: what advances a schedule: ``own`` steps of its player, the ``shared`` count of all players' steps, or
            training ``batches``. Schedules are brought up to date after each batch.

    Raises:
        InputError: ``optimizers`` names a player that is not there, a player has nothing to train, or an optimiser or a
            schedule does not fit.
    """

    def __init__(
        self,
        networks: Mapping[str, Sequence[nn.Module]],
        optimizer: OptimizerCallable | None,
        optimizers: Mapping[str, OptimizerCallable],
        scheduler: LRSchedulerCallable | None,
        schedule_counts: ScheduleCounts,
    ) -> None:
        if unknown := set(optimizers) - set(networks):
            raise InputError(
                f"there is no player {sorted(unknown)[0]!r} to give an optimizer to; the players are {', '.join(networks)}"
            )
        self.names = list(networks)
        self.parameters = {name: trainable(modules) for name, modules in networks.items()}
        for name, parameters in self.parameters.items():
            if not parameters:
                raise InputError(f"the player {name!r} has no parameter to train; give it a network that has some")
        everyone = _unique(p for parameters in self.parameters.values() for p in parameters)
        self._others = {name: _without(everyone, mine) for name, mine in self.parameters.items()}
        default = optimizer or partial(Adam, lr=2e-4, beta1=0.5)
        self.optimizers = {
            name: fitting.optimizer(optimizers.get(name, default), parameters, name)
            for name, parameters in self.parameters.items()
        }
        self.schedulers: dict[str, LRScheduler] = {}
        if scheduler is not None:
            self.schedulers = {name: fitting.scheduler(scheduler, each, name) for name, each in self.optimizers.items()}
            for each in self.optimizers.values():
                setattr(each, "_opt_called", True)  # noqa: B010 - a player may sit out the first batch: no warning
        self._configured = {name: _settings(each) for name, each in self.optimizers.items()}
        self._configured_schedules = {name: _schedule_settings(each) for name, each in self.schedulers.items()}
        self._schedule_counts = schedule_counts
        self._steps = dict.fromkeys(self.names, 0)
        self._standing, self._batches = {*self.names}, 0

    @contextmanager
    def freeze_others(self, name: str) -> Iterator[None]:
        """Within the block gradients reach the parameters of ``name`` alone; what was frozen before stays so."""
        others = [p for p in self._others.get(name, ()) if p.requires_grad]
        for parameter in others:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in others:
                parameter.requires_grad_(True)

    def count_step(self, name: str) -> None:
        """Note one optimiser step of ``name``."""
        self._steps[name] += 1
        self._standing.discard(name)

    def finish_batch(self) -> None:
        """Advance the schedules by what they count; say who has not moved for long."""
        self._batches += 1
        if self._batches == _BATCHES_TO_MOVE:
            self.say_who_stands()
        for name, scheduler in self.schedulers.items():
            match self._schedule_counts:
                case "own":
                    count = self._steps[name]
                case "shared":
                    count = sum(self._steps.values())
                case "batches":
                    count = 1
            with fitting.advancing(scheduler, name):
                _advance(scheduler, count)
        self._steps = dict.fromkeys(self.names, 0)

    def kinds(self) -> dict[str, dict[str, str | None]]:
        """The classes of each player's optimiser and schedule."""
        schedules = {name: type(each).__name__ for name, each in self.schedulers.items()}
        return {name: {"optimizer": type(o).__name__, "schedule": schedules.get(name)} for name, o in self.optimizers.items()}

    def say_who_stands(self) -> None:
        """Warn of players who have not moved since training began."""
        idle.say_who_stands(sorted(self._standing), self._batches)
        self._standing.clear()

    def learning_rates(self) -> dict[str, float]:
        """The rate of each player's first parameter group."""
        return {name: float(each.param_groups[0]["lr"]) for name, each in self.optimizers.items()}

    def scheduled_rates(self) -> dict[str, float]:
        """The rates under the names that they are logged by, none where they are constant."""
        return {f"lr/{name}": rate for name, rate in self.learning_rates().items()} if self.schedulers else {}

    def keep_configured_settings(self) -> None:
        """Put the configured rates and decay factors back over those that a checkpoint has restored, and say so.

        torch stores them with an optimiser's state, so a learning rate given for the resumed run would be lost without a word.
        A schedule goes on from where it was, scaled to the new rate, with its own numbers as they are configured.
        """
        for name, scheduler in self.schedulers.items():
            for key, value in self._configured_schedules[name].items():
                if (stored := getattr(scheduler, key)) != value:
                    rank_zero_warn(f"{key} of the schedule of the {name}: {stored} in the checkpoint, {value} from now on")
                    setattr(scheduler, key, value)
        for name, optimizer in self.optimizers.items():
            for group, configured in zip(optimizer.param_groups, self._configured[name], strict=True):
                moved = getattr(self.schedulers.get(name), "moves", ())
                for key, value in configured.items():
                    if key == "initial_lr" or key in moved:
                        continue
                    stored = group.get("initial_lr", group["lr"]) if key == "lr" else group[key]
                    if _plain(stored) == value:
                        continue
                    rank_zero_warn(
                        f"{key} of the {name}: {_plain(stored)} in the checkpoint, {value} from now on", stacklevel=2
                    )
                    if key == "lr":
                        group["lr"] = group["lr"] * value / stored if stored else value
                        if "initial_lr" in group:
                            group["initial_lr"] = value
                    else:
                        group[key] = value
            if name in self.schedulers:
                self.schedulers[name].base_lrs = [group["initial_lr"] for group in optimizer.param_groups]


def _advance(scheduler: LRScheduler, count: int) -> None:
    """Take ``count`` steps; those of a ``StepLR`` that change nothing are only counted, for seven a batch are dear."""
    while count > 0:
        if type(scheduler) is StepLR:
            idle = min(count, scheduler.step_size - 1 - scheduler.last_epoch % scheduler.step_size)
            scheduler.last_epoch += idle
            scheduler._step_count += idle
            count -= idle
        if count:
            scheduler.step()
            count -= 1


def clip_gradients(gradients: list[Tensor], bound: float | None, algorithm: ClipAlgorithm) -> None:
    """Bound gradients in place: their norm over all parameters or that of each, or each value."""
    if bound is None or not gradients:
        return
    match algorithm:
        case "norm":
            norm = nn.utils.get_total_norm(gradients, foreach=True)
            torch._foreach_mul_(gradients, (bound / (norm + 1e-6)).clamp(max=1.0))  # as torch's clip_grad_norm_
        case "tensor":
            torch._foreach_mul_(gradients, [bound / norm.clamp(min=bound) for norm in torch._foreach_norm(gradients)])
        case "value":
            torch._foreach_clamp_min_(gradients, -bound)
            torch._foreach_clamp_max_(gradients, bound)


def trainable(modules: Iterable[nn.Module]) -> list[Parameter]:
    """The parameters of some networks that are not frozen, each once."""
    return _unique(p for module in modules for p in module.parameters() if p.requires_grad)


def _unique(parameters: Iterable[Parameter]) -> list[Parameter]:
    return list({id(p): p for p in parameters}.values())


def _without(parameters: list[Parameter], mine: list[Parameter]) -> list[Parameter]:
    ids = {id(p) for p in mine}
    return [p for p in parameters if id(p) not in ids]


def _settings(optimizer: Optimizer) -> list[dict[str, Any]]:
    """The numbers that an optimiser was given, group by group."""
    numbers = (int, float, tuple)
    return [
        {key: value for key, value in group.items() if isinstance(value, numbers) and not isinstance(value, bool)}
        | {"lr": group.get("initial_lr", group["lr"])}
        for group in optimizer.param_groups
    ]


def _schedule_settings(scheduler: LRScheduler) -> dict[str, Any]:
    """The numbers that a schedule was given, not its place."""
    names = [name for name in inspect.signature(type(scheduler)).parameters if name not in ("optimizer", "last_epoch")]
    return {name: copy(vars(scheduler)[name]) for name in names if name in vars(scheduler)}


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return float(value)
    return tuple(value) if isinstance(value, list) else value


def laid_out_like(parameter: Tensor, gradient: Tensor | None) -> Tensor | None:
    """The gradient with its parameter's strides, as ``backward`` would leave it: fused optimisers read both in one order."""
    if gradient is None or gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
