"""Evaluation over several ranks: each does a part, all get the same, and none waits for one that has failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.strategy import world_size


def place() -> tuple[int, int]:
    """This rank and the number of ranks."""
    return (dist.get_rank(), dist.get_world_size()) if world_size() > 1 else (0, 1)


@contextmanager
def together() -> Iterator[None]:
    """Every rank goes on after the block, or every rank raises: one that fails alone would leave the others waiting."""
    problem: InputError | None = None
    try:
        yield
    except InputError as error:
        problem = error
    if world_size() > 1:
        problems: list[str | None] = [None] * world_size()
        dist.all_gather_object(problems, None if problem is None else str(problem))
        sentence = next((p for p in problems if p is not None), None)
        problem = None if sentence is None else InputError(sentence)
    if problem is not None:
        raise problem


def gather_rows(rows: Tensor, device: torch.device) -> Tensor:
    """The rows of all ranks, on the processor; ranks may have different numbers of them, or none."""
    if world_size() == 1:
        return rows
    sizes = torch.zeros(world_size(), dtype=torch.long, device=device)
    sizes[dist.get_rank()] = len(rows)
    dist.all_reduce(sizes)
    padded = torch.zeros(int(sizes.max()), rows.shape[1], device=device)
    padded[: len(rows)] = rows.to(device)
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    return torch.cat([part[:size].cpu() for part, size in zip(parts, sizes.tolist(), strict=True)])
