"""What a dataset is made of, before it is packed. Each file of ``sources/`` has one class that answers to some names."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lightning_gans import checks
from lightning_gans.data.container import Container
from lightning_gans.data.description import Description, Preview
from lightning_gans.data.folder import shown
from lightning_gans.data.pixels import Crop, to_pixels
from lightning_gans.errors import InputError
from lightning_gans.networks.suggest import ConditionKind
from lightning_gans.suggestions import near


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes:
        dataset: a name, or the path of one's own images.
        root: where the datasets' files are.
        image_size: wanted side in pixels, ``None`` for the dataset's usual one.
        channels: 1 for grey, 3 for colour, ``None`` for the images' own.
        skip_unreadable: leave out what is no image, cannot be read or is smaller than ``crop`` instead of refusing.
        crop: what is cut out of each image before it is scaled, see ``to_pixels``.
        download: fetch what is missing.
    """

    dataset: str
    root: Path
    image_size: int | None = None
    channels: int | None = None
    skip_unreadable: bool = False
    crop: Crop = None
    download: bool = False


@dataclass(frozen=True)
class Samples:
    """One split, one sample at a time.

    Attributes:
        size: number of samples.
        image: gives the i-th as uint8 ``(C, H, W)``; called from several threads.
        labels: int64 ``(size,)``, ``None`` where there are none.
        attributes: uint8 ``(size, A)`` of zeros and ones.
        captions: uint8 ``(size, K, L)``, see ``encode_captions``.
        description: of the dataset, now that its files are read.
        files: the names of the images' files, where each has one.
    """

    size: int
    image: Callable[[int], np.ndarray]
    labels: np.ndarray | None = None
    attributes: np.ndarray | None = None
    captions: np.ndarray | None = None
    description: Description = field(default_factory=Description)
    files: Sequence[str] | None = None

    def called(self, number: int) -> str:
        """One of the images, for people."""
        return f"image {number}" if self.files is None else shown(self.files[number])

    @property
    def conditions(self) -> dict[str, np.ndarray]:
        """What travels with the images, by name."""
        arrays = {"labels": self.labels, "attributes": self.attributes, "captions": self.captions}
        return {name: array for name, array in arrays.items() if array is not None}


class Dataset:
    """What has a name.

    Args:
        request: what the user asked for.

    Attributes:
        name: names the dataset in logs and its pack.
        where: its files, and where to get them; for people.
        size: of these files, for people.
        licence: under which they are, for people; nothing where it is the user's to know.
    """

    name: str
    where: str = ""
    size: str = ""
    licence: str = ""

    def __init__(self, request: Request) -> None:
        self.request = request

    @classmethod
    def answers_to(cls, request: Request) -> bool:
        """Whether this is the class for ``request``; a dataset that has a name answers to just that."""
        return request.dataset in cls.names()

    @classmethod
    def names(cls) -> list[str]:
        """Names to suggest to somebody who mistyped one."""
        return [cls.name] if hasattr(cls, "name") else []


class Source(Dataset):
    """One dataset of images.

    Attributes:
        description: what is known of the dataset before its files are read; ``Samples`` have what is known then.
        splits: what ``samples`` can be asked for; without ``test``, models are measured against training images.
        usual_size: side in pixels that images are scaled to where no size is asked for, ``None`` for their own.
        usual_channels: 1 or 3, where none are asked for, ``None`` for the images' own.
        native: the array shape of an official image, ``(H, W)`` or ``(H, W, 3)``, where all are of one.
        packed_as: the name of another dataset whose packs are shared.
        stacks: three images make one sample, see ``mnist1k``.
        path: of the user's own images, ``None`` for a dataset that has a name.
    """

    description: Description = Description()
    splits: tuple[str, ...] = ("train", "test")
    usual_size: int | None = None
    usual_channels: int | None = None
    native: tuple[int, ...] | None = None
    packed_as: str | None = None
    stacks: bool = False
    path: Path | None = None

    def samples(self, split: str) -> Samples:
        """One of ``splits``.

        Raises:
            InputError: a file is missing or damaged; says which and where to get it.
        """
        raise NotImplementedError

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        """What changes when the source's files do, plain values only; ``None`` where the files are not there."""
        raise NotImplementedError

    def glance(self, split: str) -> Preview | None:
        """What the samples of a split look like, where that is told without reading all of it; else ``None``.

        It is ``None`` also where files are missing: there may still be a pack.

        Raises:
            InputError: what was looked at cannot be used.
        """
        if self.native is None or self.fingerprint(split) is None:
            return None
        shape = self.of_arrays(np.zeros((1, *self.native), np.uint8)).image(0).shape
        return Preview(shape, {"labels": ConditionKind("labels", len(self.description.classes))})

    def download(self, splits: Iterable[str]) -> None:
        """Fetch the files of some splits, at least.

        Raises:
            InputError: nobody can, or the network is not there.
        """
        raise InputError(f"{self.name} cannot be downloaded; get it by hand: {self.where}")

    def by_torchvision(self, name: str, **arguments: Any) -> None:
        """Fetch the files with a class of torchvision's: it shows progress, compares checksums, and keeps what is there."""
        from torchvision import datasets

        try:
            getattr(datasets, name)(self.request.root, download=True, **arguments)
        except (OSError, RuntimeError, ImportError) as error:
            raise self.not_downloaded(error) from error

    def not_downloaded(self, error: Exception) -> InputError:
        """The sentence for a file that could not be fetched."""
        return InputError(f"{self.name} cannot be downloaded ({error}); try again, or get it by hand: {self.where}")

    def missing(self, what: str) -> InputError:
        """The sentence for a file that is not there."""
        fetch = ", or let data.download true fetch it" if type(self).download is not Source.download else ""
        return InputError(f"{what} is not under {self.request.root}; {self.where}{fetch}, or set data.root")

    def find(self, *places: str) -> Path | None:
        """The first of some paths below the root that is there."""
        return next((path for place in places if (path := self.request.root / place).exists()), None)

    def pixels(self, image: Image.Image) -> np.ndarray:
        """An image as the user asked for it, uint8 ``(C, H, W)``."""
        request = self.request
        size, channels = request.image_size or self.usual_size, request.channels or self.usual_channels
        return to_pixels(image, size, channels, request.crop)

    def of_files(self, container: Container, names: Sequence[str], labels: np.ndarray | None = None, **rest: Any) -> Samples:
        """Samples of images in a folder or an archive, cut as ``pixels`` does, and what else ``Samples`` have."""
        return Samples(len(names), lambda i: container.image(names[i], self.pixels), labels, files=names, **rest)

    def of_arrays(
        self, images: np.ndarray, labels: np.ndarray | None = None, description: Description | None = None
    ) -> Samples:
        """Samples of images that are in memory, uint8 ``(N, H, W)`` or ``(N, H, W, 3)``."""
        description = description or self.description
        channels = 1 if images.ndim == 3 else images.shape[3]
        sides = {*images.shape[1:3], self.request.image_size or self.usual_size or images.shape[1]}
        if len(sides) == 1 and channels in (1, 3) and self.request.channels in (None, channels) and self.request.crop is None:
            planes = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
            return Samples(len(images), planes.__getitem__, labels, description=description)
        return Samples(len(images), lambda i: self._cut(images, i), labels, description=description)

    def _cut(self, images: np.ndarray, number: int) -> np.ndarray:
        try:
            return self.pixels(Image.fromarray(images[number]))
        except InputError as error:
            raise InputError(f"image {number} of {self.name}: {error}") from error


