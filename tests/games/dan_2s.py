"""Small distributional adversarial networks."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import DAN2S, DANS, MLP, Layer, LayerTable, SetDiscriminator, Uniform
from tests.games import GRID


def make_dan_2s(paper: type[DAN2S] = DAN2S, alone: bool = True, **settings: Any) -> DAN2S:
    torch.manual_seed(1)
    # Where units are linear biases cancel in the difference of two sets, and Adam makes steps of rounding errors
    phi = LayerTable(2, [Layer(16, activation="tanh"), Layer(8, activation="tanh")], init="normal", init_scale=1.0)
    sets = SetDiscriminator(phi, MLP(8, 1, (8,)), two_samples=paper is DAN2S)
    networks = {"generator": MLP(2, 2, (16,), output="sigmoid"), "set_discriminator": sets}
    if not alone:
        networks["discriminator"] = MLP(2, 1, (16,))
    return paper(**{**networks, **GRID, "prior": Uniform(2), **settings})


GAMES = {
    "dan_2s": make_dan_2s,
    "dan_2s with a discriminator": partial(make_dan_2s, alone=False, set_weight=0.1, set_every=2),
    "dan_s": partial(make_dan_2s, DANS),
}
