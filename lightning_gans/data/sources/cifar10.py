"""CIFAR-10 from its original batches, packed or unpacked, or from one .npz of plain arrays."""

from __future__ import annotations

import codecs
import io
import pickle
import tarfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from lightning_gans.data.description import Description, part_of
from lightning_gans.data.source import Samples, Source, check_md5, stamp
from lightning_gans.errors import InputError

_SIZES = {"train": 50_000, "test": 10_000}
_ROW = (3, 32, 32)  # a batch stores the red plane of an image, then the green one, then the blue one
_UNPICKLED = {  # all that a pickled array is made of
    **{(f"numpy.{core}.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0] for core in ("core", "_core")},
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}


class CIFAR10(Source):
    """50,000 training and 10,000 test images of 32x32 colour pixels in ten classes (Krizhevsky, 2009).

    Looked for in ``root`` and in ``root/cifar10``, the first of: ``cifar10.npz`` (only in the latter) with ``train_images`` of
    uint8 (50000, 32, 32, 3), ``train_labels``, ``test_images`` and ``test_labels``; the folder ``cifar-10-batches-py``; and
    ``cifar-10-python.tar.gz``, which need not be unpacked. Of the pickles in the latter nothing but plain arrays is read.
    """

    name = "cifar10"
    description = Description(
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    )
    native = (32, 32, 3)
    where = (
        "put cifar-10-python.tar.gz, or the folder cifar-10-batches-py that is in it, into cifar10/ "
        "(www.cs.toronto.edu/~kriz/cifar.html)"
    )
    size = "170 MB"
    licence = "not stated"
    folder, archive = "cifar-10-batches-py", "cifar-10-python.tar.gz"
    batches: ClassVar = {"train": tuple(f"data_batch_{n}" for n in range(1, 6)), "test": ("test_batch",)}
    labels = b"labels"  # how a batch calls them
    official = "CIFAR10"  # the class of torchvision that knows the checksums and the address

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        place = self._place()
        if place is None:
            return None
        files = [place / name for name in self.batches[split]] if place.is_dir() else [place]
        return stamp(*files) if all(file.is_file() for file in files) else None

    def samples(self, split: str) -> Samples:
        place = self._place()
        if place is None:
            raise self.missing(self.archive)
        images, labels = self._of_npz(place, split) if place.suffix == ".npz" else self._of_batches(place, split)
        return self.of_arrays(images, labels, replace(self.description, partial=part_of(len(images), _SIZES[split])))

    def download(self, splits: Iterable[str]) -> None:
        self.by_torchvision(self.official)

    def _place(self) -> Path | None:
        places = (f"{folder}{name}" for name in (self.folder, self.archive) for folder in ("", f"{self.name}/"))
        return self.find(f"{self.name}/{self.name}.npz", *places)

    def _of_npz(self, file: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
        try:
            with np.load(file, allow_pickle=False) as stored:
                images, labels = stored[f"{split}_images"], stored[f"{split}_labels"]
        except Exception as error:  # a damaged .npz may raise anything
            why = str(error).partition(".")[0]
            raise InputError(
                f"{file} does not hold plain arrays {split}_images and {split}_labels ({why}); save it anew with numpy.savez"
            ) from error
        return self._checked(file, images, labels, (32, 32, 3))

    def _of_batches(self, place: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
        raws = self._files(place, self.batches[split])
        parts = []
        for name in self.batches[split]:
            if name not in raws:
                raise self.missing(f"{self.folder}/{name}")
            parts.append(self._checked(place / name, *self._unpickled(place / name, raws[name]), (3072,)))
        rows, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        if len(rows) == _SIZES[split]:  # part of it, as for a test of one's own, has no checksum
            expected = dict(self._official.train_list + self._official.test_list)
            for name, raw in raws.items():
                check_md5(place / name, io.BytesIO(raw), expected[name])
        return rows.reshape(-1, *_ROW).transpose(0, 2, 3, 1), labels

    def _files(self, place: Path, names: tuple[str, ...]) -> dict[str, bytes]:
        """Those that are in the folder or the archive, which is read once from its beginning to its end."""
        if place.is_dir():
            return {name: (place / name).read_bytes() for name in names if (place / name).is_file()}
        with open(place, "rb") as file:
            check_md5(place, file, self._official.tgz_md5)
        with tarfile.open(place) as tar:
            members = ((PurePosixPath(member.name).name, tar.extractfile(member)) for member in tar)
            return {name: file.read() for name, file in members if file is not None and name in names}

    def _unpickled(self, file: Path, raw: bytes) -> tuple[np.ndarray, np.ndarray]:
        try:
            batch = _Unpickler(io.BytesIO(raw), encoding="bytes").load()
            return np.asarray(batch[b"data"]), np.asarray(batch[self.labels])
        except Exception as error:  # a damaged pickle may raise anything
            why = f"{type(error).__name__}: {error}"
            raise InputError(f"{file} is damaged, or no batch of {self.official} ({why}); get it anew") from error

    def _checked(
        self, file: Path, images: np.ndarray, labels: np.ndarray, shape: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            expected = ", ".join(map(str, ("N", *shape)))
            raise InputError(f"{file} holds images of {images.dtype} {images.shape} instead of uint8 ({expected}); get it anew")
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) != len(images):
            raise InputError(f"{file} holds {len(images)} images, but labels of {labels.dtype} {labels.shape}; get it anew")
        classes = len(self.description.classes)
        if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
            raise InputError(f"{file} has labels beyond the {classes} classes of {self.name}; get it anew")
        return images.view(np.uint8), labels.astype(np.int64)  # a dtype that was altered may equal uint8 and not be it

    @property
    def _official(self) -> Any:
        from torchvision import datasets

        return getattr(datasets, self.official)


class _Unpickler(pickle.Unpickler):
    """Makes arrays and what Python has built in, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _UNPICKLED:
            raise pickle.UnpicklingError(f"it wants to call {module}.{name}")
        return _UNPICKLED[module, name]


SOURCE = CIFAR10