class Points(Dataset):
    """A dataset of points, made and not read: it needs no files and no pack.

    Attributes:
        centres: float32 ``(modes, 2)`` in data units, ``None`` where there are no modes.
        std: standard deviation of each mode and axis.
    """

    centres: np.ndarray | None = None
    std: float | None = None

    def points(self, split: str) -> tuple[np.ndarray, np.ndarray | None]:
        """float32 ``(N, 2)`` in data units, and int64 labels ``(N,)`` or ``None``."""
        raise NotImplementedError


def all_sources() -> Iterator[type[Source] | type[Points]]:
    """The class of every file of ``sources/``; those for any path come last, for a name wins over a folder called the same."""
    package = importlib.import_module("lightning_gans.data.sources")
    names = sorted(
        (found.name for found in pkgutil.iter_modules(package.__path__)), key=lambda name: (name in ("captions", "files"), name)
    )
    for name in names:
        yield importlib.import_module(f"{package.__name__}.{name}").SOURCE


def find_source(request: Request) -> Source | Points:
    """The source that answers to the request.

    Raises:
        InputError: none does; names those that there are.
    """
    names: list[str] = []
    for source in all_sources():
        if source.answers_to(request):
            return source(request)
        names += source.names()
    raise InputError(
        f"there is no dataset {request.dataset!r}{near(request.dataset, names)}; name one of {', '.join(sorted(names))}, "
        "or give the path of a folder, zip, tar or .npz of images"
    )


def stamp(*files: Path) -> dict[str, list[int]]:
    """Size and time of change of files: what a fingerprint is usually made of."""
    return {file.name: [(status := file.stat()).st_size, status.st_mtime_ns] for file in files}


def check_md5(file: Path, content: Any, expected: str) -> None:
    """Refuse a file whose content, open in binary mode, is not the original."""
    md5 = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if md5 != expected:
        raise InputError(f"{file} is not the original: its md5 is {md5} instead of {expected}; get it anew")


def encode_captions(captions: list[list[str]]) -> np.ndarray:
    """Captions as UTF-8 bytes padded with zeros, uint8 ``(N, K, L)``: K captions an image, the fewer repeated.

    Raises:
        InputError: an image has no caption.
    """
    for number, texts in enumerate(captions):
        if not texts:
            raise InputError(f"image {number} has no caption; write one, or remove the image")
    count = max(map(len, captions))
    encoded = [texts[k % len(texts)].encode() for texts in captions for k in range(count)]
    length = max(map(len, encoded))
    checks.fits_memory(
        f"a caption of {length:,} bytes, to which all {len(encoded):,} are filled up,", 3 * length * len(encoded)
    )
    padded = b"".join(text.ljust(length, b"\0") for text in encoded)
    return np.frombuffer(padded, np.uint8).reshape(len(captions), count, length).copy()


def decode_caption(codes: Any) -> str:
    """The text of one row of bytes, as in a batch's conditions."""
    return bytes(int(code) for code in codes).rstrip(b"\0").decode()
