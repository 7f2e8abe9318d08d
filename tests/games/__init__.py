"""Small games of every paper, one file a paper: what they all must stand (ranks, resuming, 16 bits) runs over ``GAMES``.

A file has ``GAMES``: the paper's plain form first, then the variants whose steps differ. Those with "on images" in their name
train on images of shape ``IMAGE``, the others on 25 Gaussians.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from functools import partial
from typing import Any

from lightning_gans import Adam, Game

IMAGE = (1, 8, 8)
# How games on the 25 Gaussians are trained, as GAAN's authors do
GRID: dict[str, Any] = {"data_scale": 4.180112, "optimizer": partial(Adam, lr=1e-3, beta1=0.8), "schedule_counts": "shared"}

_FILES = {found.name: importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)}
GAMES: dict[str, Callable[..., Game]] = {name: make for file in _FILES.values() for name, make in file.GAMES.items()}
PAPERS: dict[str, Callable[..., Game]] = {name: next(iter(file.GAMES.values())) for name, file in _FILES.items()}
