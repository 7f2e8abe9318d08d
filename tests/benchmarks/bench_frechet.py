"""The parts of a Frechet distance that are not the network, on 2048 features, beside how others compute them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torchmetrics.image.fid import _compute_fid

from lightning_gans.evaluation.features.frechet import FeatureSums, Gaussian, frechet_distance

DIM = 2048


@dataclass(frozen=True)
class Case:
    """One computation, both ways, and how often it is repeated at most."""

    name: str
    raw: Callable[[], object]
    ours: Callable[[], object]
    goal: float
    repeats: int = 100


@cache
def features(seed: int) -> Tensor:
    """Correlated and not negative, as those of the network are."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(0)) / DIM**0.5
    return (torch.randn(3000, DIM, generator=generator) @ mixing).relu()


@cache
def gaussian(seed: int) -> Gaussian:
    sums = FeatureSums(DIM)
    sums.update(features(seed))
    found = sums.gaussian()
    assert found.root.shape == (DIM, DIM)  # as it comes from the stored statistics
    return found


def by_eigenvalues() -> float:
    real, fake = gaussian(1), gaussian(2)
    return _compute_fid(real.mean, real.covariance, fake.mean, fake.covariance).item()


def by_root() -> float:
    real, fake = gaussian(1), gaussian(2)
    root = sqrtm((real.covariance @ fake.covariance).numpy())
    traces = real.covariance.trace() + fake.covariance.trace()
    return float((real.mean - fake.mean).square().sum() + traces - 2 * np.trace(root.real))


def ours() -> float:
    return frechet_distance(gaussian(1), gaussian(2))


def new_sums() -> None:
    """As torchmetrics adds a batch of 32 to its sums, twenty times."""
    total, products = torch.zeros(DIM).double(), torch.zeros(DIM, DIM).double()
    for some in features(1)[:640].split(32):
        wide = some.double()
        total += wide.sum(dim=0)
        products += wide.t().mm(wide)


def sums_in_place() -> None:
    sums = FeatureSums(DIM)
    for some in features(1)[:640].split(32):
        sums.update(some)


CASES = [
    Case("frechet: 2048 features, torchmetrics", by_eigenvalues, ours, 1 / 3.5),
    Case("frechet: 2048 features, scipy sqrtm", by_root, ours, 1 / 15, repeats=2),
    Case("frechet: sums of 20 batches of 32", new_sums, sums_in_place, 1 / 3),
]


def measure(case: Case, repeats: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """(raw, ours) of each repeat, in milliseconds of the wall and of the processor."""
    torch.set_num_threads(1)
    case.ours()  # makes what is kept
    return [(_timed(case.raw), _timed(case.ours)) for _ in range(min(repeats, case.repeats))]


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)
