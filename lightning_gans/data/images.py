"""The one LightningDataModule: any dataset, packed once, indexed ever after."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.data.access import OpenedData
from lightning_gans.data.description import ConditionName, Preview, choose_conditions
from lightning_gans.data.latents import Latents, read_latents
from lightning_gans.data.loader import Numbers, RowLoader, Rows, loader_for
from lightning_gans.data.opened import Opened, open_dataset, peek_dataset, prepare_dataset
from lightning_gans.data.pixels import Crop
from lightning_gans.data.refusals import check_captions, check_condition, check_sizes
from lightning_gans.data.serving import BatchMaker, InTurn, in_precision
from lightning_gans.data.source import Points, Request, Source, find_source
from lightning_gans.differences import differences, plain
from lightning_gans.errors import InputError
from lightning_gans.lent import has_own_step
from lightning_gans.networks.suggest import ConditionKind


class Images(OpenedData):
    """Images in [-1, 1] or points in data units, as ``lightning_gans.Batch``.

    Args:
        dataset: a name (``lightning data`` lists them; ``grid25``, ``ring8`` and other numbers of modes are made on the spot),
            or the path of a folder, zip, tar or .npz of one's own images.
        root: folder with the datasets' files; packs are written below it.
        image_size: side in pixels that images are cut and scaled to, none for the dataset's usual one.
        channels: 1 for grey, 3 for colour, none for the images' own.
        crop: what is cut out before scaling: none for the largest square in the middle, a number for a square of so many pixels
            (of the official 178x218 for ``celeba``), ``resize`` to squeeze the whole image into the square.
        random_crop: side in pixels that images are cut and scaled to instead, out of which training is given a square of
            ``image_size`` from another place each time; all else has the middle one.
        train_split: what to train on, such as SVHN's ``extra``.
        test_split: what ``test`` means to evaluation, such as CelebA's ``valid``.
        held_out: training samples kept from training, a number or a share; evaluation finds them as ``valid``.
        classes: names of the only classes to keep; labels then count these.
        condition: what travels with the images: ``labels``, ``attributes`` or ``captions``; a list of these for several, which
            batches then have by name; none for what there is, the last of these first.
        captions_per_image: of captions so many of each image, in training: ``(N, K, L)`` where they are several, and different
            ones where an image has as many. It is for models that take their mean, such as ``GANCLS``.
        labelled: so many samples, the same number of each class, keep their labels and are served beside every batch, as many
            as it has, as ``batch.labelled``; the batch itself then has no conditions.
        labelled_seed: of that choice, whatever the seed of the run.
        flip: ``random`` mirrors every second image from left to right at random, ``copies`` adds a mirrored copy of each.
        batch_size: samples a step over all devices together, so that their number changes the speed and not the training.
        drop_last: leave out the last batch of an epoch where it is not full.
        device_resident: keep the training set in the device's memory; ``auto`` does where it takes less than half of what
            is free.
        skip_unreadable: leave out what is no image, cannot be read or is smaller than ``crop`` instead of refusing, and say how
            many there were; for one's own images.
        download: fetch what is missing, where that can be done.
        num_predict: samples that ``lightning predict`` makes.
        latents: a file of latents that it makes them of instead, one each, see ``read_latents``.

    Attributes:
        name: of the dataset; known after ``setup``, like all below.
        shape: of one sample, ``(C, H, W)`` or ``(2,)``.
        extent: the largest absolute value in the data's units; 1 for images.
        classes: the names that labels count.
        attributes: the names of the columns of attributes.
        centres: of the modes of a mixture of points ``(modes, 2)``, else ``None``; ``std`` is their standard deviation.
        partial: "10,000 of 202,599 images" where files of the official set are missing, else empty.
        condition_kinds: what each condition that travels with the samples looks like, by name.
        condition_name: of the only one, ``None`` where there are none or several.
    """

    def __init__(
        self,
        dataset: str = "grid25",
        root: str = "data",
        image_size: int | None = None,
        channels: Literal[1, 3] | None = None,
        crop: Crop = None,
        random_crop: int | None = None,
        train_split: str = "train",
        test_split: str = "test",
        held_out: float | None = None,
        classes: list[str | int] | None = None,
        condition: ConditionName | list[ConditionName] | None = None,
        captions_per_image: int = 1,
        labelled: int | None = None,
        labelled_seed: int = 0,
        flip: Literal["random", "copies"] | None = None,
        batch_size: int = 128,
        drop_last: bool = False,
        device_resident: bool | Literal["auto"] = "auto",
        skip_unreadable: bool = False,
        download: bool = False,
        num_predict: int = 64,
        latents: str | None = None,
    ) -> None:
        super().__init__()
        checks.one_of("data.channels", channels, (None, 1, 3))
        checks.one_of("data.flip", flip, (None, "random", "copies"))
        checks.one_of("data.device_resident", device_resident, (True, False, "auto"))
        check_condition(condition)
        counts = {"num_predict": num_predict, "labelled": labelled, "captions_per_image": captions_per_image}
        check_sizes(crop, image_size, random_crop, batch_size, **counts)
        self._by_name = isinstance(condition, list)
        self.dataset, self.root = dataset, root
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.device_resident = device_resident
        self.num_predict, self.latents = num_predict, latents
        self.given: Latents | None = None
        self.held_out, self.labelled, self.labelled_seed, self.flip = held_out, labelled, labelled_seed, flip
        self.captions_per_image = captions_per_image
        self._kept, self._wanted = classes, condition
        self._cut = None if random_crop is None else image_size
        self._names = {"train": train_split, "test": test_split}
        self._decides = {
            "dataset": dataset,
            "image_size": image_size,
            "channels": channels,
            "crop": crop,
            "random_crop": random_crop,
            "held_out": held_out,
            "train_split": train_split,
            "classes": classes,
            "condition": condition,
            "captions_per_image": captions_per_image,
            "labelled": labelled,
            "flip": flip,
            "labelled_seed": labelled_seed,
            "batch_size": batch_size,
            "drop_last": drop_last,
        }
        self._request = Request(dataset, Path(root), random_crop or image_size, channels, skip_unreadable, crop, download)
        self._batches: BatchMaker | None = None
        self._loader: RowLoader | None = None

    def prepare_data(self) -> None:
        self._download()
        prepare_dataset(self.source, **self._names)

    def peek(self) -> Preview:
        """What samples and conditions look like, before anything is packed; missing files are fetched where that is asked for.

        Of one's own images no more is looked at than tells their classes and the first of them; where there are captions, all
        of these are read, for how long they are.

        Raises:
            InputError: files are missing or cannot be used, or do not have what was asked for.
        """
        self._download()
        if self._opened is None and isinstance(self.source, Source):
            preview = peek_dataset(self.source, **self._names)
            if self._cut is not None:
                preview = replace(preview, shape=(preview.shape[0], self._cut, self._cut))
            kinds = dict(preview.condition_kinds)
            if self._kept is not None and "labels" in kinds:
                kinds["labels"] = ConditionKind("labels", len(self._kept))
        else:
            preview = (self._open() if self._opened is None else self.opened).preview()
            kinds = preview.condition_kinds
        return replace(preview, condition_kinds=self._chosen(kinds, points=len(preview.shape) == 1))

    def _download(self) -> None:
        source, wanted = self.source, [*self._names.values()]
        if isinstance(source, Source) and self._request.download:
            missing = [name for name in wanted if name in source.splits and source.fingerprint(name) is None]
            if missing:
                source.download(missing)
                del self.source

    @cached_property
    def source(self) -> Source | Points:
        """Where the samples come from."""
        return find_source(self._request)

    def setup(self, stage: str) -> None:
        if self._opened is None:
            self._keep(self._open())
            rank_zero_info(self.opened.describe())
        if stage == "fit" and self.trainer is not None:  # before anything is written
            self._new_loader()
            checks.validation(self.trainer, self.val_dataloader)

    def _open(self) -> Opened:
        opened = open_dataset(self.source, **self._names)
        if self._kept is not None:
            opened.keep_classes(self._kept)
        if self.held_out is not None:
            opened.hold_out(self.held_out)
        if opened.stacks:
            opened.stack()
        for setting, does in (("flip", "mirrors"), ("random_crop", "cuts")):
            if self._decides[setting] is not None and opened.has_points:
                raise InputError(f"data.{setting} {does} images, but {opened.name} are points; leave it out")
        if self._cut is not None:
            opened.cut_out(self._cut)
        return opened

    def _keep(self, opened: Opened) -> None:
        preview, train = opened.preview(), opened.splits["train"]
        kinds = self._chosen(preview.condition_kinds, opened.has_points)
        few = None if self.labelled is None else train.balanced_subset(self.labelled, self.labelled_seed).rows
        if self.flip == "copies":
            opened.add_mirrored()
        self._batches = BatchMaker(
            opened.splits["train"], [*kinds], self._by_name, self.flip == "random", few, self.captions_per_image
        )
        self._opened, self.name = (opened, replace(preview, condition_kinds=kinds)), opened.name

    def _chosen(self, kinds: dict[str, ConditionKind], points: bool) -> dict[str, ConditionKind]:
        """Those conditions that were asked for, of all that there are."""
        wanted = choose_conditions(kinds, self._wanted, self.labelled is not None, points, self.source.name)
        check_captions(self.captions_per_image, wanted, self.source.name)
        return wanted

    def _new_loader(self) -> RowLoader:
        assert self.trainer is not None
        return loader_for(self.trainer, self.name, self.size("train"), self.batch_size, self.drop_last)

    @property
    def smallest_share(self) -> int:
        """Samples that a device is given in the smallest batch of the training to come."""
        return self.batch_size if self.trainer is None else self._new_loader().smallest_share

    def train_dataloader(self) -> RowLoader:
        assert self.trainer is not None
        assert self._batches is not None
        self._loader = self._new_loader()
        self._batches.keep_on(self.trainer.strategy.root_device, self.device_resident)
        self.opened.splits["train"] = self._batches.split
        return self._loader

    def state_dict(self) -> dict[str, Any]:
        """What a training on these data depends on, kept in its checkpoints."""
        return {"settings": plain(self._decides), "size": self.size("train")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Say where a run goes on with other data than those that its checkpoint was trained on."""
        settings, size = state_dict["settings"], self.size("train")
        if self.trainer is None or self.trainer.state.fn != TrainerFn.FITTING:  # nothing else matters any more
            settings = {"dataset": settings["dataset"]}
        elif settings["dataset"] == self._decides["dataset"] and state_dict["size"] != size:
            rank_zero_warn(f"{self.name} had {state_dict['size']} training samples in the checkpoint, now it has {size}")
        for said in differences(settings, self._decides, "data."):
            rank_zero_warn(said)

    def example(self, n: int) -> Batch:
        """The first ``n`` training samples as a step is given them, with all that belongs to them."""
        assert self._batches is not None
        batch = self._batches.make(Rows(torch.arange(n), 0, 0, 0, n, 0), torch.device("cpu"), self._loader)
        batch.draw_again = lambda: batch
        return batch

    def val_dataloader(self) -> Iterable[Any]:
        """What was held out, for a module that has a ``validation_step`` of its own.

        Else one empty batch for ``lightning validate``, and none in ``fit``, where the evaluation callback keeps its own time.
        """
        assert self.trainer is not None
        fits = self.trainer.state.fn != TrainerFn.VALIDATING
        if has_own_step(self.trainer.lightning_module, "validate"):
            if (split := "valid" if "valid" in self.opened.splits else "test" if not fits else None) is not None:
                return self._in_turn(split)
            rank_zero_warn("the model's validation_step never runs: nothing is held out for it; set data.held_out")
        return [] if fits else [torch.zeros(1)]

    def test_dataloader(self) -> Iterable[Any]:
        assert self.trainer is not None
        return self._in_turn("test") if has_own_step(self.trainer.lightning_module, "test") else [torch.zeros(1)]

    def _in_turn(self, split: str) -> InTurn:
        assert self.trainer is not None
        return InTurn(self, split, self.batch_size, self.trainer.global_rank, self.trainer.world_size)

    def predict_dataloader(self) -> Numbers:
        assert self.trainer is not None
        count, batch_size = self.num_predict, self.batch_size
        if self.latents is not None:
            self.given = read_latents(Path(self.latents), self)
            count, batch_size = len(self.given.z), 1  # else the last bits would depend on the others in a batch
        checks.fits_memory(f"data.num_predict {count:,}", count * 4 * math.prod(self.shape))
        return Numbers(count, batch_size, self.trainer.global_rank, self.trainer.world_size)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        if not isinstance(batch, Rows):
            return super().transfer_batch_to_device(in_precision(batch, self.trainer), device, dataloader_idx)
        assert self._batches is not None
        self.opened.check_files()
        return in_precision(self._batches.make(batch, device, self._loader), self.trainer)
