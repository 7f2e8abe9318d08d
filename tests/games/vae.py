"""Small VAEs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, VAE, ConvGenerator, ConvNet, MixtureOfGaussians, Normal
from tests.games import GRID, IMAGE


def make_vae(**settings: Any) -> VAE:
    torch.manual_seed(1)
    networks = {"encoder": MLP(2, 4, (16,)), "generator": MLP(2, 2, (16,), output="sigmoid"), "prior": Normal(2)}
    return VAE(**{**networks, **GRID, "sigma": 0.3, **settings})


def make_image_vae(**settings: Any) -> VAE:
    """With the likelihood for black and white."""
    torch.manual_seed(1)
    networks = {
        "encoder": ConvNet(IMAGE, 8, (8, 16), norm=None),
        "generator": ConvGenerator(4, IMAGE, (16, 8), output="sigmoid", norm=None),
        "prior": Normal(4),
    }
    return VAE(**{**networks, "likelihood": "bernoulli", **settings})


GAMES = {
    "vae": make_vae,
    "vae, mixture prior": partial(make_vae, prior=MixtureOfGaussians(along=0.5, across=0.3), likelihood="laplace"),
    "vae on images": make_image_vae,
}
