"""CelebA, read directly from its official files, or from as many of them as there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lightning_gans.data.container import Container
from lightning_gans.data.description import Preview, part_of
from lightning_gans.data.folder import fingerprint
from lightning_gans.data.pixels import Box, to_pixels
from lightning_gans.data.source import Samples, Source, stamp
from lightning_gans.errors import InputError
from lightning_gans.networks.suggest import ConditionKind

_ALL = 202_599
_WIDTH, _HEIGHT = 178, 218
_CORNERS = {128: (25, 50), 148: (15, 40)}  # left and upper, as BEGAN's and VAE/GAN's authors cut; others are in the middle


class CelebA(Source):
    """202,599 aligned faces of 178x218 pixels with 40 attributes (Liu et al., 2015).

    Looked for in ``root/celeba`` (or ``CelebA``), and there also in the official folders ``Img``, ``Anno`` and ``Eval``:
    ``img_align_celeba/`` or ``img_align_celeba.zip``, ``list_attr_celeba.txt`` and ``list_eval_partition.txt``, or these lists
    as ``.csv``, which is how Kaggle has them. Where the last is missing, or leaves a split empty because most images are, the
    first 80 % by number are for training, the next 10 % are ``valid`` and the last 10 % ``test``.

    ``crop`` counts pixels of the official size, so that copies of any size are cut alike: 108 (DCGAN, GAAN), 128 (BEGAN), 140,
    148 (VAE/GAN), 160 (Lucic et al.).
    """

    name = "celeba"
    splits = ("train", "valid", "test")
    usual_size, usual_channels = 64, 3
    where = (
        "put img_align_celeba (the folder or the .zip), list_attr_celeba.txt and list_eval_partition.txt into celeba/ "
        "(mmlab.ie.cuhk.edu.hk/projects/CelebA.html)"
    )
    size = "1.4 GB"
    licence = "non-commercial research"

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> dict[str, Any] | None:
        images, lists = self._images(), [self._list("list_attr_celeba"), self._list("list_eval_partition")]
        return None if images is None else {"images": fingerprint(images), **stamp(*filter(None, lists))}

    def samples(self, split: str) -> Samples:
        path = self._images()
        if path is None:
            raise self.missing("img_align_celeba.zip")
        container = Container(path)
        names = {Path(name).stem: name for name in container.images()}
        if not names:
            raise InputError(f"{path} holds no image; {self.where}")
        chosen, how = self._of_split([*names], split)
        file = self._list("list_attr_celeba")
        columns, attributes = ((), None) if file is None else _attributes(file, chosen)
        lacks = "" if file else "no attributes: there is no list_attr_celeba.txt"
        description = replace(
            self.description,
            attributes=columns,
            note="; ".join(filter(None, [how, lacks])),
            partial=part_of(len(names), _ALL),
        )
        files = [names[name] for name in chosen]
        return self.of_files(container, files, attributes=attributes, description=description)

    def glance(self, split: str) -> Preview | None:
        if self._images() is None:
            return None
        shape = self.pixels(Image.new("RGB", (_WIDTH, _HEIGHT))).shape
        file = self._list("list_attr_celeba")
        columns = () if file is None else _columns(file, _lines(file, 2))[0]
        return Preview(shape, {"attributes": ConditionKind("attributes", len(columns))} if columns else {})

    def download(self, splits: Iterable[str]) -> None:
        self.by_torchvision("CelebA")  # by gdown; what it fetches is what this reads

    def pixels(self, image: Image.Image) -> np.ndarray:
        crop = self.request.crop
        box: Box | None = None
        if isinstance(crop, int):
            if crop > _WIDTH:
                raise InputError(f"data.crop is {crop}, but CelebA's faces are {_WIDTH} pixels wide; lower it")
            left, upper = _CORNERS.get(crop, ((_WIDTH - crop) // 2, (_HEIGHT - crop) // 2))
            across, down = image.width / _WIDTH, image.height / _HEIGHT
            box = (left * across, upper * down, (left + crop) * across, (upper + crop) * down)
        return to_pixels(
            image, self.request.image_size or self.usual_size, self.request.channels or self.usual_channels, crop, box
        )

    def _of_split(self, names: list[str], split: str) -> tuple[list[str], str]:
        """The names of a split, and how it was drawn where it is not the official one."""
        file = self._list("list_eval_partition")
        if file is not None:
            rows = _rows(file, _lines(file), names)
            wrong = next((name for name in names if rows[name] not in (["0"], ["1"], ["2"])), None)
            if wrong is not None:
                raise InputError(f"{file} is damaged: the row of {wrong} does not end with 0, 1 or 2; get it anew")
            parts = {name: [n for n in names if rows[n] == [str(number)]] for number, name in enumerate(self.splits)}
            if all(parts.values()):
                return parts[split], ""
        why = "there is no list_eval_partition.txt" if file is None else "the official split leaves a part empty"
        cuts = [0, len(names) * 8 // 10, len(names) * 9 // 10, len(names)]
        number = self.splits.index(split)
        return names[cuts[number] : cuts[number + 1]], f"split 80/10/10 by number: {why}"

    def _images(self) -> Path | None:
        return self._file("img_align_celeba") or self._file("img_align_celeba.zip")

    def _list(self, name: str) -> Path | None:
        return self._file(f"{name}.txt") or self._file(f"{name}.csv")

    def _file(self, name: str) -> Path | None:
        return self.find(
            *(
                f"{folder}/{name}"
                for root in ("celeba", "CelebA")
                for folder in (root, f"{root}/Img", f"{root}/Anno", f"{root}/Eval")
            )
        )


def _attributes(file: Path, names: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """The names of the columns, and what each image has, uint8 ``(N, A)``."""
    columns, lines = _columns(file, _lines(file))
    rows = _rows(file, lines, names)
    wrong = next((n for n in names if len(rows[n]) != len(columns) or not {*rows[n]} <= {"1", "-1"}), None)
    if wrong is not None or not columns:
        raise InputError(f"{file} is damaged: the row of {wrong} is not {len(columns)} numbers of 1 and -1; get it anew")
    return columns, (np.array([rows[name] for name in names], np.int8) > 0).astype(np.uint8)


def _columns(file: Path, lines: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The names of the columns, and the lines below: a .csv begins with its header, a .txt with the number of its rows."""
    above = 0 if file.suffix == ".csv" else 1
    names = lines[above].split() if len(lines) > above else []
    return tuple(names if above else names[1:]), lines[above + 1 :]


def _lines(file: Path, count: int | None = None) -> list[str]:
    """All lines of a list, or the first of them, with spaces between what they say."""
    try:
        with open(file, encoding="utf-8-sig") as text:
            return [line.rstrip("\n").replace(",", " ") for line in islice(text, count)]
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is no list in plain text; get it anew") from error


def _rows(file: Path, lines: list[str], names: list[str]) -> dict[str, list[str]]:
    """What stands behind each image, by its name without a suffix: copies may be of another format."""
    rows = {Path(row[0]).stem: row[1:] for line in lines if (row := line.split())}
    missing = next((name for name in names if name not in rows), None)
    if missing is not None:
        raise InputError(f"{file} has no row for {missing}; get it anew, or remove the image")
    return rows


SOURCE = CelebA
