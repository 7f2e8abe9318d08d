"""SVHN's cropped digits from the original MATLAB files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lightning_gans.data.description import Description, part_of
from lightning_gans.data.source import Samples, Source, stamp
from lightning_gans.errors import InputError

_SIZES = {"train": 73_257, "test": 26_032, "extra": 531_131}


class SVHN(Source):
    """73,257 training and 26,032 test digits of 32x32 colour pixels, and 531,131 easier ones (Netzer et al., 2011).

    ``train_32x32.mat``, ``test_32x32.mat`` and, only for the split ``extra``, ``extra_32x32.mat`` are looked for in
    ``root/svhn`` and ``root``. The file of a split is in memory while it is packed: 1.6 GB for ``extra``.
    """

    name = "svhn"
    description = Description(classes=tuple("0123456789"))
    native = (32, 32, 3)
    splits = ("train", "test", "extra")
    where = (
        "put train_32x32.mat and test_32x32.mat, and extra_32x32.mat (1.3 GB) for the split extra, into svhn/ "
        "(ufldl.stanford.edu/housenumbers)"
    )
    size = "246 MB, with extra 1.6 GB"
    licence = "non-commercial use"

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        file = self._file(split)
        return None if file is None else stamp(file)

    def samples(self, split: str) -> Samples:
        file = self._file(split)
        if file is None:
            raise self.missing(f"{split}_32x32.mat")
        images, labels = _read(file)
        description = replace(self.description, partial=part_of(len(images), _SIZES[split]))
        return self.of_arrays(images, labels % 10, description)  # it calls the digit 0 10

    def download(self, splits: Iterable[str]) -> None:
        for split in splits:
            if self._file(split) is None:
                self.by_torchvision("SVHN", split=split)

    def _file(self, split: str) -> Path | None:
        return self.find(*(f"{folder}{split}_32x32.mat" for folder in ("svhn/", "")))


def _read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) and labels from 1 to 10; the file's own checksums are compared on the way."""
    from scipy.io import loadmat

    try:
        stored = loadmat(file, variable_names=["X", "y"])
        images, labels = stored["X"], stored["y"].ravel()
    except Exception as error:  # a damaged file may raise anything
        raise InputError(f"{file} is damaged, or does not hold X and y ({error}); get it anew") from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:3] != (32, 32, 3):
        raise InputError(f"{file} holds X of {images.dtype} {images.shape} instead of uint8 (32, 32, 3, N); get it anew")
    if len(labels) != images.shape[3]:
        raise InputError(f"{file} holds {images.shape[3]} images but {len(labels)} labels; get it anew")
    if not np.isin(labels, np.arange(1, 11)).all():
        raise InputError(f"{file} has labels other than 1 to 10; get it anew")
    return np.moveaxis(images, 3, 0), labels.astype(np.int64)


SOURCE = SVHN
