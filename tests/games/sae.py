"""Small SAEs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, SAE, ConvGenerator, ConvNet, Empirical
from tests.games import IMAGE


def make_sae(**settings: Any) -> SAE:
    torch.manual_seed(1)
    networks = {
        "diversifying": MLP(2, 3, (16,)),
        "generalising": MLP(2, 3, (16,)),
        "generator": MLP(3, 2, (16,), output="sigmoid"),
        "prior": Empirical(3, 100),
    }
    return SAE(**{**networks, **settings})


def make_image_sae(**settings: Any) -> SAE:
    torch.manual_seed(1)
    # Grey fakes have symbols of next to nothing, and noise under relu has all the same: slopes would need more than 16 bits
    unit: dict[str, Any] = {"activation": "tanh", "norm": None, "init": "glorot_uniform"}
    networks = {
        "diversifying": ConvNet(IMAGE, 4, (8, 16), **unit),
        "generalising": ConvNet(IMAGE, 4, (8, 16), **unit),
        "generator": ConvGenerator(4, IMAGE, (16, 8), norm=None, init="he_normal"),
        "prior": Empirical(4, 40),
    }
    return SAE(**{**networks, "data_range": (-1.0, 1.0), "data_scale": 1.0, "symbol": "generalising", **settings})


GAMES = {
    "sae": make_sae,
    "sae, blurred and printed": partial(make_sae, target="printed", sigma=0.3, full_graph=True, self_weight=0.0),
    "sae, two steps of the generator": partial(make_sae, g_steps=2, kernel_weight=0.0, shell_weight=0.5),
    "sae on images": make_image_sae,
}
