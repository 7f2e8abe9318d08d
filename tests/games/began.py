"""A small BEGAN, whose discriminator is an autoencoder of points."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gans import BEGAN, MLP, Uniform
from tests.games import GRID


def make_began(**settings: Any) -> BEGAN:
    torch.manual_seed(1)
    networks = {"generator": MLP(2, 2, (16,), output="sigmoid"), "discriminator": MLP(2, 2, (16,))}
    return BEGAN(**{**networks, **GRID, "prior": Uniform(2), "gamma": 1.0, "lambda_k": 0.05, **settings})


GAMES = {"began": make_began}
