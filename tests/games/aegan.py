"""Small AEGANs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import (
    AEGAN,
    MLP,
    AEGANDiscriminator,
    AEGANEncoder,
    AEGANGenerator,
    AEGANLatentDiscriminator,
    Normal,
    Uniform,
)
from tests.games import GRID, IMAGE

NAMES = ("rx", "rz", "x_hat", "x_tilde", "z_hat", "z_tilde")


def make_aegan(**settings: Any) -> AEGAN:
    torch.manual_seed(1)
    networks = {
        "encoder": MLP(2, 2, (16,)),
        "generator": MLP(2, 2, (16,), output="sigmoid"),
        "image_discriminator": MLP(2, 1, (16,)),
        "latent_discriminator": MLP(2, 1, (16,)),
        "prior": Uniform(2),
    }
    return AEGAN(**{**networks, **GRID, **settings})


def make_image_aegan(noise: float = 0.0, dropout: float = 0.0, **settings: Any) -> AEGAN:
    """AEGAN's own networks, small."""
    torch.manual_seed(1)
    noises = {"noise": noise, "dropout": dropout}
    networks = {
        "encoder": AEGANEncoder(IMAGE, 4, (8, 16), (2, 1), **noises),
        "generator": AEGANGenerator(4, IMAGE, base=8, skip=4, widths=(16, 8), factors=(2, 1)),
        "image_discriminator": AEGANDiscriminator(IMAGE, (8, 16), (2, 1), **noises),
        "latent_discriminator": AEGANLatentDiscriminator(4, layers=3, width=4, hidden=8, **noises),
        "prior": Normal(4),
    }
    return AEGAN(**{**networks, **settings})


# Without a bound the steps of plain gradient descent would be too long: the norms multiply gradients, and codes have no bound
SHORT = {f"lambda_{name}": 0.1 for name in NAMES}

GAMES = {
    "aegan": make_aegan,
    "aegan in bursts": partial(make_aegan, burst=True, gradient_clip_val=0.01, gradient_clip_algorithm="tensor"),
    "aegan on images": partial(make_image_aegan, burst=True, **SHORT),
}
