"""Small WGANs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, WGAN, Normal, RMSprop
from tests.games import GRID

MOVED = {"optimizer": partial(RMSprop, lr=1e-3)}


def make_wgan(**settings: Any) -> WGAN:
    torch.manual_seed(1)
    networks = {"generator": MLP(2, 2, (16,)), "critic": MLP(2, 1, (16,), init="uniform", init_scale=0.1), "prior": Normal(2)}
    return WGAN(**{**networks, **GRID, **MOVED, "clip": 0.1, "critic_steps": 2, **settings})


GAMES = {"wgan": make_wgan, "wgan, more steps at first": partial(make_wgan, first_critic_steps=3)}
