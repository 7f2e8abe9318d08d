"""Adam as the papers write it."""

from __future__ import annotations

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
