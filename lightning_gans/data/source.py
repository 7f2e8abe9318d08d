"""What a dataset is made of, before it is packed. Each file of ``sources/`` has one class that answers to some names."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lightning_gans.errors import InputError


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes:
        dataset: a name, or the path of one's own images.
        root: where the datasets' files are.
        image_size: wanted side in pixels, ``None`` for the images' own.
        channels: 1 for grey, 3 for colour, ``None`` for the images' own.
        skip_unreadable: leave out what is not an image instead of refusing.
    """

    dataset: str
    root: Path
    image_size: int | None = None
    channels: int | None = None
    skip_unreadable: bool = False


@dataclass(frozen=True)
class Samples:
    """One split, one sample at a time.

    Attributes:
        size: number of samples.
        image: gives the i-th as uint8 ``(C, H, W)``; called from several threads.
        labels: int64 ``(size,)``, ``None`` where there are none.
    """

    size: int
    image: Callable[[int], np.ndarray]
    labels: np.ndarray | None = None


class Source:
    """One dataset.

    Args:
        request: what the user asked for.

    Attributes:
        name: names the dataset in logs and its pack.
        classes: the classes that labels count, in order; empty where there are none.
        path: of the user's own images, ``None`` for a dataset that has a name.
    """

    name: str
    classes: tuple[str, ...] = ()
    path: Path | None = None

    def __init__(self, request: Request) -> None:
        self.request = request

    @classmethod
    def answers_to(cls, request: Request) -> bool:
        """Whether this is the class for ``request``."""
        raise NotImplementedError

    @classmethod
    def names(cls) -> list[str]:
        """Names to suggest to somebody who mistyped one."""
        return []

    def samples(self, split: str) -> Samples:
        """The split ``train`` or ``test``.

        Raises:
            InputError: a file is missing or damaged; says which and where to get it.
        """
        raise NotImplementedError

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        """What changes when the source's files do, plain values only; ``None`` where the files are not there."""
        raise NotImplementedError


class Points:
    """A dataset of points, made and not read: it needs no files and no pack.

    Attributes:
        centres: float32 ``(modes, 2)`` in data units, ``None`` where there are no modes.
        std: standard deviation of each mode and axis.
    """

    name: str
    centres: np.ndarray | None = None
    std: float | None = None

    def points(self, split: str) -> tuple[np.ndarray, np.ndarray | None]:
        """float32 ``(N, 2)`` in data units, and int64 labels ``(N,)`` or ``None``."""
        raise NotImplementedError


def find_source(request: Request) -> Source | Points:
    """The source that answers to the request.

    Raises:
        InputError: none does; names those that there are.
    """
    package = importlib.import_module("lightning_gans.data.sources")
    names: list[str] = []
    # A dataset's name wins over a folder that happens to be called the same.
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name == "files"):
        source = importlib.import_module(f"{package.__name__}.{found.name}").SOURCE
        if source.answers_to(request):
            return source(request)
        names += source.names()
    raise InputError(
        f"there is no dataset {request.dataset!r}; name one of {', '.join(sorted(names))}, "
        "or give the path of a folder, zip, tar or .npz of images"
    )


def to_pixels(image: Image.Image, size: int | tuple[int, int] | None, channels: int | None) -> np.ndarray:
    """uint8 ``(C, H, W)``: grey or colour, the shorter side scaled to ``size`` and the middle cut out.

    ``size`` is a side or (height, width); ``None`` keeps the image's own.
    """
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))  # Pillow would cut at 255
    channels = channels or (1 if image.mode in ("1", "L") else 3)
    image = image.convert("L" if channels == 1 else "RGB")
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else size
        if image.size != (width, height):
            scale = max(width / image.width, height / image.height)
            scaled = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
            image = image.resize(scaled, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.LANCZOS)
            left, top = (image.width - width) // 2, (image.height - height) // 2
            image = image.crop((left, top, left + width, top + height))
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
