"""The one LightningDataModule: any dataset, packed once, indexed ever after."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from lightning_gans.batch import Batch
from lightning_gans.data.loader import Numbers, RowLoader, Rows
from lightning_gans.data.opened import Opened, open_dataset, prepare_dataset
from lightning_gans.data.pixels import Crop
from lightning_gans.data.source import Condition, Points, Request, Source, find_source
from lightning_gans.data.split import Split, mirror
from lightning_gans.errors import InputError


class Images(LightningDataModule):
    """Images in [-1, 1] or points in data units, as ``lightning_gans.Batch``.

    Args:
        dataset: a name (``lightning data`` lists them; ``grid25``, ``ring8`` and other numbers of modes are made on the spot),
            or the path of a folder, zip, tar or .npz of one's own images.
        root: folder with the datasets' files; packs are written below it.
        image_size: side in pixels that images are cut and scaled to, none for the dataset's usual one.
        channels: 1 for grey, 3 for colour, none for the images' own.
        crop: what is cut out before scaling: none for the largest square in the middle, a number for a square of so many pixels
            (of the official 178x218 for ``celeba``), ``resize`` to squeeze the whole image into the square.
        train_split: what to train on, such as SVHN's ``extra``.
        test_split: what ``test`` means to evaluation, such as CelebA's ``valid``.
        held_out: training samples kept from training, a number or a share; evaluation finds them as ``valid``.
        classes: names of the only classes to keep; labels then count these.
        condition: what travels with the images: ``labels``, ``attributes`` or ``captions``; none for what there is, the last
            of these first.
        labelled: so many samples, the same number of each class, keep their labels and are served beside every batch, as many
            as it has, as ``batch.labelled``; the batch itself then has no conditions.
        labelled_seed: of that choice, whatever the seed of the run.
        flip: ``random`` mirrors every second image from left to right at random, ``copies`` adds a mirrored copy of each.
        batch_size: samples a step over all devices together, so that their number changes the speed and not the training.
        drop_last: leave out the last batch of an epoch where it is not full.
        device_resident: keep the training set in the device's memory; ``auto`` does where it takes less than half of what
            is free.
        skip_unreadable: leave out what is not an image instead of refusing; for one's own images.
        download: fetch what is missing, where that can be done.
        num_predict: samples that ``lightning predict`` makes.

    Attributes:
        name: of the dataset.
        shape: of one sample, ``(C, H, W)`` or ``(2,)``; known after ``setup``, like all below.
        extent: the largest absolute value in the data's units; 1 for images.
        classes: the names that labels count.
        attributes: the names of the columns of attributes.
        centres: of the modes of a mixture of points ``(modes, 2)``, else ``None``; ``std`` is their standard deviation.
        partial: "10,000 of 202,599 images" where files of the official set are missing, else empty.
    """

    name: str
    shape: tuple[int, ...]
    extent: float
    attributes: tuple[str, ...] = ()
    centres: Tensor | None = None
    std: float | None = None
    partial: str = ""

    def __init__(
        self,
        dataset: str = "grid25",
        root: str = "data",
        image_size: int | None = None,
        channels: Literal[1, 3] | None = None,
        crop: Crop = None,
        train_split: str = "train",
        test_split: str = "test",
        held_out: float | None = None,
        classes: list[str | int] | None = None,
        condition: Condition | None = None,
        labelled: int | None = None,
        labelled_seed: int = 0,
        flip: Literal["random", "copies"] | None = None,
        batch_size: int = 128,
        drop_last: bool = False,
        device_resident: bool | Literal["auto"] = "auto",
        skip_unreadable: bool = False,
        download: bool = False,
        num_predict: int = 64,
    ) -> None:
        super().__init__()
        if isinstance(crop, str) and crop != "resize":
            raise InputError(f"data.crop is {crop!r}, but must be a number of pixels or resize")
        sizes = {"batch_size": batch_size, "num_predict": num_predict, "image_size": image_size, "labelled": labelled}
        for name, value in {**sizes, "crop": None if isinstance(crop, str) else crop}.items():
            if value is not None and value < 1:
                raise InputError(f"data.{name} is {value}, but must be at least 1")
        self.dataset, self.root = dataset, root
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.device_resident = device_resident
        self.num_predict = num_predict
        self.held_out, self.labelled, self.labelled_seed, self.flip = held_out, labelled, labelled_seed, flip
        self._kept, self._wanted = classes, condition
        self._names = {"train": train_split, "test": test_split}
        self._request = Request(dataset, Path(root), image_size, channels, skip_unreadable, crop, download)
        self._opened: Opened | None = None
        self._labelled: Tensor | None = None
        self._loader: RowLoader | None = None

    def prepare_data(self) -> None:
        source, wanted = self._source, [*self._names.values()]
        if isinstance(source, Source) and self._request.download:
            missing = [name for name in wanted if name in source.splits and source.fingerprint(name) is None]
            if missing:
                source.download(missing)
                del self._source
        prepare_dataset(self._source, **self._names)

    @cached_property
    def _source(self) -> Source | Points:
        return find_source(self._request)

    def setup(self, stage: str) -> None:
        if self._opened is None:
            self._open()
            rank_zero_info(self.opened.describe())
        if stage == "fit" and self.trainer is not None:
            self._check_batch_size(self.trainer.world_size)  # before anything is written

    def _open(self) -> None:
        opened = open_dataset(self._source, **self._names)
        if self._kept is not None:
            opened.keep_classes(self._kept)
        if self.held_out is not None:
            opened.hold_out(self.held_out)
        if opened.stacks:
            opened.stack()
        train = opened.splits["train"]
        self.name, self.classes, self.attributes, self.partial = opened.name, opened.classes, opened.attributes, opened.partial
        self.shape = tuple(train.take(torch.zeros(1, dtype=torch.long)).shape[1:])
        self.extent = 1.0
        if opened.points is not None:
            self.extent = float(train.samples.abs().max())
            if opened.points.centres is not None:
                self.centres, self.std = torch.from_numpy(opened.points.centres), opened.points.std
        self._choose_conditions(opened)
        if self.flip is not None and opened.points is not None:
            raise InputError(f"data.flip mirrors images, but {self.name} are points; leave it out")
        if self.flip == "copies":
            opened.add_mirrored()
        self._opened = opened

    def _choose_conditions(self, opened: Opened) -> None:
        train = opened.splits["train"]
        there = [name for name in ("captions", "attributes", "labels") if name in train.conditions]
        if self._wanted is not None and self._wanted not in there:
            raise InputError(f"data.condition is {self._wanted}, but {self.name} has {', '.join(there) or 'none'}")
        self.condition_name = self._wanted or next(iter(there if opened.points is None else ()), None)
        if self.labelled is not None:
            self._labelled = train.labelled(self.labelled, self.labelled_seed).rows

    @property
    def opened(self) -> Opened:
        """The dataset behind this, after ``setup``."""
        if self._opened is None:
            raise InputError("the data is not open yet; call prepare_data() and setup('fit') first")
        return self._opened

    def _check_batch_size(self, world: int) -> None:
        size = len(self.opened.splits["train"])
        if self.batch_size > size:
            raise InputError(f"data.batch_size is {self.batch_size}, but {self.name} has {size} training samples; lower it")
        if self.batch_size % world:
            raise InputError(f"data.batch_size is {self.batch_size}, which {world} devices cannot share; make it a multiple")

    def size(self, split: str) -> int:
        """Number of samples in ``train``, ``test`` or, where some are held out, ``valid``."""
        return len(self._of(split))

    def real(self, split: str, rows: Tensor | None = None) -> Tensor:
        """The samples of a split, or some of them by number, as models see them at their doors, where they are kept."""
        return self._of(split).take(torch.arange(self.size(split)) if rows is None else rows)

    def labels(self, split: str) -> Tensor | None:
        """int64 ``(N,)``, where the data has them."""
        return self._of(split).labels()

    def captions(self, split: str) -> list[list[str]] | None:
        """All captions of every sample, where the data has them."""
        return self._of(split).captions()

    def conditions(self, split: str, rows: Tensor) -> Tensor | None:
        """What travels with samples of a split by number, ``None`` where nothing does."""
        if self.condition_name is None:
            return None
        return self._of(split).condition(self.condition_name, self._of(split).stored(rows), rows)

    def fingerprint(self, split: str) -> str:
        """A hash of what the samples of a split are."""
        self._of(split)
        return self.opened.fingerprint(split)

    def _of(self, split: str) -> Split:
        if split not in self.opened.splits:
            raise InputError(f"{self.name} has the splits {', '.join(self.opened.splits)}, not {split}; set data.held_out")
        return self.opened.splits[split]

    def train_dataloader(self) -> RowLoader:
        assert self.trainer is not None
        size, rank, world = self.size("train"), self.trainer.global_rank, self.trainer.world_size
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
        split = self.opened.splits["train"]
        if split.pool is None:
            stored = split.stored(rows.indices)
            images = split.with_copies(split.images(stored), rows.indices)
        else:
            pool = split.pool
            stored = pool[rows.drawn("digits", lambda n, g: torch.randint(len(pool), (n, 3), generator=g)).to(pool.device)]
            images = split.images(stored)
        images = images.to(device, non_blocking=True)
        if self.flip == "random":
            images = mirror(images, rows.drawn("flip", _coin))
        if self._labelled is not None:
            return Batch(images, None, again, self._labelled_batch(rows, device))
        if self.condition_name is None:
            return Batch(images, None, again)
        which = rows.indices
        if self.condition_name == "captions":
            which = rows.drawn("caption", lambda n, g: torch.randint(2**31, (n,), generator=g))
        return Batch(images, split.condition(self.condition_name, stored, which).to(device, non_blocking=True), again)

    def _labelled_batch(self, rows: Rows, device: torch.device) -> Batch:
        """As many of the labelled samples as the batch has, each as often as the others."""
        split, chosen = self.opened.splits["train"], self._labelled
        assert chosen is not None

        def draw(n: int, generator: torch.Generator) -> Tensor:
            rounds = -(-n // len(chosen))
            return torch.cat([torch.randperm(len(chosen), generator=generator) for _ in range(rounds)])[:n]

        stored = chosen[rows.drawn("labelled", draw).to(chosen.device)]
        images = split.images(stored).to(device, non_blocking=True)
        if self.flip == "random":
            images = mirror(images, rows.drawn("labelled flip", _coin))
        return Batch(images, split.condition("labels", stored, stored).to(device, non_blocking=True))

    def _make_resident(self, device: torch.device) -> None:
        split = self.opened.splits["train"]
        if device.type == "cpu" or self.device_resident is False:
            return
        if self.device_resident == "auto":
            free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
            if split.nbytes > free / 2:
                return
        self.opened.splits["train"] = split.to(device)
        self._labelled = None if self._labelled is None else self._labelled.to(device)


def _coin(n: int, generator: torch.Generator) -> Tensor:
    return torch.rand(n, generator=generator) < 0.5
