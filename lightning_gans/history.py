"""The losses of the last few steps, kept on the device until somebody reads them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from lightning_gans.errors import NonFiniteError
from lightning_gans.logs import log_numbers
from lightning_gans.strategy import average_over_ranks


class LossHistory:
    """Collects scalars without waiting for the device; one read tells their means and the first bad one."""

    def __init__(self) -> None:
        self._unread: list[tuple[int, str, Tensor]] = []
        self._numbers: dict[str, list[float]] = {}

    def add(self, step: int, name: str, value: Tensor) -> None:
        """Remember the scalar ``value`` of ``name`` at ``step``."""
        self._unread.append((step, name, value.detach()))

    def first_bad(self) -> tuple[int, str] | None:
        """The (step, name) of the first value since the last look that is not finite on every rank."""
        entries, self._unread = self._unread, []
        if not entries:
            return None
        values = torch.stack([value.float() for _, _, value in entries])
        average_over_ranks([values])  # a bad value on any rank is then bad on all
        numbers = values.tolist()
        for (_, name, _), number in zip(entries, numbers, strict=True):
            self._numbers.setdefault(name, []).append(number)
        return next(((step, name) for (step, name, _), x in zip(entries, numbers, strict=True) if x - x != 0), None)

    def means(self) -> dict[str, float]:
        """The mean of each name over the steps since the last call and over ranks."""
        self.first_bad()
        numbers, self._numbers = self._numbers, {}
        return {name: sum(each) / len(each) for name, each in numbers.items()}

    def check(self, stop: bool, left: str) -> None:
        """Say which loss was the first since the last look that is not finite.

        Args:
            stop: whether it is to end the run.
            left: what the run has left to go on from.

        Raises:
            NonFiniteError: there is one, and it is to ``stop`` the run.
        """
        if (bad := self.first_bad()) is None:
            return
        step, name = bad
        message = f"the loss of the {name} is not finite at step {step}"
        if stop:
            raise NonFiniteError(
                f"{message}; {left}: lower the learning rate or clip gradients, "
                "or go on regardless with --model.nonfinite continue"
            )
        rank_zero_warn(message)

    def log(self, module: LightningModule, rates: Mapping[str, float]) -> None:
        """Log the means and learning rates: losses on the progress bar too, and all of it to be monitored."""
        losses = {f"loss/{name}": value for name, value in self.means().items()}
        if module.trainer.barebones:
            return
        module.log_dict({name: value for name, value in losses.items() if name.count("/") == 1}, prog_bar=True, logger=False)
        module.log_dict({name: value for name, value in losses.items() if name.count("/") > 1}, logger=False)
        log_numbers(module.trainer, {**losses, **rates})
