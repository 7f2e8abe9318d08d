"""From the rows that a loader yields to the batch that a step is given."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from lightning.pytorch.plugins import Precision
from torch import Tensor

from lightning_gans.batch import Batch
from lightning_gans.data.loader import RowLoader, Rows
from lightning_gans.data.split import Split, mirror
from lightning_gans.protocols import Condition


@dataclass
class BatchMaker:
    """Makes batches of the training samples.

    Attributes:
        split: the training samples, where they are kept.
        conditions: names of what travels with them.
        by_name: whether that is a dictionary.
        flips: mirror every second image at random.
        labelled: int64, the stored rows of the few samples that keep their labels, ``None`` where all do or none has one.
        captions_per_image: of captions so many of each image.
    """

    split: Split
    conditions: Sequence[str]
    by_name: bool = False
    flips: bool = False
    labelled: Tensor | None = None
    captions_per_image: int = 1

    def keep_on(self, device: torch.device, wanted: bool | Literal["auto"]) -> None:
        """Keep the samples in a device's memory; ``auto`` does where they take less than half of what is free."""
        if device.type == "cpu" or wanted is False:
            return
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
        if wanted == "auto" and self.split.nbytes > free / 2:
            return
        self.split = self.split.to(device)
        self.labelled = None if self.labelled is None else self.labelled.to(device)

    def make(self, rows: Rows, device: torch.device, loader: RowLoader | None) -> Batch:
        """The batch of some rows; ``loader`` draws the further ones."""
        return self._gather(rows, device, partial(self._again, rows, device, loader, itertools.count(1)))

    def _again(self, rows: Rows, device: torch.device, loader: RowLoader | None, numbers: Iterator[int]) -> Batch:
        """The next of the further batches of a step."""
        assert loader is not None
        again = partial(self._again, rows, device, loader, numbers)
        return self._gather(loader.again(rows, next(numbers)), device, again)

    def _gather(self, rows: Rows, device: torch.device, again: Callable[[], Batch]) -> Batch:
        split, pool = self.split, self.split.pool
        if pool is None:
            stored = split.stored(rows.indices)
            images = split.with_copies(self._images(stored, rows, "crop"), rows.indices)
        else:
            stored = pool[rows.drawn("digits", lambda n, g: torch.randint(len(pool), (n, 3), generator=g)).to(pool.device)]
            images = self._images(stored, rows, "crop")
        images = self._flipped(images.to(device, non_blocking=True), rows, "flip")
        if self.labelled is not None:
            return Batch(images, None, again, self._labelled_batch(rows, device, self.labelled))
        return Batch(images, self._conditions(rows, stored, device), again)

    def _conditions(self, rows: Rows, stored: Tensor, device: torch.device) -> Condition | None:
        def of(name: str) -> Tensor:
            if name == "captions":
                return self._captions(rows, stored).to(device, non_blocking=True)
            return self.split.condition(name, stored, rows.indices).to(device, non_blocking=True)

        if self.by_name:
            return {name: of(name) for name in self.conditions}
        return of(self.conditions[0]) if self.conditions else None

    def _captions(self, rows: Rows, stored: Tensor) -> Tensor:
        """int64 ``(N, L)``, or of several an image ``(N, K, L)``."""
        if self.captions_per_image == 1:
            which = rows.drawn("caption", lambda n, g: torch.randint(2**31, (n,), generator=g))
            return self.split.condition("captions", stored, which)
        there = self.split.conditions["captions"].shape[1]
        order = rows.drawn("caption", lambda n, g: torch.rand(n, there, generator=g))
        return self.split.several_captions(stored, order, self.captions_per_image)

    def _labelled_batch(self, rows: Rows, device: torch.device, labelled: Tensor) -> Batch:
        """As many of the labelled samples as the batch has, each as often as the others."""

        def draw(n: int, generator: torch.Generator) -> Tensor:
            rounds = -(-n // len(labelled))
            return torch.cat([torch.randperm(len(labelled), generator=generator) for _ in range(rounds)])[:n]

        stored = labelled[rows.drawn("labelled", draw).to(labelled.device)]
        images = self._images(stored, rows, "labelled crop").to(device, non_blocking=True)
        images = self._flipped(images, rows, "labelled flip")
        return Batch(images, self.split.condition("labels", stored, stored).to(device, non_blocking=True))

    def _images(self, stored: Tensor, rows: Rows, purpose: str) -> Tensor:
        """Stored images, cut out at random places where they are larger."""
        room = self.split.room
        if not room:
            return self.split.images(stored)
        return self.split.images(stored, rows.drawn(purpose, lambda n, g: torch.randint(room + 1, (n, 2), generator=g)))

    def _flipped(self, images: Tensor, rows: Rows, purpose: str) -> Tensor:
        if not self.flips:
            return images
        return mirror(images, rows.drawn(purpose, lambda n, g: torch.rand(n, generator=g) < 0.5))


@dataclass
class InTurn:
    """Batches of a split from its first sample to its last, the same number on every rank.

    Attributes:
        data: a data module after ``setup``.
        split: its name.
        batch_size: samples a batch over all ranks.
        rank: which share to yield.
        world_size: number of ranks.
    """

    data: Any
    split: str
    batch_size: int
    rank: int
    world_size: int

    def __len__(self) -> int:
        return -(-self._share() // self._each())

    def __iter__(self) -> Iterator[Batch]:
        mine = torch.arange(self.rank, self._share() * self.world_size, self.world_size)
        for rows in mine.split(self._each()):
            yield Batch(self.data.real(self.split, rows), self.data.conditions(self.split, rows))

    def _share(self) -> int:
        return self.data.size(self.split) // self.world_size

    def _each(self) -> int:
        return max(1, self.batch_size // self.world_size)


def in_precision(batch: Any, trainer: Any) -> Any:
    """A batch in the precision of the trainer, which a module of one's own does not convert to."""
    precise = trainer.precision_plugin if trainer is not None else None
    if not isinstance(batch, Batch) or precise is None or type(precise) is Precision:
        return batch
    return batch.map_images(precise.convert_input)
