"""Small ALIs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import ALI, MLP, AttributeCondition, Conditioned, Layer, LayerTable, Normal, PairNetwork
from tests.games import GRID, IMAGE


def pairs(norm: Any = None, outputs: int = 1, more: int = 0) -> PairNetwork:
    """A discriminator of pairs of points and two latent numbers, ``more`` joining them."""
    return PairNetwork(MLP(4 + more, outputs, (16,), norm=norm))


def make_ali(paper: type[ALI] = ALI, **settings: Any) -> ALI:
    torch.manual_seed(1)
    networks = {
        "encoder": MLP(2, 4, (16,)),
        "generator": MLP(2, 2, (16,), output="sigmoid"),
        "joint_discriminator": pairs(),
        "prior": Normal(2),
    }
    return paper(**{**networks, **GRID, **settings})


def make_implicit_ali(**settings: Any) -> ALI:
    """With a posterior that is whatever the encoder makes of two numbers of noise."""
    torch.manual_seed(2)
    return make_ali(**{"encoder": Conditioned(MLP(4, 2, (16,)), AttributeCondition(2)), "posterior": "implicit", **settings})


def make_image_ali(**settings: Any) -> ALI:
    """Networks in the manner of the paper's tables, small, without what is random or over the batch."""
    torch.manual_seed(1)
    down = [Layer(8, kernel=3, stride=2, activation="lrelu"), Layer(16, kernel=3, activation="lrelu")]
    up = [Layer(16, kernel=3, transposed=True, activation="lrelu"), Layer(8, kernel=4, stride=2, transposed=True)]
    networks = {
        "encoder": LayerTable(IMAGE, [*down, Layer(8, kernel=1, bias="untied")], init_scale=0.1),
        "generator": LayerTable(4, [*up, Layer(1, kernel=1, activation="sigmoid", bias="untied")], init_scale=0.1),
        "joint_discriminator": PairNetwork(
            x=LayerTable(IMAGE, [Layer(16, kernel=3, stride=2, activation="maxout"), Layer(16, kernel=3)], init_scale=0.1),
            z=LayerTable(4, [Layer(16, activation="maxout")], init_scale=0.1),
            joint=LayerTable(24, [Layer(16, activation="maxout"), Layer(1)], init_scale=0.1),
        ),
        "prior": Normal(4),
    }
    return ALI(**{**networks, **settings})


GAMES = {
    "ali": make_ali,
    "ali alternating": partial(make_ali, simultaneous=False),
    "ali, pairs apart": partial(make_ali, one_pass=False),
    "ali, implicit": make_implicit_ali,
    "ali on images": make_image_ali,
}
