"""Small GAANs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from lightning_gans import GAAN, MLP, ConvGenerator, ConvNet, Uniform
from lightning_gans.networks import Network
from lightning_gans.papers.dist_gan import DistGAN
from lightning_gans.papers.gaan_printed import GAANPrinted
from tests.games import GRID, IMAGE


def make_gaan(paper: type[GAAN] = GAAN, **settings: Any) -> GAAN:
    """GAAN as it is for points."""
    torch.manual_seed(1)
    networks = {
        "encoder": MLP(2, 2, (16,)),
        "generator": MLP(2, 2, (16,), output="sigmoid"),
        "discriminator": MLP(2, 1, (16,)),
        "prior": Uniform(2),
    }
    weights = {"lambda_r": 0.1, "lambda_p": 0.1, "lambda_w": 1.0, "phi": None, "discriminator_steps": 2}
    return paper(**{**networks, **GRID, **weights, **settings})


def make_image_gaan(**settings: Any) -> GAAN:
    """GAAN as it is for images: W and R on features."""
    torch.manual_seed(1)
    return GAAN(
        **{
            "encoder": ConvNet(IMAGE, 4, (8, 16), norm=None),
            "generator": ConvGenerator(4, IMAGE, (16, 8), output="sigmoid", norm=None),
            "discriminator": ConvNet(IMAGE, 1, (8, 16), norm=None),
            "prior": Uniform(4),
            "optimizer": GRID["optimizer"],
            **settings,
        }
    )


def noisy(inputs: int, outputs: int, output: str | None = None) -> Network:
    """A network with everything that depends on more than weights: batch norm and dropout."""
    hidden = nn.Sequential(nn.Linear(inputs, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3))
    return Network({"hidden": hidden, "output": nn.Linear(16, outputs)}, output)  # type: ignore[arg-type]


def make_noisy_gaan(**settings: Any) -> GAAN:
    torch.manual_seed(1)
    networks = {"encoder": noisy(2, 2), "generator": noisy(2, 2, "sigmoid"), "discriminator": noisy(2, 1)}
    return make_gaan(**networks, **settings)


GAMES = {
    "gaan": make_gaan,
    "gaan on features": partial(make_gaan, phi="last", lambda_r=1.0),
    "gaan as printed": partial(make_gaan, GAANPrinted),
    "gaan as dist-gan": partial(make_gaan, DistGAN, phi="last", lambda_r=1.0),
    "gaan on images": make_image_gaan,
}
