"""What evaluation, figures and tables may ask of a model, and nothing else.

At these doors images are float ``(N, C, H, W)`` in [-1, 1], points are ``(N, 2)`` in data units, latents are one flat
tensor ``(N, dim)``, and conditions are rows of the real split. Any class that has these methods is served, ours or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from lightning_gans.priors import Prior

Condition = Tensor | dict[str, Tensor]


@dataclass(frozen=True)
class ConditionKind:
    """What a condition looks like, for building networks.

    Attributes:
        kind: ``labels`` int64 ``(N,)``, ``attributes`` float ``(N, A)`` of zeros and ones, or ``captions`` int64 ``(N, L)``,
            UTF-8 bytes padded with zeros.
        width: the number of classes K that labels count, of attributes A, or of bytes L.
    """

    kind: Literal["labels", "attributes", "captions"]
    width: int


@runtime_checkable
class Generates(Protocol):
    """Makes images from latents."""

    prior: Prior

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """The images of latents ``z`` ``(N, dim)``."""

    def sample(self, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """``n`` images; the generator may be on any device, the result is on the model's."""


@runtime_checkable
class Encodes(Protocol):
    """Makes latents from images."""

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
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
