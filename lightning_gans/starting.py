"""Weights that start by the data: weight-normed layers whose first outputs have a given spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lightning_gans.networks import kept_statistics
from lightning_gans.networks.weight_norm import start_by_batch
from lightning_gans.randomness import global_seed, keyed_generator, keyed_seed

if TYPE_CHECKING:
    from lightning_gans.game import Game

_SAMPLES, _DRAWS = 500, 100  # as openai/improved-gan at 0fa06b5 takes


def start_by_data(game: Game, data: Any) -> None:
    """Start the layers with a ``start_std`` of what takes latents by draws of the prior, of what takes samples by the data.

    The same on every rank; random streams are left as they were.

    Args:
        game: of any paper; its ``generator``, ``encoder`` and ``discriminator`` count.
        data: its data module; without one nothing is started.
    """
    networks = {name: getattr(game, name, None) for name in ("generator", "encoder", "discriminator")}
    starting = {name: one for name, one in networks.items() if isinstance(one, nn.Module) and _starts(one)}
    if not starting or not hasattr(data, "real"):
        return
    random = keyed_generator("start", global_seed())
    size = data.size("train")
    images = data.real("train", torch.randperm(size, generator=random)[:_SAMPLES])
    with torch.random.fork_rng([]), kept_statistics(*starting.values()):
        torch.manual_seed(keyed_seed("start", "layers", global_seed()))
        for name, network in starting.items():
            x = game.prior.sample(_DRAWS, random) if name == "generator" else game.normalize(game.to_model(images))
            start_by_batch(network, game.to_model(x))


def _starts(network: nn.Module) -> bool:
    return any(getattr(module, "start_std", None) is not None for module in network.modules())
