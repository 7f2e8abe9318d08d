"""Small regularised GANs."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gans import MLP, RegGAN, Uniform
from tests.games import GRID


def make_reg_gan(**settings: Any) -> RegGAN:
    torch.manual_seed(1)
    networks = {
        "encoder": MLP(2, 2, (16,)),
        "generator": MLP(2, 2, (16,), output="sigmoid"),
        "discriminator": MLP(2, 1, (16,)),
        "prior": Uniform(2),
    }
    return RegGAN(**{**networks, **GRID, **settings})


GAMES = {"reg_gan": make_reg_gan}
