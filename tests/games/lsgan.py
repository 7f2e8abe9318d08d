"""Small LSGANs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import LSGAN, MLP, Uniform
from tests.games import GRID


def make_lsgan(**settings: Any) -> LSGAN:
    torch.manual_seed(1)
    networks = {"generator": MLP(2, 2, (16,), output="sigmoid"), "discriminator": MLP(2, 1, (16,))}
    return LSGAN(**{**networks, **GRID, "prior": Uniform(2), **settings})


GAMES = {"lsgan": make_lsgan, "lsgan at once": partial(make_lsgan, simultaneous=True, a=-1.0, c=0.0)}
