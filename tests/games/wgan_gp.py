"""Small WGANs."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gans import MLP, WGANGP


def make_wgan_gp(**settings: Any) -> WGANGP:
    torch.manual_seed(1)
    return WGANGP(**{"generator": MLP(2, 2, (16,)), "critic": MLP(2, 1, (16,)), "critic_steps": 2, **settings})


GAMES = {"wgan_gp": make_wgan_gp}
