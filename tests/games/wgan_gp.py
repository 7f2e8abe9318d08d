"""Small WGANs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, WGANGP, Normal
from lightning_gans.papers.wgan_gp import WGANGPPrinted
from tests.games import GRID


def make_wgan_gp(paper: type[WGANGP] = WGANGP, **settings: Any) -> WGANGP:
    torch.manual_seed(1)
    networks = {"generator": MLP(2, 2, (16,)), "critic": MLP(2, 1, (16,)), "prior": Normal(2)}
    return paper(**{**networks, **GRID, "lambda_p": 0.1, "critic_steps": 2, **settings})


GAMES = {"wgan_gp": make_wgan_gp, "wgan_gp as printed": partial(make_wgan_gp, WGANGPPrinted)}
