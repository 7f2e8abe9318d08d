"""Small InfoGANs with a category and two numbers as codes."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, Categorical, Heads, InfoGAN, Product, Uniform
from tests.games import GRID


def prior() -> Product:
    return Product({"noise": Uniform(2), "mode": Categorical(5), "place": Uniform(2)})


def heads(numbers: int = 4) -> Heads:
    """D and Q on one trunk, Q with a further layer that its heads share."""
    small: dict[str, Any] = {"hidden": (), "init": "normal", "init_scale": 0.1}  # log-variances far from 0 blow the loss up
    codes = Heads(MLP(16, 8, **small), {"mode": MLP(8, 5, **small), "place": MLP(8, numbers, **small)})
    return Heads(MLP(2, 16, (16,)), {"real": MLP(16, 1, ()), "codes": codes})


def make_infogan(**settings: Any) -> InfoGAN:
    torch.manual_seed(1)
    networks = {"generator": MLP(9, 2, (16,), output="sigmoid"), "discriminator": heads(), "prior": prior()}
    return InfoGAN(**{**networks, **GRID, "fixed_std": False, **settings})


GAMES = {
    "infogan": make_infogan,
    "infogan, fixed deviation": partial(make_infogan, fixed_std=True),
    "infogan, none informed": partial(make_infogan, informs=False),
}
