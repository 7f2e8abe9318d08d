"""A small DRAGAN."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gans import DRAGAN, MLP, Uniform
from tests.games import GRID


def make_dragan(**settings: Any) -> DRAGAN:
    torch.manual_seed(1)
    networks = {"generator": MLP(2, 2, (16,), output="sigmoid"), "discriminator": MLP(2, 1, (16,))}
    return DRAGAN(**{**networks, **GRID, "prior": Uniform(2), "lambda_p": 0.1, **settings})


GAMES = {"dragan": make_dragan}
