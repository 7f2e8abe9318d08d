"""Small BiGANs."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gans import (
    MLP,
    AttributeCondition,
    BiGAN,
    Conditioned,
    Layer,
    LayerTable,
    PairNetwork,
    Reinjected,
    Uniform,
)
from tests.games import GRID


def make_bigan(**settings: Any) -> BiGAN:
    torch.manual_seed(1)
    networks = {
        "encoder": MLP(2, 2, (16,)),
        "generator": MLP(2, 2, (16,), output="sigmoid"),
        "joint_discriminator": PairNetwork(MLP(4, 1, (16,))),
        "prior": Uniform(2),
    }
    return BiGAN(**{**networks, **GRID, **settings})


def make_reinjected_bigan(**settings: Any) -> BiGAN:
    """As the authors' networks: z joins at the second hidden layer of D, and again at that of G."""
    torch.manual_seed(1)
    first, second = Layer(16, activation="lrelu", bias="none"), Layer(16, activation="lrelu", condition=2)
    up, again = Layer(16, activation="relu"), Layer(16, activation="relu", condition=2)
    networks = {
        "encoder": LayerTable(2, [first, Layer(16, activation="lrelu"), Layer(2, bias="none")], init_scale=0.2),
        "generator": Reinjected(LayerTable(2, [up, again, Layer(2, activation="sigmoid", bias="none")], init_scale=0.2)),
        "joint_discriminator": Conditioned(
            LayerTable(2, [first, second, Layer(1, bias="none")], init_scale=0.2), AttributeCondition(2)
        ),
    }
    return make_bigan(**{**networks, **settings})


def make_gaussian_bigan(**settings: Any) -> BiGAN:
    torch.manual_seed(4)
    return make_bigan(**{"encoder": MLP(2, 4, (16,)), "posterior": "gaussian", **settings})


GAMES = {
    "bigan": make_bigan,
    "bigan as its authors have it": make_reinjected_bigan,
    "bigan, gaussian": make_gaussian_bigan,
}
