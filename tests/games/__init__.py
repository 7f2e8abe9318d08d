"""Small games of every paper, one file a paper: what they all must stand (ranks, resuming, 16 bits) runs over ``GAMES``.

A file has ``GAMES``: the paper's plain form first, then the variants whose steps differ. Those with "on images" in their name
train on images of shape ``IMAGE``, the others on 25 Gaussians.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from lightning_gans import Game

IMAGE = (1, 8, 8)

_FILES = {found.name: importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)}
GAMES: dict[str, Callable[..., Game]] = {name: make for file in _FILES.values() for name, make in file.GAMES.items()}
PAPERS: dict[str, Callable[..., Game]] = {name: next(iter(file.GAMES.values())) for name, file in _FILES.items()}
