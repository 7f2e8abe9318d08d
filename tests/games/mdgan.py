"""Small MDGANs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MDGAN, MLP, ConvGenerator, ConvNet, MDGANByGAAN, Uniform
from tests.games import GRID, IMAGE


def make_mdgan(paper: type[MDGAN] = MDGAN, **settings: Any) -> MDGAN:
    torch.manual_seed(1)
    networks = {
        "encoder": MLP(2, 2, (16,)),
        "generator": MLP(2, 2, (16,), output="sigmoid"),
        "manifold_discriminator": MLP(2, 1, (16,)),
        "diffusion_discriminator": MLP(2, 1, (16,)),
        "prior": Uniform(2),
    }
    return paper(**{**networks, **GRID, **settings})


def make_image_mdgan(**settings: Any) -> MDGAN:
    torch.manual_seed(1)
    networks = {
        "encoder": ConvNet(IMAGE, 4, (8, 16), norm=None),
        "generator": ConvGenerator(4, IMAGE, (16, 8), output="sigmoid", norm=None),
        "manifold_discriminator": ConvNet(IMAGE, 1, (8, 16), norm=None),
        "diffusion_discriminator": ConvNet(IMAGE, 1, (8, 16), norm=None),
        "prior": Uniform(4),
    }
    return MDGAN(**{**networks, **settings})


GAMES = {
    "mdgan": make_mdgan,
    "mdgan by GAAN's authors": partial(make_mdgan, MDGANByGAAN),
    "mdgan on images": make_image_mdgan,
}
