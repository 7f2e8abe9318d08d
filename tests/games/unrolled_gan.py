"""Small unrolled GANs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, Normal, UnrolledGAN
from tests.games import GRID


def make_unrolled_gan(**settings: Any) -> UnrolledGAN:
    torch.manual_seed(1)
    networks = {"generator": MLP(2, 2, (16,), output="sigmoid"), "discriminator": MLP(2, 1, (16,), activation="tanh")}
    return UnrolledGAN(**{**networks, **GRID, "prior": Normal(2), "unrolling_steps": 2, **settings})


GAMES = {"unrolled_gan": make_unrolled_gan, "unrolled_gan, no steps": partial(make_unrolled_gan, unrolling_steps=0)}
