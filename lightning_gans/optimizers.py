"""Adam, RMSprop and schedules as the papers write them, and Adam's step as a pure function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.adam import adam
from torch.optim.lr_scheduler import LRScheduler

# Under the root of a second moment: without it the derivative of the root of 0 is infinite.
_TINY = 1e-30

# Of a group of parameters, besides its decay rates
_SETTINGS = ("lr", "weight_decay", "eps", "amsgrad", "maximize", "foreach", "capturable", "differentiable", "fused")


class Adam(torch.optim.Adam):
    """torch's Adam, fused, with the two decay rates as the papers name them.

    Args:
        params: what it updates.
        lr: learning rate.
        beta1: decay rate of the first moment.
        beta2: decay rate of the second moment.
        eps: added to the root of the second moment.
        weight_decay: L2 penalty.
        fused: one kernel for all parameters of a device; false for a device that has none.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        fused: bool = True,
    ) -> None:
        super().__init__(params, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay, fused=fused)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """As torch's, which asks each time whether a GPU is recording: under Lightning that opens the driver's library."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            lists: list[list[Tensor]] = [[] for _ in range(6)]  # parameters, gradients, three of moments, counts
            is_complex = self._init_group(group, *lists)
            beta1, beta2 = group["betas"]
            cast(Any, adam)(
                *lists,
                **{name: group[name] for name in _SETTINGS},
                beta1=beta1,
                beta2=beta2,
                has_complex=is_complex,
                grad_scale=getattr(self, "grad_scale", None),
                found_inf=getattr(self, "found_inf", None),
            )
        return loss


class RMSprop(torch.optim.RMSprop):
    """torch's RMSprop, whose weight decay is on weights and kernels alone: biases and the gains of norms have none.

    Args:
        params: what it updates.
        lr: learning rate.
        alpha: decay rate of the second moment.
        eps: added to its root.
        weight_decay: L2 penalty, ``weight_decay * w`` in the gradient of a weight w.
    """

    def __init__(
        self, params: Iterable[Parameter], lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0
    ) -> None:
        of_weights: dict[str, Any] = {"params": [], "weight_decay": weight_decay}
        of_others: dict[str, Any] = {"params": [], "weight_decay": 0.0}
        for parameter in params:
            (of_weights if parameter.dim() > 1 else of_others)["params"].append(parameter)
        super().__init__([group for group in (of_weights, of_others) if group["params"]], lr=lr, alpha=alpha, eps=eps)


class ConstantThenExponential(LRScheduler):
    """A rate that stays for a while and then falls by the same factor at each step, as BiGAN's authors have it.

    Args:
        optimizer: whose rate it is.
        constant: steps at the first rate.
        decay: steps of the fall.
        final: the rate after these, as a share of the first; it stays there.
    """

    def __init__(self, optimizer: Optimizer, constant: int, decay: int, final: float = 0.01) -> None:
        if constant < 0 or decay < 1 or not 0 < final <= 1:
            raise ValueError(
                f"constant {constant}, decay {decay} and final {final} must be at least 0, at least 1, and in (0, 1]"
            )
        self.constant, self.decay, self.final = constant, decay, final
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        fallen = _fallen(self.last_epoch, self.constant, self.decay)
        return [float(rate) * self.final**fallen for rate in self.base_lrs]


class ConstantThenLinear(LRScheduler):
    """A rate that stays for a while and then falls to 0 along a line, as feature matching's authors have it (epoch by epoch).

    Args:
        optimizer: whose rate it is.
        constant: steps at the first rate.
        decay: steps of the fall; the rate stays at 0 after them.
    """

    def __init__(self, optimizer: Optimizer, constant: int, decay: int) -> None:
        if constant < 0 or decay < 1:
            raise ValueError(f"constant {constant} and decay {decay} must be at least 0 and at least 1")
        self.constant, self.decay = constant, decay
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        left = 1 - _fallen(self.last_epoch, self.constant, self.decay)
        return [float(rate) * left for rate in self.base_lrs]


class ExponentialWithMomentum(LRScheduler):
    """A rate that falls by the same factor at each step, down to a floor, and a momentum that rises along a line.

    GAN's authors have both, the momentum epoch by epoch (goodfeli/adversarial, mnist.yaml).

    Args:
        optimizer: whose rate and momentum these are, such as ``SGD``.
        gamma: the factor.
        floor: the lowest rate.
        momentum: at the end of the rise; it starts at that of the optimiser.
        rise: steps of the rise; the momentum stays after them.
    """

    moves = ("momentum",)
    """Settings of the optimiser, besides its rate, that a resumed run takes from its checkpoint."""

    def __init__(self, optimizer: Optimizer, gamma: float, floor: float, momentum: float, rise: int) -> None:
        if not (0 < gamma <= 1 and floor >= 0 and 0 <= momentum < 1 and rise >= 1):
            raise ValueError(
                f"gamma {gamma}, floor {floor}, momentum {momentum} and rise {rise} must be in (0, 1], at least 0, in [0, 1), "
                "and at least 1"
            )
        if any("momentum" not in group for group in optimizer.param_groups):
            raise ValueError(f"{type(optimizer).__name__} has no momentum that could rise; take SGD")
        self.gamma, self.floor, self.momentum, self.rise = gamma, floor, momentum, rise
        self.first_momenta = [group["momentum"] for group in optimizer.param_groups]
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        return [max(float(rate) * self.gamma**self.last_epoch, min(self.floor, float(rate))) for rate in self.base_lrs]

    def step(self, epoch: int | None = None) -> None:
        super().step(epoch)
        risen = _fallen(self.last_epoch, 0, self.rise)
        for group, first in zip(self.optimizer.param_groups, self.first_momenta, strict=True):
            group["momentum"] = first + risen * (self.momentum - first)


def _fallen(step: int, constant: int, decay: int) -> float:
    """How much of a fall of ``decay`` steps that follows ``constant`` ones is over at ``step``, from 0 to 1."""
    return min(max(step - constant, 0), decay) / decay


@dataclass(frozen=True)
class AdamStep:
    """One step of Adam (Kingma and Ba 2015, Algorithm 1) as a pure function, differentiable through its moments.

    Args:
        beta1: decay rate of the first moment.
        beta2: decay rate of the second moment.
        eps: added to the root of the second moment.
        weight_decay: L2 penalty.
    """

    beta1: float
    beta2: float
    eps: float
    weight_decay: float

    @classmethod
    def of(cls, optimizer: Optimizer) -> AdamStep | None:
        """The step of an optimiser, ``None`` where it is another one than plain Adam with a single group of parameters."""
        if not isinstance(optimizer, torch.optim.Adam) or _plain_step(type(optimizer)) not in map(_plain_step, _PLAIN):
            return None
        (group, *others) = optimizer.param_groups
        if others or any(group.get(name) for name in ("amsgrad", "maximize", "decoupled_weight_decay")):
            return None
        beta1, beta2 = map(float, group["betas"])
        return cls(beta1, beta2, float(group["eps"]), float(group["weight_decay"]))

    def __call__(
        self, parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor, step: Tensor, lr: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The next parameter and moments.

        Args:
            parameter: any shape, like its ``gradient`` and moments.
            gradient: of the loss.
            first: moving average of gradients.
            second: moving average of their squares.
            step: number of this step, from 1: a scalar.
            lr: learning rate, a scalar.
        """
        step = step.double()
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        first = torch.lerp(first, gradient, 1 - self.beta1)
        second = self.beta2 * second + (1 - self.beta2) * gradient * gradient
        rate = (lr / (1 - self.beta1**step)).to(parameter.dtype)
        correction = (1 - self.beta2**step).sqrt().to(parameter.dtype)
        return parameter - rate * first / ((second + _TINY).sqrt() / correction + self.eps), first, second


_PLAIN = (Adam, torch.optim.Adam)


def _plain_step(cls: type[Optimizer]) -> Any:
    """The step of a class as it was written: torch wraps that of each class when the first optimiser of it is made."""
    return inspect.unwrap(cls.step)


def moments(optimizer: Optimizer, parameters: Sequence[Parameter]) -> tuple[list[Tensor], list[Tensor], list[Tensor]] | None:
    """Adam's first and second moments and step counts of some parameters, as the optimiser has them.

    ``None`` before its first step, or where the counts differ: then there is no step that is one for all of them.
    """
    states: list[dict[str, Any]] = [optimizer.state.get(parameter, {}) for parameter in parameters]
    if not all("exp_avg" in state for state in states):
        return None
    counts = [state["step"] for state in states]
    if torch.stack(counts).unique().numel() != 1:
        return None
    return [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states], counts
