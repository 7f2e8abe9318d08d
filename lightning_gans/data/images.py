"""The one LightningDataModule: any dataset, packed once, indexed ever after."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from lightning_gans.batch import Batch
from lightning_gans.data.loader import Numbers, RowLoader, Rows
from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import Points, Request, find_source
from lightning_gans.errors import InputError

Split = Literal["train", "test"]


class Images(LightningDataModule):
    """Images in [-1, 1] or points in data units, as ``lightning_gans.Batch``.

    Args:
        dataset: a name (``grid25``, ``ring8``, ``swissroll``, ``digits``, ``mnist``; other numbers of modes work too), or the
            path of a folder, zip, tar or .npz of one's own images.
        root: folder with the datasets' files; packs are written below it.
        image_size: side in pixels that images are scaled and cut to, none for their own.
        channels: 1 for grey, 3 for colour, none for the images' own.
        batch_size: samples a step over all devices together, so that their number changes the speed and not the training.
        drop_last: leave out the last batch of an epoch where it is not full.
        device_resident: keep the training set in the device's memory; ``auto`` does where it takes less than half of what
            is free.
        skip_unreadable: leave out what is not an image instead of refusing; for one's own images.
        num_predict: samples that ``lightning predict`` makes.

    Attributes:
        shape: of one sample, ``(C, H, W)`` or ``(2,)``; known after ``setup``.
        extent: the largest absolute value in the data's units; 1 for images.
        classes: the names that labels count.
        centres: of the modes of a mixture of points ``(modes, 2)``, else ``None``; ``std`` is their standard deviation.
    """

    shape: tuple[int, ...]
    extent: float
    classes: tuple[str, ...] = ()
    centres: Tensor | None = None
    std: float | None = None

    def __init__(
        self,
        dataset: str = "grid25",
        root: str = "data",
        image_size: int | None = None,
        channels: Literal[1, 3] | None = None,
        batch_size: int = 128,
        drop_last: bool = False,
        device_resident: bool | Literal["auto"] = "auto",
        skip_unreadable: bool = False,
        num_predict: int = 64,
    ) -> None:
        super().__init__()
        for name, value in (("batch_size", batch_size), ("num_predict", num_predict), ("image_size", image_size)):
            if value is not None and value < 1:
                raise InputError(f"data.{name} is {value}, but must be at least 1")
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.device_resident = device_resident
        self.num_predict = num_predict
        self._request = Request(dataset, Path(root), image_size, channels, skip_unreadable)
        self._splits: dict[str, tuple[Tensor, Tensor | None]] = {}
        self._loader: RowLoader | None = None

    def prepare_data(self) -> None:
        source = find_source(self._request)
        if not isinstance(source, Points):
            for split in ("train", "test"):
                open_pack(source, split)

    def setup(self, stage: str) -> None:
        if self._splits:
            return
        source = find_source(self._request)
        self.name = source.name
        for split in ("train", "test"):
            if isinstance(source, Points):
                samples, labels = source.points(split)
            else:
                pack = open_pack(source, split)
                samples, labels, self.classes = pack.images, pack.labels, pack.classes
            self._splits[split] = torch.from_numpy(samples), None if labels is None else torch.from_numpy(labels)
        train = self._splits["train"][0]
        self.shape = tuple(train.shape[1:])
        self.extent = float(train.abs().max()) if isinstance(source, Points) else 1.0
        if isinstance(source, Points) and source.centres is not None:
            self.centres, self.std = torch.from_numpy(source.centres), source.std
        if stage == "fit" and self.trainer is not None:
            self._check_batch_size(self.trainer.world_size)  # before anything is written

    def _check_batch_size(self, world: int) -> None:
        size = len(self._splits["train"][0])
        if self.batch_size > size:
            raise InputError(f"data.batch_size is {self.batch_size}, but {self.name} has {size} training samples; lower it")
        if self.batch_size % world:
            raise InputError(f"data.batch_size is {self.batch_size}, which {world} devices cannot share; make it a multiple")

    def real(self, split: Split, rows: Tensor | None = None) -> Tensor:
        """The samples of a split, or some rows of it, as models see them at their doors, on the device where it is kept."""
        stored = self._splits[split][0]
        return _to_door(stored if rows is None else stored[rows])

    def labels(self, split: Split) -> Tensor | None:
        """int64 ``(N,)``, where the data has them."""
        return self._splits[split][1]

    def train_dataloader(self) -> RowLoader:
        assert self.trainer is not None
        size, rank, world = len(self._splits["train"][0]), self.trainer.global_rank, self.trainer.world_size
        self._check_batch_size(world)
        self._loader = RowLoader(size, self.batch_size, self.drop_last, rank, world)
        limit = self.trainer.limit_train_batches
        self._loader.limit = limit if isinstance(limit, int) else int(limit * len(self._loader))
        self._make_resident(self.trainer.strategy.root_device)
        return self._loader

    def val_dataloader(self) -> Iterable[Any]:
        """One empty batch for ``lightning validate``; none in ``fit``, where the evaluation callback keeps its own time."""
        assert self.trainer is not None
        return [torch.zeros(1)] if self.trainer.state.fn == TrainerFn.VALIDATING else []

    def test_dataloader(self) -> Iterable[Any]:
        return [torch.zeros(1)]

    def predict_dataloader(self) -> Numbers:
        assert self.trainer is not None
        return Numbers(self.num_predict, self.batch_size, self.trainer.global_rank, self.trainer.world_size)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        if not isinstance(batch, Rows):
            return super().transfer_batch_to_device(batch, device, dataloader_idx)
        return self._gather(batch, device, partial(self._again, batch, device, itertools.count(1)))

    def _again(self, rows: Rows, device: torch.device, numbers: Iterator[int]) -> Batch:
        """The next of the further batches of a step."""
        assert self._loader is not None
        return self._gather(self._loader.again(rows, next(numbers)), device, partial(self._again, rows, device, numbers))

    def _gather(self, rows: Rows, device: torch.device, again: Callable[[], Batch]) -> Batch:
        samples, labels = self._splits["train"]
        indices = rows.indices.to(samples.device, non_blocking=True)
        images = _to_door(samples.index_select(0, indices).to(device, non_blocking=True))
        if labels is None or samples.is_floating_point():  # a point's mode is for evaluation, no condition
            return Batch(images, None, again)
        return Batch(images, labels.index_select(0, indices).to(device, non_blocking=True), again)

    def _make_resident(self, device: torch.device) -> None:
        samples, labels = self._splits["train"]
        if device.type == "cpu" or self.device_resident is False:
            return
        if self.device_resident == "auto":
            free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
            if samples.nbytes > free / 2:
                return
        self._splits["train"] = samples.to(device), None if labels is None else labels.to(device)


def _to_door(stored: Tensor) -> Tensor:
    """Bytes as floats in [-1, 1]; points as they are."""
    return stored.float().mul_(2 / 255).sub_(1) if stored.dtype == torch.uint8 else stored
