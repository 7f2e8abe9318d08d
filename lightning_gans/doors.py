"""A model as evaluation, figures and ``lightning predict`` see it: see protocols.py."""

from __future__ import annotations

from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from lightning_gans import checks
from lightning_gans.priors import Prior
from lightning_gans.randomness import global_seed, keyed_generator


class Doors(LightningModule):
    """Converts once on the way in and once on the way out between the doors' units and those of the networks.

    Args:
        data_range: the interval in which the networks work, such as (0, 1) for a sigmoid output.
        data_scale: what the data is divided by before it is mapped from [-1, 1] to ``data_range``.
    """

    prior: Prior
    generator: nn.Module
    stores_latents = False
    """Whether training fills an empirical prior."""

    def __init__(self, data_range: tuple[float, float], data_scale: float) -> None:
        super().__init__()
        checks.positive(data_scale=data_scale)
        low, high = self.data_range = (float(data_range[0]), float(data_range[1]))
        checks.positive(**{"the width of data_range": high - low})
        self.data_scale = data_scale
        self._slope = (high - low) / 2 / data_scale
        self._offset = (high + low) / 2

    def normalize(self, images: Tensor) -> Tensor:
        """Images in [-1, 1], or points in data units, as the networks take them."""
        return images if (self._slope, self._offset) == (1, 0) else images * self._slope + self._offset

    def denormalize(self, data: Tensor) -> Tensor:
        """The inverse of ``normalize``."""
        return data if (self._slope, self._offset) == (1, 0) else (data - self._offset) / self._slope

    def to_model(self, x: Tensor) -> Tensor:
        """``x`` on the model's device and in the precision of its parameters."""
        return x.to(self.device, cast(torch.dtype, self.dtype))

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """The images ``(N, C, H, W)`` in [-1, 1], or the points in data units, of latents ``z`` ``(N, dim)``."""
        return self.denormalize(self.generator(z))

    def sample(self, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """``n`` images from the prior; ``generator`` may be on any device."""
        return self.decode(self.to_model(self.prior.sample(n, generator)), condition)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Nothing: the evaluation callback measures when the loop is through."""

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Nothing: the evaluation callback measures when the loop is through."""

    def predict_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        """As many samples as the batch is long, from noise keyed by the first number in it."""
        return self.sample(len(batch), generator=keyed_generator("predict", global_seed(), int(batch[0])))
