"""MNIST from its four original files."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lightning_gans.data.description import Description
from lightning_gans.data.source import Samples, Source, check_md5, stamp
from lightning_gans.errors import InputError


class MNIST(Source):
    """60,000 training and 10,000 test digits of 28x28 grey pixels (LeCun et al., 1998).

    The files ``train-images-idx3-ubyte.gz`` and its three sisters, packed or unpacked, are looked for in ``root/MNIST/raw``
    (where torchvision puts them), ``root/mnist`` and ``root``.
    """

    name = "mnist"
    description = Description(classes=tuple("0123456789"))
    native = (28, 28)
    where = "put the four original .gz files into MNIST/raw"
    size = "11 MB"
    licence = "CC BY-SA 3.0"
    folders: tuple[str, ...] = ("MNIST/raw", "mnist", ".")
    official = "MNIST"  # the class of torchvision that knows the checksums and the addresses

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        files = [self._file(name) for name in _names(split)]
        return None if None in files else stamp(*filter(None, files))

    def samples(self, split: str) -> Samples:
        pixels, labels = (self._read(name) for name in _names(split))
        if len(pixels) != len(labels):
            raise InputError(
                f"the {split} files of {self.name} disagree: {len(pixels)} images, {len(labels)} labels; get them anew"
            )
        return self.of_arrays(pixels, labels=labels.astype(np.int64))

    def download(self, splits: Iterable[str]) -> None:
        self.by_torchvision(self.official)

    def _file(self, name: str) -> Path | None:
        return self.find(*(f"{folder}/{name}{end}" for folder in self.folders for end in (".gz", "")))

    def _read(self, name: str) -> np.ndarray:
        file = self._file(name)
        if file is None:
            raise self.missing(f"{name}.gz")
        raw = file.read_bytes()
        if file.suffix == ".gz":
            self._check_original(file, raw)
            try:
                raw = gzip.decompress(raw)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise InputError(f"{file} is damaged ({error}); get it anew") from error
        return _parse(file, raw)

    def _check_original(self, file: Path, raw: bytes) -> None:
        from torchvision import datasets

        check_md5(file, io.BytesIO(raw), dict(getattr(datasets, self.official).resources)[file.name])


def _names(split: str) -> tuple[str, str]:
    part = "train" if split == "train" else "t10k"
    return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"


def _parse(file: Path, raw: bytes) -> np.ndarray:
    """The array in an idx file: two zero bytes, a type, the number of dimensions, each dimension as a big-endian int32."""
    dimensions = int.from_bytes(raw[3:4]) if raw[:3] == b"\0\0\x08" else 0
    header, body = raw[4 : 4 + 4 * dimensions], raw[4 + 4 * dimensions :]
    shape = np.frombuffer(header[: len(header) // 4 * 4], ">i4")
    if not dimensions or len(shape) != dimensions or (shape < 0).any() or len(body) != shape.prod():
        raise InputError(f"{file} is damaged: {len(raw)} bytes are not what its header says; get it anew")
    return np.frombuffer(body, np.uint8).reshape(shape)


SOURCE = MNIST
