"""A dataset opened: its splits in memory, what they mean, and how to say so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from lightning_gans.data.description import Description, Preview
from lightning_gans.data.folder import shown
from lightning_gans.data.pack import MappedFile, open_pack, peek_pack
from lightning_gans.data.source import Points, Source
from lightning_gans.data.split import Split
from lightning_gans.errors import InputError
from lightning_gans.networks.suggest import ConditionKind

_STACKED = 25_600  # fixed triples of digits to measure against: the papers count modes in as many samples


@dataclass
class Opened:
    """The splits ``train`` and ``test`` of a dataset, and ``valid`` where some samples are held out.

    Attributes:
        name: of the dataset.
        splits: by name.
        description: what the dataset says of itself.
        centres: of the modes of a mixture of points ``(modes, 2)``, else ``None``.
        std: of each of these modes and axis.
        stacks: three digits make one sample.
        digests: of the stored images of each split.
        files: that the images are mapped from.
    """

    name: str
    splits: dict[str, Split]
    description: Description = field(default_factory=Description)
    centres: Tensor | None = None
    std: float | None = None
    stacks: bool = False
    digests: dict[str, str] = field(default_factory=dict)
    files: Sequence[MappedFile] = ()

    @property
    def has_points(self) -> bool:
        """Whether samples are points and not images."""
        return self.splits["train"].samples.dim() == 2

    def check_files(self) -> None:
        """Refuse to go on where somebody has written to the files; to be called before they are read."""
        for file in self.files:
            file.check()

    def preview(self) -> Preview:
        """What the training samples look like, and all that travels with them."""
        train = self.splits["train"]
        shape = tuple(train.take(torch.zeros(1, dtype=torch.long)).shape[1:])
        extent = float(train.samples.abs().max()) if self.has_points else 1.0
        return Preview(shape, self.description.condition_kinds(train.conditions), extent)

    def keep_classes(self, wanted: Sequence[str | int]) -> None:
        """Leave out all other classes; labels then count the wanted ones in their order."""
        if self.stacks:
            raise InputError(
                f"data.classes keeps some classes, but those of {self.name} are made of three digits; leave it out"
            )
        splits = self.splits.values()
        if not all("labels" in split.conditions for split in splits):
            raise InputError(f"data.classes keeps some classes, but {self.name} has no labels; leave it out")
        count = 1 + max(int(split.conditions["labels"].max()) for split in splits)
        names = self.description.classes or tuple(map(str, range(count)))
        unknown = [str(name) for name in wanted if str(name) not in names or [*map(str, wanted)].count(str(name)) > 1]
        if unknown or not wanted:
            raise InputError(
                f"data.classes must name different ones of {', '.join(names)}, not {', '.join(unknown) or 'nothing'}"
            )
        kept = [names.index(str(name)) for name in wanted]
        position = torch.full((len(names),), -1)
        position[kept] = torch.arange(len(kept))
        self._change(lambda name, split: split.of_classes(position))
        empty = next((name for name, split in self.splits.items() if not len(split)), None)
        if empty is not None:
            raise InputError(f"data.classes leaves nothing in the {empty} split of {self.name}; name others")
        self.description = replace(self.description, classes=tuple(map(str, wanted)))
        self.centres = None if self.centres is None else self.centres[kept]

    def hold_out(self, share: float) -> None:
        """Keep training samples from training; where there is no test split, they are it."""
        whole = self.splits["train"]
        self.splits["train"], self.splits["valid"] = whole.halves(share, self.name)
        if self.splits["test"] is whole:
            self.splits["test"] = self.splits["valid"]

    def cut_out(self, side: int) -> None:
        """Let samples be squares of so many pixels out of the stored images, in the middle if nobody says where."""
        self._change(lambda name, split: replace(split, cut=side))

    def add_mirrored(self) -> None:
        """Add a mirrored copy of every training image."""
        if self.stacks:
            raise InputError(f"data.flip is copies, but {self.name} draws new samples all the time; set it to random")
        whole = self.splits["train"]
        self._change(lambda name, split: replace(split, copies=2) if split is whole else split)

    def stack(self) -> None:
        """Make samples of three digits each."""
        check_digits(self.name, self.splits["train"].samples.shape[1:])
        self._change(lambda name, split: split.stacked(len(split) if name == "train" else _STACKED, name))
        note = "three digits make a sample, and training draws new triples all the time"
        self.description = replace(self.description, classes=tuple(f"{number:03d}" for number in range(1000)), note=note)

    def _change(self, change: Callable[[str, Split], Split]) -> None:
        """Splits that are one stay one."""
        changed: dict[int, Split] = {}
        for name, split in self.splits.items():
            if id(split) not in changed:
                changed[id(split)] = change(name, split)
        self.splits = {name: changed[id(split)] for name, split in self.splits.items()}

    def fingerprint(self, name: str) -> str:
        """A hash of what the samples of a split are."""
        split = self.splits[name]
        digest = hashlib.sha256(f"{self.digests.get(name)} {self.name} {len(split)} {split.copies}".encode())
        if split.cut is not None:
            digest.update(f" the middle {split.cut}".encode())
        if split.rows is not None:
            digest.update(split.rows.cpu().numpy().tobytes())
        if not self.digests:
            digest.update(split.samples.cpu().numpy().tobytes())
        return digest.hexdigest()

    def describe(self) -> str:
        """Name, sizes, how the splits came about, and the balance of classes, in one line."""
        train, test = self.splits["train"], self.splits["test"]
        parts = [f"{shown(self.name)}{f' (partial: {partial})' if (partial := self.description.partial) else ''}"]
        parts.append(
            ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items() if name == "train" or split is not train)
        )
        shape = "x".join(map(str, train.take(torch.zeros(1, dtype=torch.long)).shape[1:]))
        parts.append(shape if train.cut is None else f"{shape} out of {'x'.join(map(str, train.samples.shape[-2:]))}")
        parts += [self.description.note] if self.description.note else []
        parts += ["no test split: measured against the training images"] if test is train else []
        labels = train.labels()
        parts += [] if labels is None else [_balance(labels, self.description.classes)]
        return "; ".join(parts)


def _balance(labels: Tensor, classes: tuple[str, ...]) -> str:
    """The share of each class, or where there are many the smallest and the largest."""
    shares = torch.bincount(labels.cpu(), minlength=len(classes)).double() / len(labels)
    names = [*(classes or map(str, range(len(shares))))]
    if (shares == 0).any() and len(shares) > 10:  # classes of the test split alone
        names = [name for name, share in zip(names, shares, strict=True) if share > 0]
        shares = shares[shares > 0]
    if shares.min() == shares.max():
        return f"{len(shares)} classes of the same size"
    if len(shares) <= 10:
        return ", ".join(f"{shown(name)} {share:.1%}" for name, share in zip(names, shares.tolist(), strict=False))
    low, high = int(shares.argmin()), int(shares.argmax())
    return f"{len(shares)} classes, from {shown(names[low])} {shares[low]:.2%} to {shown(names[high])} {shares[high]:.2%}"


def split_names(source: Source, train: str, test: str) -> tuple[str, str]:
    """Where the splits for training and testing are stored.

    Raises:
        InputError: the source has none of that name.
    """
    if test == "test" and "test" not in source.splits:
        test = train
    for key, name in (("train_split", train), ("test_split", test)):
        if name not in source.splits:
            raise InputError(f"data.{key} is {name}, but {source.name} has {', '.join(source.splits)}")
    return train, test


def open_dataset(source: Source | Points, train: str = "train", test: str = "test") -> Opened:
    """Splits of a dataset.

    Raises:
        InputError: a file is missing or damaged, or there is no such split.
    """
    if isinstance(source, Points):
        centres = None if source.centres is None else torch.from_numpy(source.centres)
        splits = {name: _split(*source.points(name)) for name in ("train", "test")}
        return Opened(source.name, splits, centres=centres, std=source.std)
    train, test = split_names(source, train, test)
    packs = {name: open_pack(source, name) for name in dict.fromkeys((train, test))}
    first, second = packs[train], packs[test]
    if first.images.shape[1:] != second.images.shape[1:]:
        shapes = ["x".join(map(str, pack.images.shape[1:])) for pack in (first, second)]
        raise InputError(
            f"{source.name} trains on images {shapes[0]} and tests on {shapes[1]}; set data.image_size and data.channels"
        )
    splits = {name: _split(pack.images, **pack.conditions) for name, pack in packs.items()}
    return Opened(
        source.name,
        {"train": splits[train], "test": splits[test]},
        first.description,
        stacks=source.stacks,
        digests={"train": first.digest, "test": second.digest, "valid": first.digest},
        files=[file for pack in packs.values() for file in pack.files],
    )


def prepare_dataset(source: Source | Points, train: str = "train", test: str = "test") -> None:
    """Pack what is not packed yet.

    Raises:
        InputError: see ``open_dataset``.
    """
    if isinstance(source, Source):
        names = dict.fromkeys(split_names(source, train, test))
        for name in names:  # before the first of them is packed, which may take long
            if source.fingerprint(name) is None and peek_pack(source, name) is None:
                source.samples(name)
        for name in names:
            open_pack(source, name)


def peek_dataset(source: Source, train: str = "train", test: str = "test") -> Preview:
    """What the training images look like before they are packed, and all that travels with them.

    Where no glance tells, the pack is read if it is there, else all files that belong to the images, such as captions.

    Raises:
        InputError: a file is missing or damaged, or there is no such split.
    """
    if (train, test) != ("train", "test"):  # to name the splits of one's own images all of these are listed
        train, test = split_names(source, train, test)
    preview = source.glance(train)
    if preview is None:
        train, test = split_names(source, train, test)
        pack = peek_pack(source, train)
        if pack is not None:
            preview = Preview(pack.images.shape[1:], pack.description.condition_kinds(pack.conditions))
        else:
            samples = source.samples(train)
            if not samples.size:
                raise InputError(f"{source.name} has no {train} image; give another dataset")
            preview = Preview(samples.image(0).shape, samples.description.condition_kinds(samples.conditions))
    if not source.stacks:
        return preview
    check_digits(source.name, preview.shape)
    return Preview((3, *preview.shape[1:]), {"labels": ConditionKind("labels", 1000)})


def check_digits(name: str, shape: Sequence[int]) -> None:
    """Refuse coloured digits where three of them make one sample."""
    if shape[0] != 1:
        raise InputError(f"data.channels is 3, but {name} makes its three channels of grey digits; leave it out")


def _split(samples: np.ndarray, labels: np.ndarray | None = None, **conditions: np.ndarray) -> Split:
    arrays = conditions if labels is None else {"labels": labels, **conditions}
    return Split(torch.from_numpy(samples), {name: torch.from_numpy(array) for name, array in arrays.items()})
