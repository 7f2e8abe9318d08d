"""The random numbers of a training step, the same for any number of ranks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lightning_gans.randomness import global_seed, keyed_seed
from lightning_gans.strategy import world_size


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
