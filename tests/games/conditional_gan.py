"""Small conditional GANs, told the number of the mode."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, ConditionalGAN, Conditioned, LabelCondition, Uniform
from tests.games import GRID

CLASSES = 25


def make_conditional_gan(**settings: Any) -> ConditionalGAN:
    torch.manual_seed(1)
    networks = {
        "generator": Conditioned(MLP(2 + CLASSES, 2, (16,), output="sigmoid"), LabelCondition(CLASSES)),
        "discriminator": Conditioned(MLP(2 + CLASSES, 1, (16,)), LabelCondition(CLASSES)),
    }
    return ConditionalGAN(**{**networks, **GRID, "prior": Uniform(2), **settings})


GAMES = {
    "conditional_gan": make_conditional_gan,
    "conditional_gan alternating": partial(make_conditional_gan, simultaneous=False, discriminator_steps=2),
}
