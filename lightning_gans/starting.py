"""Weights that start by the data: a bias at its mean, and weight-normed layers whose first outputs have a given spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lightning_gans.errors import InputError
from lightning_gans.networks import kept_statistics
from lightning_gans.networks.weight_norm import start_by_batch
from lightning_gans.randomness import global_seed, keyed_generator, keyed_seed

if TYPE_CHECKING:
    from lightning_gans.game import Game

_SAMPLES, _DRAWS = 500, 100  # as openai/improved-gan at 0fa06b5 takes


def by_data(game: Game, data: Any, mean_of: int | None) -> None:
    """All that starts by the data, see ``Game``'s ``start_at_mean_of`` and ``Layer``'s ``start_std``.

    Raises:
        InputError: the data module cannot show its samples, or the generator has no bias for their mean.
    """
    _start_spreads(game, data)
    if mean_of is not None:
        _start_at_mean(game, data, mean_of)


def _start_at_mean(game: Game, data: Any, count: int) -> None:
    """Let the generator's output start at the mean of ``count`` training samples, chosen at random (ALI; GAN: their codes)."""
    if not hasattr(data, "real") or not hasattr(game.generator, "start_output_at"):
        raise InputError("start_at_mean_of needs the Images data module and a network of lightning_gans; leave it out")
    size = data.size("train")
    rows = torch.randperm(size, generator=keyed_generator("training images", size))[:count]
    game.generator.start_output_at(game.normalize(data.real("train", rows).double()).mean(dim=0))


def _start_spreads(game: Game, data: Any) -> None:
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
