"""Adam as the papers write it, and optimisers as defaults of a constructor."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

import torch
from torch.nn import Parameter


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


def make_defaults_picklable(cls: type) -> None:
    """Give the lambdas among the defaults of ``cls``'s constructor a name to pickle them by, for strategies that spawn.

    A lambda is the only form of such a default that the command can read, override and write back.
    """
    if "__init__" not in vars(cls):  # then they are those of a class above, named already
        return
    for parameter in inspect.signature(cls.__init__).parameters.values():  # type: ignore[misc]
        if inspect.isfunction(parameter.default):
            name = f"_default_{parameter.name}"
            parameter.default.__qualname__ = f"{cls.__qualname__}.{name}"
            setattr(cls, name, staticmethod(parameter.default))
