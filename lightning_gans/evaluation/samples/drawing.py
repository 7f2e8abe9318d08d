"""Samples for an evaluation, without leaving a trace in training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn

from lightning_gans.networks import eval_mode
from lightning_gans.protocols import Condition, Generates
from lightning_gans.randomness import keyed_generator
from lightning_gans.strategy import broadcast_from_first_rank

BLOCK = 500


@contextmanager
def private_streams() -> Iterator[None]:
    """Within the block draws are nobody else's; afterwards, after an error too, random streams are as before."""
    problem: BaseException | None = None
    with isolate_rng():  # which puts nothing back if it is left by an error
        try:
            yield
        except BaseException as error:
            problem = error
    if problem is not None:
        raise problem


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within the block every layer is in evaluation mode and nothing asks for gradients; afterwards all is as before.

    Batch statistics are first made the same on every rank. Random streams are put back.
    """
    broadcast_from_first_rank(model.buffers())
    with eval_mode(model), torch.no_grad(), private_streams():
        yield


def samples(
    model: Generates,
    n: int,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    condition: Callable[[Tensor], Condition | None] = lambda numbers: None,
) -> Iterator[Tensor]:
    """What ``conditioned_samples`` gives, without the conditions."""
    return (block for block, _ in conditioned_samples(model, n, seed, rank, world_size, condition))


def conditioned_samples(
    model: Generates,
    n: int,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    condition: Callable[[Tensor], Condition | None] = lambda numbers: None,
) -> Iterator[tuple[Tensor, Condition | None]]:
    """This rank's share of ``n`` samples, each with what it was drawn under.

    They come in blocks with noise keyed by (seed, block): the same n for any number of ranks. Ranks have consecutive blocks, so
    that all shares after each other are the n samples in their order.

    Args:
        model: what is sampled from.
        n: samples over all ranks.
        seed: of the noise.
        rank: of this process.
        world_size: number of processes.
        condition: gives what the samples of some numbers are conditioned on, on the model's device.
    """
    blocks = -(-n // BLOCK)
    for block in range(-(-rank * blocks // world_size), -(-(rank + 1) * blocks // world_size)):
        numbers = torch.arange(block * BLOCK, min((block + 1) * BLOCK, n))
        under = condition(numbers)
        yield model.sample(len(numbers), under, generator=keyed_generator("evaluation", seed, block)), under
