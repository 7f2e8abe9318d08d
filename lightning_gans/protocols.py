"""What evaluation, figures and tables may ask of a model, and nothing else.

At these doors images are float ``(N, C, H, W)`` in [-1, 1], points are ``(N, 2)`` in data units, latents are one flat
tensor ``(N, dim)``, and conditions are rows of the real split. Any class that has these methods is served, ours or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeGuard, runtime_checkable

import torch
from torch import Tensor

from lightning_gans.priors import Prior

# Labels int64 (N,), attributes float (N, A) or captions as byte codes int64 (N, L); several of them by these names
Condition = Tensor | dict[str, Tensor]


@dataclass(frozen=True)
class ConditionKind:
    """What a condition looks like.

    Attributes:
        kind: of its values.
        width: number of classes, of attributes, or of bytes of a caption.
    """

    kind: Literal["labels", "attributes", "captions"]
    width: int


def map_condition(condition: Condition | None, change: Any) -> Any:
    """``change`` applied to a condition, or to each of several."""
    if isinstance(condition, dict):
        return {name: change(each) for name, each in condition.items()}
    return None if condition is None else change(condition)


def to_device(condition: Condition | None, device: torch.device | str) -> Any:
    """A condition, or each of several, on a device."""
    return map_condition(condition, lambda each: each.to(device, non_blocking=True))


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

    def features(self, images: Tensor, layers: Sequence[str], condition: Condition | None = None) -> list[Tensor]:
        """The named intermediate activations, in the order asked for."""


@runtime_checkable
class Classifies(Protocol):
    """Tells classes apart."""

    def classify(self, images: Tensor) -> Tensor:
        """Logits ``(N, classes)``."""


def encodes(model: Any) -> TypeGuard[Encodes]:
    """Whether a model makes latents from images; one that inherits the method may have no encoder."""
    return callable(getattr(model, "encode", None)) and getattr(model, "can_encode", True)


def shows_features(model: Any) -> TypeGuard[Features]:
    """Whether a model shows what it computes on the way."""
    return callable(getattr(model, "features", None)) and getattr(model, "can_show_features", True)


def classifies(model: Any) -> TypeGuard[Classifies]:
    """Whether a model tells classes apart."""
    return callable(getattr(model, "classify", None)) and getattr(model, "can_classify", True)
