"""Small GAN-CLS, whose text is the number of the mode."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import GANCLS, MLP, AttributeCondition, Conditioned, LabelCondition, Uniform
from tests.games import GRID

CLASSES, WIDTH = 25, 6


def make_text_encoder() -> LabelCondition:
    """Always the same numbers of a label."""
    torch.manual_seed(12)
    return LabelCondition(CLASSES, WIDTH, init_scale=1.0)


def make_gan_cls(**settings: Any) -> GANCLS:
    text_encoder = make_text_encoder()
    torch.manual_seed(1)
    networks = {
        "generator": Conditioned(MLP(2 + WIDTH, 2, (16,), output="sigmoid"), AttributeCondition(WIDTH)),
        "discriminator": Conditioned(MLP(2 + WIDTH, 1, (16,)), AttributeCondition(WIDTH)),
        "text_encoder": text_encoder,
    }
    return GANCLS(**{**networks, **GRID, "prior": Uniform(2), **settings})


GAMES = {
    "gan_cls": make_gan_cls,
    "gan_int_cls": partial(make_gan_cls, interpolated=True),
}
