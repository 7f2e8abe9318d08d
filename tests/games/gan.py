"""Small GANs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import GAN, MLP, Uniform
from tests.games import GRID


def make_gan(**settings: Any) -> GAN:
    torch.manual_seed(1)
    networks = {"generator": MLP(2, 2, (16,), output="sigmoid"), "discriminator": MLP(2, 1, (16,))}
    return GAN(**{**networks, **GRID, "prior": Uniform(2), **settings})


GAMES = {
    "gan": make_gan,
    "gan alternating": partial(make_gan, simultaneous=False, discriminator_steps=2),
    "gan, steps split": partial(make_gan, simultaneous=False, split_discriminator_step=True),
    "gan clipped": partial(make_gan, gradient_clip_val=0.01),
}
