"""Which rows of the training set each step sees: a function of (seed, epoch), with a place that can be stored and resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.randomness import global_seed, keyed_generator, keyed_seed


@dataclass  # not frozen: Lightning copies a batch field by field for some precisions
class Rows:
    """The samples of one batch, this rank's share, and where in the run they stand.

    Attributes:
        indices: numbers of the samples.
        epoch: of the run.
        position: of the batch in its epoch.
        number: 0 for the batch itself, k for the k-th further batch of the same step.
        global_size: samples of the batch over all ranks.
        first: number of this rank's first sample among those.
    """

    indices: Tensor
    epoch: int
    position: int
    number: int
    global_size: int
    first: int

    def drawn(self, purpose: str, draw: Callable[[int, torch.Generator], Tensor]) -> Tensor:
        """This rank's part of what ``draw`` makes for the global batch from a stream of its own for this batch."""
        generator = keyed_generator(purpose, global_seed(), self.epoch, self.position, self.number)
        return draw(self.global_size, generator)[self.first : self.first + len(self.indices)]


class RowLoader:
    """Yields the rows of each batch of an epoch; Lightning stores its place in every checkpoint.

    The order is drawn for the global batch, so that it is the same for any number of ranks: each takes a contiguous share.

    Args:
        size: rows in the training set.
        batch_size: rows a global batch, a multiple of ``world_size``.
        drop_last: leave out a last batch that is not full; otherwise it is cut to a multiple of ``world_size``.
        rank: of this process.
        world_size: number of processes.

    Attributes:
        limit: batches that the trainer takes of an epoch, ``None`` for all.
        overfits: every epoch has the batches of the first one, and further ones are drawn from these alone.
    """

    def __init__(self, size: int, batch_size: int, drop_last: bool, rank: int = 0, world_size: int = 1) -> None:
        self.size, self.batch_size, self.drop_last = size, batch_size, drop_last
        self.rank, self.world_size = rank, world_size
        self.limit: int | None = None
        self.overfits = False
        self._served: Tensor | None = None
        self.epoch = -1
        self._given = 0
        self._resumes = False
        self._random = torch.Generator()

    def __len__(self) -> int:
        full, rest = divmod(self.size, self.batch_size)
        return full + (not self.drop_last and rest >= self.world_size)

    def __iter__(self) -> Iterator[Rows]:
        # Epochs are counted here: after a resumption from the end of one, Lightning's own count is one ahead.
        resumes, self._resumes = self._resumes, False
        if not (resumes and 0 < self._given < min(len(self), self.limit or len(self))):
            self.epoch, self._given = self.epoch + 1, 0
        number = 0 if self.overfits else self.epoch
        order = torch.randperm(self.size, generator=keyed_generator("order", global_seed(), number))
        self._served = order[: (self.limit or len(self)) * self.batch_size] if self.overfits else None
        for position in range(self._given, len(self)):
            rows = order[position * self.batch_size :][: self.batch_size]
            self._given = position + 1
            yield self._share(rows, position, 0, self.epoch)

    def again(self, rows: Rows, number: int) -> Rows:
        """The ``number``-th further batch of the same step, drawn with replacement."""
        self._random.manual_seed(keyed_seed("fresh", global_seed(), rows.epoch, rows.position, number))
        size = self.size if self._served is None else len(self._served)
        drawn = torch.randint(size, (rows.global_size,), generator=self._random)
        drawn = drawn if self._served is None else self._served[drawn]
        return self._share(drawn, rows.position, number, rows.epoch)

    @property
    def smallest_share(self) -> int:
        """Samples of a device in the smallest batch that the trainer takes."""
        full, rest = divmod(self.size, self.batch_size)
        reaches_last = not self.drop_last and rest >= self.world_size and (self.limit is None or self.limit > full)
        return (rest if reaches_last else self.batch_size) // self.world_size

    def _share(self, rows: Tensor, position: int, number: int, epoch: int) -> Rows:
        share = len(rows) // self.world_size
        first = self.rank * share
        mine = rows if self.world_size == 1 else rows[first : first + share]
        return Rows(mine, epoch, position, number, share * self.world_size, first)

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "given": self._given}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self._given, self._resumes = state["epoch"], state["given"], True


def loader_for(trainer: Any, name: str, size: int, batch_size: int, drop_last: bool) -> RowLoader:
    """The loader of a training on the ``size`` samples of a dataset.

    Raises:
        InputError: there is no batch for it, or its devices cannot share one.
    """
    world = trainer.world_size
    if batch_size > size:
        raise InputError(f"data.batch_size is {batch_size}, but {name} has {size} training samples; lower it")
    if batch_size % world:
        raise InputError(f"data.batch_size is {batch_size}, which {world} devices cannot share; make it a multiple")
    loader = RowLoader(size, batch_size, drop_last, trainer.global_rank, world)
    limit = trainer.limit_train_batches
    loader.limit = limit if isinstance(limit, int) else int(limit * len(loader))
    loader.overfits = trainer.overfit_batches > 0
    if not loader.limit:
        setting = "overfit_batches" if loader.overfits else "limit_train_batches"
        raise InputError(f"trainer.{setting} is {limit}, so no batch of {len(loader)} would be trained on; raise it")
    return loader


class Numbers:
    """The numbers below ``size`` in batches, this rank's share of them: what samples are counted by when nothing is read."""

    def __init__(self, size: int, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        self._size, self._batch_size = size, batch_size
        self._starts = range(0, size, batch_size)[rank::world_size]

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Tensor]:
        for start in self._starts:
            yield torch.arange(start, min(start + self._batch_size, self._size))
