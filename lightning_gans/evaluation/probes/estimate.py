"""A measured number with its spread, and the arrays it is measured on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from lightning_gans.errors import InputError

Array = Tensor | np.ndarray


@dataclass(frozen=True)
class Estimate:
    """The mean of ``n`` values.

    Attributes:
        mean: of the values.
        std: their standard deviation (over n, not n - 1, as the papers' codes compute it).
        n: how many there are.
    """

    mean: float
    std: float
    n: int

    @classmethod
    def of(cls, values: Array) -> Estimate:
        """Of ``values`` ``(n,)``, in double precision."""
        array = to_numpy(values).astype(np.float64)
        return cls(float(array.mean()), float(array.std()), len(array))

    @property
    def standard_error(self) -> float:
        """Of the mean: ``std / sqrt(n)``."""
        return self.std / math.sqrt(self.n)

    @property
    def spread(self) -> float:
        """``1.96 std``: what DCGAN prints after its plus-minus."""
        return 1.96 * self.std


def to_numpy(values: Array) -> np.ndarray:
    """The same numbers in memory; 16-bit floats as float32."""
    if isinstance(values, Tensor):
        values = values.detach()
        return (values.float() if values.is_floating_point() and values.itemsize < 4 else values).cpu().numpy()
    return np.asarray(values)


def checked_pairs(features: Array, labels: Array, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Features ``(N, D)`` and labels ``(N,)``.

    Raises:
        InputError: they do not fit together, or are not finite.
    """
    x, y = to_numpy(features), to_numpy(labels)
    if x.ndim != 2 or y.shape != x.shape[:1] or not len(y):
        raise InputError(f"the {what} set must have features (N, D) and labels (N,); it has {x.shape} and {y.shape}")
    if not np.isfinite(x).all():
        raise InputError(f"the features of the {what} set are not all finite; look at the model's weights")
    return x, y
