"""Features for tests of metrics."""

from __future__ import annotations

import torch
from torch import Tensor


def features(n: int, dim: int = 16, seed: int = 0, scale: float = 1.0, mean: float = 0.0) -> Tensor:
    """Normal draws ``(n, dim)``."""
    return scale * torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) + mean
