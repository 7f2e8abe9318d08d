"""Small SAEs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, SAE, ConvGenerator, ConvNet, Empirical
from lightning_gans.papers.sae_printed import SAEPrinted
from tests.games import GRID, IMAGE


def make_sae(paper: type[SAE] = SAE, **settings: Any) -> SAE:
    torch.manual_seed(1)
    networks = {
        "diversifying_encoder": MLP(2, 3, (16,)),
        "generalising_encoder": MLP(2, 3, (16,)),
        "generator": MLP(3, 2, (16,), output="sigmoid"),
        "prior": Empirical(3, 100),
    }
    return paper(**{**networks, **GRID, **settings})


def make_image_sae(**settings: Any) -> SAE:
    torch.manual_seed(1)
    # Grey fakes have symbols of next to nothing, and noise under relu has all the same: slopes would need more than 16 bits
    unit: dict[str, Any] = {"activation": "tanh", "norm": None, "init": "glorot_uniform"}
    networks = {
        "diversifying_encoder": ConvNet(IMAGE, 4, (8, 16), **unit),
        "generalising_encoder": ConvNet(IMAGE, 4, (8, 16), **unit),
        "generator": ConvGenerator(4, IMAGE, (16, 8), norm=None, init="he_normal"),
        "prior": Empirical(4, 40),
    }
    return SAE(**{**networks, **settings})


GAMES = {
    "sae": make_sae,
    "sae as printed": partial(make_sae, SAEPrinted),
    "sae, blurred": partial(make_sae, sigma=0.3),
    "sae, two steps of the generator": partial(make_sae, generator_steps=2),
    "sae on images": make_image_sae,
}
