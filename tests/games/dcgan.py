"""Small DCGANs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import DCGAN, MLP, Uniform
from tests.games import GRID


def make_dcgan(**settings: Any) -> DCGAN:
    torch.manual_seed(1)
    networks = {"generator": MLP(2, 2, (16,), output="sigmoid"), "discriminator": MLP(2, 1, (16,))}
    return DCGAN(**{**networks, **GRID, "prior": Uniform(2), **settings})


GAMES = {"dcgan": make_dcgan, "dcgan, two steps of G": partial(make_dcgan, generator_steps=2, same_noise=True)}
