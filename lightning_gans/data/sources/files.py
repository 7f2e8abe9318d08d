"""One's own images: a folder, a zip, a tar or an .npz, whatever is in it."""

from __future__ import annotations

import zipfile
import zlib
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lightning_gans.data.container import ARCHIVES, IMAGES, Container, fingerprint
from lightning_gans.data.source import Request, Samples, Source
from lightning_gans.errors import InputError

_SPLITS = {"train": ("train",), "test": ("test", "val")}


class Files(Source):
    """Images in a folder or an archive, in the order of their names.

    If all of them lie in subfolders, the name of the first subfolder is the class; ``train`` and ``test`` (or ``val``) at the
    top are taken for the splits. An ``.npz`` holds ``images`` (N, H, W) or (N, H, W, C) of uint8 and perhaps ``labels`` and the
    names of the ``classes`` that these count, or ``train_images``, ``test_images`` and so on.
    """

    path: Path

    def __init__(self, request: Request, path: Path | None = None) -> None:
        super().__init__(request)
        given = Path(request.dataset)
        self.path = path or (given if given.exists() else request.root / given)
        if path is None:
            self.name = self.path.name.partition(".")[0] or "images"
        self._container: Container | None = None

    @classmethod
    def answers_to(cls, request: Request) -> bool:
        path = Path(request.dataset)
        if path.exists() or (request.root / path).exists():
            return True
        if path.suffix in ARCHIVES | {".npz"} or len(path.parts) > 1:
            raise InputError(f"{request.dataset} does not exist; give the path of a folder, zip, tar or .npz of images")
        return False

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> dict[str, Any] | None:
        return fingerprint(self.path)

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        if self.path.suffix == ".npz":
            names = self._stored()
            return ("train", "test") if {"train_images", "test_images"} <= {*names} else ("train",)
        return ("train", "test") if len({_split(name) for name in self._images()}) == 2 else ("train",)

    def samples(self, split: str) -> Samples:
        if self.path.suffix == ".npz":
            return self._arrays(split)
        container, images = self._opened(), self._images()
        self.classes, labels = _classes(images)  # of both splits, so that a label means the same in each
        chosen = [number for number, name in enumerate(images) if len(self.splits) == 1 or _split(name) == split]
        if self.request.skip_unreadable:
            chosen = [number for number in chosen if container.is_readable(images[number])]
        labels = None if labels is None else labels[chosen]
        return Samples(len(chosen), lambda i: self.pixels(container.image(images[chosen[i]])), labels)

    def _opened(self) -> Container:
        """The container, from within the one folder that everything in it may be wrapped in."""
        if not self.path.exists():
            raise self.missing(f"the folder {self.path.name}")
        if self._container is None:
            self._container = Container(self.path)
            tops = {PurePosixPath(name).parts[0] for name in self._container.names}
            if len(tops) == 1 and not tops & {"train", "test", "val"} and "/" in self._container.names[0]:
                self._container = Container(self.path, below=tops.pop())
        return self._container

    def _images(self) -> list[str]:
        container = self._opened()
        images = container.images()
        if not images:
            raise InputError(f"{self.path} holds no image; put some there ({', '.join(sorted(IMAGES))})")
        if len(images) < len(container.names) and not self.request.skip_unreadable:
            other = next(name for name in container.names if name not in set(images))
            raise InputError(f"{other} in {self.path} is not an image; remove it, or set data.skip_unreadable to true")
        return images

    def _stored(self, *wanted: str) -> dict[str, Any]:
        """Everything stored by name; but for what is wanted, not its content."""
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                return {key: stored[key] if key in wanted else None for key in stored.files}
        except (ValueError, TypeError, OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            why = str(error).partition(".")[0]
            raise InputError(
                f"{self.path} is not a readable .npz of plain arrays ({why}); save it anew with numpy.savez"
            ) from error

    def _arrays(self, split: str) -> Samples:
        prefix = next((p for p in (f"{split}_", "", "train_") if f"{p}images" in self._stored()), "")
        stored = self._stored(f"{prefix}images", f"{prefix}labels", "classes")
        images, labels = stored.get(f"{prefix}images"), stored.get(f"{prefix}labels")
        if images is None or images.dtype != np.uint8 or images.ndim < 3 or images.shape[3:] not in ((), (1,), (3,), (4,)):
            arrays = self._stored(*stored).items()
            raise InputError(
                f"{self.path} must hold 'images' of uint8 (N, H, W) or (N, H, W, C); it has "
                f"{', '.join(f'{name} {array.dtype} {array.shape}' for name, array in arrays) or 'nothing'}"
            )
        if labels is not None and (labels.ndim != 1 or labels.dtype.kind not in "iu"):
            raise InputError(f"{self.path} has labels of {labels.dtype} {labels.shape}; save an integer for each image")
        if labels is not None and len(labels) != len(images):
            raise InputError(f"{self.path} holds {len(images)} images but {len(labels)} labels; save it anew")
        self.classes = tuple(map(str, stored.get("classes", ())))
        if labels is not None and self.classes and not 0 <= labels.min() <= labels.max() < len(self.classes):
            raise InputError(f"{self.path} has labels beyond its {len(self.classes)} classes; save it anew")
        if images.ndim == 4 and images.shape[-1] == 1:
            images = images[..., 0]
        return self.of_arrays(images, labels=None if labels is None else labels.astype(np.int64))


def _split(name: str) -> str:
    return "test" if PurePosixPath(name).parts[0] in ("test", "val") else "train"


def _classes(names: list[str]) -> tuple[tuple[str, ...], np.ndarray | None]:
    parents = [[p for p in PurePosixPath(name).parts[:-1] if p not in ("train", "test", "val")] for name in names]
    if not all(parents):
        return (), None
    classes = tuple(sorted({folders[0] for folders in parents}))
    if len(classes) < 2:
        return (), None
    number = {name: position for position, name in enumerate(classes)}
    return classes, np.array([number[folders[0]] for folders in parents], np.int64)


SOURCE = Files
