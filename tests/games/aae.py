"""Small AAEs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lightning_gans import AAE, MLP, AttributeCondition, Conditioned, Normal
from tests.games import GRID, IMAGE


def make_aae(paper: type[AAE] = AAE, **settings: Any) -> AAE:
    torch.manual_seed(4)
    networks: dict[str, Any] = {
        "encoder": MLP(2, 2, (16,)),
        "generator": MLP(2, 2, (16,), output="sigmoid"),
        "latent_discriminator": MLP(2, 1, (16,)),
        "prior": Normal(2),
    }
    return paper(**{**networks, **GRID, **settings})


def make_gaussian_aae(**settings: Any) -> AAE:
    torch.manual_seed(5)
    return make_aae(**{"encoder": MLP(2, 4, (16,)), "posterior": "gaussian", **settings})


def make_implicit_aae(**settings: Any) -> AAE:
    """With the universal approximator as posterior."""
    torch.manual_seed(5)
    encoder = Conditioned(MLP(2 + 3, 2, (16,)), AttributeCondition(3))
    return make_aae(**{"encoder": encoder, "posterior": "implicit", **settings})


def make_image_aae(**settings: Any) -> AAE:
    torch.manual_seed(5)
    networks: dict[str, nn.Module] = {
        "encoder": MLP(IMAGE, 2, (16,)),
        "generator": MLP(2, IMAGE, (16,), output="sigmoid"),
    }
    return make_aae(**{**networks, "data_scale": 1.0, **settings})


GAMES = {
    "aae": make_aae,
    "aae, gaussian posterior": make_gaussian_aae,
    "aae, universal approximator": make_implicit_aae,
    "aae on images": make_image_aae,
}
