"""Groups of points for tests of probes."""

from __future__ import annotations

import numpy as np


def blobs(n: int, distance: float, seed: int = 0, classes: int = 3, dim: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Gaussians around points of a simplex with sides ``distance * sqrt(2)``."""
    labels = np.arange(n) % classes
    noise = np.random.default_rng(seed).standard_normal((n, dim))
    return (noise + distance * np.eye(classes, dim)[labels]).astype(np.float32), labels
