"""An exponential moving average of the generator's weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lightning_gans import checks


class EMA(Callback):
    """Averages the generator alone, once a training batch; training never sees the average.

    Lightning's own callback averages the discriminator too, swaps the average into the model for validation and counts
    optimiser steps. Batch statistics are not averaged: ``applied`` uses the live ones.

    Args:
        decay: share of the old average that is kept at each update.
        every_n_steps: training batches between updates.
    """

    def __init__(self, decay: float = 0.999, every_n_steps: int = 1) -> None:
        checks.fractions(decay=decay)
        checks.positive(every_n_steps=every_n_steps)
        self.decay, self.every_n_steps = decay, every_n_steps
        self.average: AveragedModel | None = None
        self._stored: dict[str, torch.Tensor] | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.average = None  # that of an earlier fit
        self._make(pl_module)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._stored is not None:
            self._make(pl_module)

    on_validation_start = on_predict_start = on_test_start

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if self.average is not None and trainer.global_step % self.every_n_steps == 0:
            self.average.update_parameters(_generator(pl_module))

    @contextmanager
    def applied(self, pl_module: LightningModule) -> Iterator[None]:
        """Within the block the generator has the averaged weights."""
        assert self.average is not None, "the average exists once training or testing has started"
        live = list(_generator(pl_module).parameters())
        raw = [p.detach().clone() for p in live]
        _copy(list(self.average.module.parameters()), live)
        try:
            yield
        finally:
            _copy(raw, live)

    def state_dict(self) -> dict[str, Any]:
        return {} if self.average is None else {"average": self.average.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._stored = state_dict.get("average")

    def _make(self, pl_module: LightningModule) -> None:
        if self.average is None or self._stored is not None:
            average_function = get_ema_multi_avg_fn(self.decay)
            self.average = AveragedModel(_generator(pl_module), device=pl_module.device, multi_avg_fn=average_function)
            if self._stored is not None:
                self.average.load_state_dict(self._stored)
                self._stored = None


def _generator(pl_module: LightningModule) -> nn.Module:
    generator = pl_module.generator
    assert isinstance(generator, nn.Module)
    return generator


@torch.no_grad()
def _copy(source: Sequence[torch.Tensor], target: Sequence[torch.Tensor]) -> None:
    torch._foreach_copy_(list(target), list(source))
