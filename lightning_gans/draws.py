"""The random numbers of a training step, the same for any number of ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor

from lightning_gans.batch import Batch
from lightning_gans.doors import Doors
from lightning_gans.labelled_priors import Labelled
from lightning_gans.randomness import global_seed, keyed_seed
from lightning_gans.strategy import world_size
from lightning_gans.tracing import Untraceable


class Draws:
    """Draws for the global batch, each keyed by seed, step and its number in the step; a rank keeps its rows.

    Args:
        device: where they are drawn.
    """

    def __init__(self, device: torch.device) -> None:
        self.count = 0
        self._generator = torch.Generator(device)

    def __call__(self, sampler: Callable[[int, torch.Generator], Tensor], n: int, step: int, rank: int) -> Tensor:
        """The rows of ``rank``, ``n`` of them, of the next draw of ``step``."""
        self.count += 1
        self._generator.manual_seed(keyed_seed("noise", global_seed(), step, self.count))
        if (world := world_size()) == 1:
            return sampler(n, self._generator)
        return sampler(n * world, self._generator)[rank * n :][:n]


class StepNoise(Doors):
    """A model whose training step draws random numbers: before a loss, which is a pure function and gets them passed in."""

    _draws: Draws | None = None  # made where they are needed: a generator cannot be sent to a spawned process
    _traced_state: dict[str, Any] | None = None

    def noise(self, n: int, labels: Tensor | None = None) -> Tensor:
        """``(n, dim)`` draws of the prior for this rank's ``n`` samples, by ``labels`` if given; every call gives others."""
        if labels is None:
            return self._draw(self.prior.sample, n)
        # Of every component, for what is drawn must not depend on the batch: a captured step draws it first
        count, sample = cast(Labelled, self.prior).components, cast(Labelled, self.prior).sample

        def of_each(rows: int, g: torch.Generator) -> Tensor:
            return sample(rows * count, g, torch.arange(count, device=g.device).repeat(rows)).unflatten(0, (rows, count))

        return self._draw(of_each, n)[torch.arange(n, device=labels.device), labels]

    def noise_like(self, batch: Batch) -> Tensor:
        """One draw of the prior for each sample of ``batch``."""
        return self.noise(len(batch))

    def given(self, batch: Batch) -> tuple[Any, ...]:
        """What the networks are given besides their input: the batch's conditions, where the model is conditional."""
        return (batch.conditions,) if self.conditional and batch.conditions is not None else ()

    def uniform(self, n: int, *shape: int) -> Tensor:
        """``(n, *shape)`` uniform numbers in [0, 1) for this rank's ``n`` samples."""
        return self._draw(lambda rows, g: torch.rand(rows, *shape, generator=g, device=g.device), n)

    def normal(self, n: int, *shape: int) -> Tensor:
        """``(n, *shape)`` standard normal numbers for this rank's ``n`` samples."""
        return self._draw(lambda rows, g: torch.randn(rows, *shape, generator=g, device=g.device), n)

    @contextmanager
    def being_traced(self) -> Iterator[dict[str, Any]]:
        """Within the block what would be frozen into a trace is refused, and ``functional`` finds players in what it yields."""
        self._traced_state = {}
        try:
            yield self._traced_state
        finally:
            self._traced_state = None

    def _refuse_in_trace(self, why: str) -> None:
        if self._traced_state is not None:
            raise Untraceable(why)

    def _draw(self, sampler: Callable[[int, torch.Generator], Tensor], n: int) -> Tensor:
        self._refuse_in_trace("draws noise inside; draw it in step and pass it in")
        self._draws = self._draws or Draws(self.device)
        return self._draws(sampler, n, self.global_step, self.global_rank).to(self.dtype)
