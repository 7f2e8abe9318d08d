"""Tiny ImageNet from its original folder or zip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from lightning_gans.data.container import Container
from lightning_gans.data.description import Description, Preview, part_of
from lightning_gans.data.folder import fingerprint
from lightning_gans.data.source import Samples, Source, stamp
from lightning_gans.errors import InputError
from lightning_gans.networks.suggest import ConditionKind

_FOLDER = "tiny-imagenet-200"
_URL, _MD5 = f"http://cs231n.stanford.edu/{_FOLDER}.zip", "90528d7ca1a48142e341f4ef8d21d0de"
_SIZES = {"train": 100_000, "test": 10_000}


class TinyImageNet(Source):
    """100,000 training and 10,000 validation images of 64x64 pixels in 200 classes (Stanford's CS231N, 2015).

    The folder ``tiny-imagenet-200``, or its zip, which need not be unpacked, is looked for in ``root`` and in
    ``root/tiny_imagenet``. The official test images have no labels, so ``test`` are those for validation. Grey images, of which
    there are a few, become coloured ones unless grey is asked for. Labels count in the order of ``wnids.txt``.
    """

    name = "tiny_imagenet"
    description = Description(note="test is the official val")
    usual_channels = 3
    where = f"put {_FOLDER}.zip, or the folder {_FOLDER} that is in it, into tiny_imagenet/ ({_URL.removeprefix('http://')})"
    size = "248 MB"
    licence = "as ImageNet: research"

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        path = self._place()
        if path is None or path.is_file():
            return None if path is None else stamp(path)
        lists = [file for name in ("wnids.txt", "words.txt") if (file := path / name).is_file()]
        return {"images": fingerprint(path / ("train" if split == "train" else "val")), **stamp(*lists)}

    def samples(self, split: str) -> Samples:
        path = self._place()
        if path is None:
            raise self.missing(f"{_FOLDER}.zip")
        container = Container(path, below=_FOLDER if path.is_file() else "")
        wnids = self._lines(container, "wnids.txt")
        names = [name for name in container.images() if name.startswith("train/" if split == "train" else "val/")]
        if split == "train":
            of = {name: PurePosixPath(name).parts[1] for name in names}
        else:
            rows = dict(line.split("\t")[:2] for line in self._lines(container, "val/val_annotations.txt") if "\t" in line)
            of = {name: rows.get(PurePosixPath(name).name, "") for name in names}
        number = {wnid: position for position, wnid in enumerate(wnids)}
        if strange := next((name for name in names if of[name] not in number), None):
            raise InputError(f"{strange} in {path} has no class of wnids.txt; get {_FOLDER}.zip anew, or remove the image")
        description = replace(
            self.description,
            classes=_names(wnids, self._lines(container, "words.txt")),
            partial=part_of(len(names), _SIZES[split]),
        )
        labels = np.array([number[of[name]] for name in names], np.int64)
        return self.of_files(container, names, labels, description=description)

    def glance(self, split: str) -> Preview | None:
        path = self._place()
        if path is None:
            return None
        wnids = self._lines(Container(path, below=_FOLDER if path.is_file() else ""), "wnids.txt")
        shape = self.pixels(Image.new("RGB", (64, 64))).shape
        return Preview(shape, {"labels": ConditionKind("labels", len(wnids))})

    def download(self, splits: Iterable[str]) -> None:
        from torchvision.datasets.utils import download_url

        try:
            download_url(_URL, self.request.root, md5=_MD5)
        except (OSError, RuntimeError) as error:
            raise self.not_downloaded(error) from error

    def _place(self) -> Path | None:
        return self.find(*(f"{folder}{_FOLDER}{end}" for end in ("", ".zip") for folder in ("", f"{self.name}/")))

    def _lines(self, container: Container, name: str) -> list[str]:
        if not container.has(name):
            raise self.missing(f"{_FOLDER}/{name}")
        try:
            return container.read(name).decode().splitlines()
        except UnicodeDecodeError as error:
            raise InputError(f"{name} in {container.path} is damaged ({error}); get {_FOLDER}.zip anew") from error


def _names(wnids: list[str], words: list[str]) -> tuple[str, ...]:
    """The first word for each class, or where two classes share it, or there is none, the class's number in WordNet."""
    lines = (line.partition("\t") for line in words)
    first = {wnid: text.partition(",")[0] for wnid, _, text in lines}
    names = [first.get(wnid, wnid) for wnid in wnids]
    return tuple(name if names.count(name) == 1 else wnid for name, wnid in zip(names, wnids, strict=True))


SOURCE = TinyImageNet
