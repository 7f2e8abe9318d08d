"""Mixtures of Gaussians on a grid or a ring, and the swiss roll: the embedded datasets of points in the plane."""

from __future__ import annotations

import math
import re

import numpy as np

from lightning_gans.data.source import Points, Request
from lightning_gans.errors import InputError
from lightning_gans.randomness import keyed_seed

_SIZES = {"train": 50_000, "test": 10_000}


class PlanarPoints(Points):
    """``grid25`` (or any square number), ``ring8`` (or any number) and ``swissroll``, in data units.

    - grid: centres 2 apart around the origin, so {-4, -2, 0, 2, 4}^2 for 25; std 0.05 an axis (not the variance 0.01 that GAAN
      prints, which is its radius of registration), the same number of points in every mode (GAAN, ALI, PacGAN alike);
    - ring: centres on a circle of radius 2, std 0.02 (WGAN-GP's toy);
    - swissroll: scikit-learn's with noise 0.25, its first and third coordinate (WGAN-GP's toy divides it by 7.5).

    The points are fixed: they do not depend on the seed of a run.
    """

    _PATTERN = re.compile(r"(grid|ring)(\d{1,9})|swissroll")

    where = "made on the spot, other numbers of modes too"

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.name = request.dataset
        match = self._PATTERN.fullmatch(self.name)
        assert match is not None
        kind, count = match[1], int(match[2] or 0)
        if count > _SIZES["test"]:
            raise InputError(f"{self.name} has more modes than its {_SIZES['test']:,} test points; ask for fewer")
        if kind == "grid":
            side = math.isqrt(count)
            if side * side != count or count < 1:
                raise InputError(f"a grid needs a square number of modes, not {count}: grid9, grid25, grid100")
            axis = 2.0 * np.arange(side) - (side - 1)
            self.centres = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float32)
            self.std = 0.05
        elif kind == "ring":
            if count < 1:
                raise InputError("a ring needs at least one mode: ring8")
            angle = 2 * np.pi * np.arange(count) / count
            self.centres = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=-1).astype(np.float32)
            self.std = 0.02

    @classmethod
    def answers_to(cls, request: Request) -> bool:
        return cls._PATTERN.fullmatch(request.dataset) is not None

    @classmethod
    def names(cls) -> list[str]:
        return ["grid25", "ring8", "swissroll"]

    def points(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        size = _SIZES[split]
        random = np.random.default_rng(keyed_seed("points", self.name, split))
        if self.centres is None or self.std is None:
            from sklearn.datasets import make_swiss_roll

            points, along = make_swiss_roll(size, noise=0.25, random_state=int(random.integers(2**31)))
            return points[:, [0, 2]].astype(np.float32), np.argsort(np.argsort(along)) * 10 // size
        labels = np.arange(size) % len(self.centres)
        points = self.centres[labels] + self.std * random.standard_normal((size, 2))
        return points.astype(np.float32), labels


SOURCE = PlanarPoints
