"""Small VAE/GANs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, VAEGAN, ConvGenerator, ConvNet, Normal, VAEGANPrinted
from tests.games import GRID, IMAGE


def make_vae_gan(paper: type[VAEGAN] = VAEGAN, **settings: Any) -> VAEGAN:
    torch.manual_seed(1)
    networks = {
        "encoder": MLP(2, 4, (16,)),
        "generator": MLP(2, 2, (16,), output="sigmoid"),
        "discriminator": MLP(2, 1, (16,)),
        "prior": Normal(2),
    }
    return paper(**{**networks, **GRID, **settings})


def make_image_vae_gan(**settings: Any) -> VAEGAN:
    torch.manual_seed(1)
    networks = {
        "encoder": ConvNet(IMAGE, 8, (8, 16), norm=None),
        "generator": ConvGenerator(4, IMAGE, (16, 8), output="sigmoid", norm=None),
        "discriminator": ConvNet(IMAGE, 1, (8, 16), norm=None),
        "prior": Normal(4),
    }
    return VAEGAN(**{**networks, "feature_layer": "conv1", **settings})


GAMES = {
    "vae_gan": make_vae_gan,
    # Costs are about 0.8 (real) and 0.58 (generated) at the start, so that somebody sits out in some of the steps
    "vae_gan gated": partial(make_vae_gan, equilibrium=0.75, margin=0.05),
    "vae_gan without margin": partial(make_vae_gan, margin=None),
    "vae_gan as printed": partial(make_vae_gan, VAEGANPrinted),
    "vae_gan on images": make_image_vae_gan,
}
