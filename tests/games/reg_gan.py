"""Small regularised GANs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, RegGAN


def make_reg_gan(**settings: Any) -> RegGAN:
    torch.manual_seed(1)
    networks = {
        "encoder": MLP(2, 2, (16,)),
        "generator": MLP(2, 2, (16,), output="sigmoid"),
        "discriminator": MLP(2, 1, (16,)),
    }
    return RegGAN(**{**networks, **settings})


GAMES = {"reg_gan": make_reg_gan, "reg_gan, summed distance": partial(make_reg_gan, distance="sum", lambda_1=1.0)}
