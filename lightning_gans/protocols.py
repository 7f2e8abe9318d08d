"""What evaluation, figures and tables may ask of a model, and nothing else.

At these doors images are float ``(N, C, H, W)`` in [-1, 1], points are ``(N, 2)`` in data units, latents are one flat
tensor ``(N, dim)``, and conditions are rows of the real split: a tensor ``(N, ...)``, or several of them by name. Any class
that has these methods is served, ours or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, overload, runtime_checkable

import torch
from torch import Tensor

from lightning_gans.priors import Prior

Condition = Tensor | dict[str, Tensor]
"""What the samples of a batch are conditioned on, ``(N, ...)``, or several such tensors by name."""


@overload
def to_device(condition: Condition, device: torch.device) -> Condition: ...
@overload
def to_device(condition: Condition | None, device: torch.device) -> Condition | None: ...
def to_device(condition: Condition | None, device: torch.device) -> Condition | None:
    """A condition, of one tensor or of several, on a device; none is none."""
    if isinstance(condition, dict):
        return {name: values.to(device) for name, values in condition.items()}
    return None if condition is None else condition.to(device)


@runtime_checkable
class Generates(Protocol):
    """Makes images from latents."""

    prior: Prior

    def decode(self, z: Tensor, condition: Condition | None = None) -> Tensor:
        """The images of latents ``z`` ``(N, dim)``."""

    def sample(self, n: int, condition: Condition | None = None, generator: torch.Generator | None = None) -> Tensor:
        """``n`` images; the generator may be on any device, the result is on the model's."""


@runtime_checkable
class Encodes(Protocol):
    """Makes latents from images."""

    def encode(self, images: Tensor, condition: Condition | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Latents ``(N, dim)``: the mean of a stochastic encoder, or with a generator a draw."""


@runtime_checkable
class Features(Protocol):
    """Shows what it computes on the way."""

    def features(self, images: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """The named intermediate activations, in the order asked for."""


@runtime_checkable
class Classifies(Protocol):
    """Tells classes apart."""

    def classify(self, images: Tensor) -> Tensor:
        """Logits ``(N, classes)``."""
