"""An exponential moving average of the generator's weights, or of those that a model names, or of a whole module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from lightning_gans import checks


class EMA(Callback):
    """Averages the generator alone, once a training batch; training never sees the average.

    Of a model that says otherwise (``averaged``), such as one that learns to classify, it is another network; of a module of
    one's own without any of these it is all parameters. Lightning's own callback averages the discriminator too, swaps the
    average into the model for validation and counts optimiser steps. Batch statistics are not averaged: ``applied`` uses the
    live ones.

    Args:
        decay: share of the old average that is kept at each update; the first takes the weights as they are.
        every_n_steps: training batches between updates.
    """

    def __init__(self, decay: float = 0.999, every_n_steps: int = 1) -> None:
        checks.fractions(decay=decay)
        checks.positive(every_n_steps=every_n_steps)
        self.decay, self.every_n_steps = decay, every_n_steps
        self.average: Average | None = None
        self._stored: dict[str, Tensor] | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.average = None  # that of an earlier fit
        self._make(pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """A game updates the average itself, as the last part of its step, so that both are captured as one graph."""
        if self._within(pl_module):
            cast(Any, pl_module).after_step.append(self.average)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        if self._within(pl_module):
            cast(Any, pl_module).after_step.remove(self.average)

    def _within(self, pl_module: Any) -> bool:
        return self.every_n_steps == 1 and hasattr(pl_module, "after_step")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._stored is not None:
            self._make(pl_module)

    on_validation_start = on_predict_start = on_test_start

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if self.average is not None and not self._within(pl_module) and trainer.global_step % self.every_n_steps == 0:
            self.average.update()

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
            self.average = Average(_generator(pl_module), self.decay).to(pl_module.device)
            if self._stored is not None:
                self.average.load_state_dict(self._stored)
                self._stored = None


class Average(nn.Module):
    """A copy of a network whose weights follow it. torch's ``AveragedModel`` reads its counter at each update, and so waits."""

    n_averaged: Tensor

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.module = deepcopy(network).requires_grad_(False)
        self.register_buffer("n_averaged", torch.zeros((), dtype=torch.long))
        self.decay = decay
        self.follow(network)

    def follow(self, network: nn.Module) -> None:
        """Average the weights of ``network`` from now on."""
        self._live = [parameter.detach() for parameter in network.parameters()]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now."""
        averages = list(self.module.parameters())
        weight = torch.where(self.n_averaged == 0, 1.0, 1 - self.decay)  # the first average is the weights themselves
        torch._foreach_lerp_(averages, self._live, weight.to(averages[0].dtype))  # type: ignore[call-overload]
        self.n_averaged.add_(1)

    def state(self) -> list[Tensor]:
        """All that an update changes."""
        return [*self.module.parameters(), self.n_averaged]


def _generator(pl_module: LightningModule) -> nn.Module:
    generator = getattr(pl_module, getattr(pl_module, "averaged", "generator"), None)
    return generator if isinstance(generator, nn.Module) else nn.ParameterList(pl_module.parameters())


@torch.no_grad()
def _copy(source: Sequence[torch.Tensor], target: Sequence[torch.Tensor]) -> None:
    torch._foreach_copy_(list(target), list(source))
