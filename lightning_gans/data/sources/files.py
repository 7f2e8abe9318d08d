"""One's own images: a folder, a zip, a tar or an .npz, whatever is in it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lightning_gans.data.archive import ARCHIVES
from lightning_gans.data.container import Container
from lightning_gans.data.description import Description, Preview
from lightning_gans.data.folder import IMAGES, ImageTree, fingerprint, shown
from lightning_gans.data.npz import Npz
from lightning_gans.data.source import Request, Samples, Source
from lightning_gans.errors import InputError
from lightning_gans.networks.suggest import ConditionKind
from lightning_gans.suggestions import near

_SPLITS = {"train": "train", "test": "test", "val": "valid", "valid": "valid", "validation": "valid"}


class Files(Source):
    """Images in a folder or an archive, in the order of their names.

    If all of them lie in subfolders, the name of the first subfolder is the class. Where there is ``train`` at the top, it is a
    split, and so are ``test`` and ``val`` (or ``valid``, ``validation``) beside it; ``val`` is for testing if it is alone.

    An ``.npz`` holds ``images`` (N, H, W) or (N, H, W, C) of uint8 and perhaps ``labels`` and the names of the ``classes`` that
    these count, or ``train_images``, ``test_images`` and so on.
    """

    path: Path

    def __init__(self, request: Request, path: Path | None = None) -> None:
        super().__init__(request)
        given = Path(request.dataset)
        self.path = path or (given if given.exists() else request.root / given)
        if path is None:
            self.name = self.path.name.partition(".")[0] or "images"

    @classmethod
    def answers_to(cls, request: Request) -> bool:
        path = Path(request.dataset)
        if there := next((place for place in (path, request.root / path) if place.exists()), None):
            if not (there.is_dir() or there.is_file()):
                raise InputError(
                    f"{shown(there)} is neither a folder nor a regular file; give the path of a folder, zip or tar"
                )
            return True
        if path.suffix in ARCHIVES | {".npz"} or len(path.parts) > 1:
            hint = near(request.dataset, map(str, path.parent.glob("*")))
            raise InputError(f"{request.dataset} does not exist{hint}; give the path of a folder, zip, tar or .npz of images")
        return False

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> dict[str, Any] | None:
        return fingerprint(self.path)

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        if self._is_npz:
            return ("train", "test") if "test_images" in self._npz.names else ("train",)
        return tuple(self._rows_of_splits)

    def samples(self, split: str) -> Samples:
        if self._is_npz:
            return self._arrays(split)
        container, images = self._opened, self._images
        classes, labels = _classes([self._without_split(name) for name in images])  # of all splits together
        chosen = np.array(self._rows_of_splits[split], np.int64)
        kept, note = self._kept([images[number] for number in chosen])
        chosen = chosen[kept]
        labels = None if labels is None else labels[chosen]
        names = [images[number] for number in chosen]
        return self.of_files(container, names, labels, description=Description(classes, note=note))

    def _kept(self, names: Sequence[str]) -> tuple[np.ndarray, str]:
        """Which of some images can be read, where others are to be left out, bool ``(len(names),)``; and the note on that."""
        if not self.request.skip_unreadable:
            return np.ones(len(names), bool), ""
        readable = self._opened.are_readable(names, self.pixels)
        left_out = len(names) - int(readable.sum())
        return readable, f"{left_out:,} left out that cannot be read" if left_out else ""

    def glance(self, split: str) -> Preview | None:
        if not self.path.exists() or split != "train":
            return None
        if self._is_npz:
            return self._glance_npz()
        return self._glance_folder() if self.path.is_dir() else None

    def _glance_npz(self) -> Preview:
        image_key, label_keys = self._keys("train")
        of_one = self._check_images(image_key)[1:]
        of_one = of_one[:2] if of_one[2:] == (1,) else of_one
        shape = self.of_arrays(np.zeros((1, *of_one), np.uint8)).image(0).shape
        if not label_keys:
            return Preview(shape, {})
        classes, _ = self._labels(self._npz.read(*label_keys, "classes"), label_keys)
        return Preview(shape, {"labels": ConditionKind("labels", len(classes))})

    def _glance_folder(self) -> Preview:
        self._check_root()
        tree = ImageTree(self.path)
        while not tree.has_own and len(tree.tops) == 1 and tree.tops[0].lower() not in _SPLITS:
            tree = tree.below(tree.tops[0])
        parts = [tree]
        if not tree.has_own and _are_splits({top.lower() for top in tree.tops}, self.path):
            parts = [tree.below(top) for top in sorted(tree.tops, key=lambda top: _SPLITS[top.lower()] != "train")]
        classes = set() if any(part.has_own for part in parts) else {top for part in parts for top in part.tops}
        kinds = {"labels": ConditionKind("labels", len(classes))} if len(classes) > 1 else {}
        container = Container(self.path, skips=self.request.skip_unreadable)
        for name in parts[0].names():
            if not self.request.skip_unreadable or container.are_readable([name], self.pixels).all():
                return Preview(container.image(name, self.pixels).shape, kinds)
        raise self._no_image()

    @property
    def _is_npz(self) -> bool:
        return self.path.suffix.lower() == ".npz"

    @cached_property
    def _npz(self) -> Npz:
        return Npz(self.path)

    @cached_property
    def _opened(self) -> Container:
        """The container, from within the folders that all images in it may be wrapped in."""
        if not self.path.exists():
            raise self.missing(f"the folder {self.path.name}")
        self._check_root()
        container = Container(self.path, skips=self.request.skip_unreadable)
        while True:
            names = self._counted(container)
            tops = {name.partition("/")[0] for name in names}
            if len(tops) != 1 or "/" not in names[0] or tops.pop().lower() in _SPLITS:
                return container
            container = container.below(names[0].partition("/")[0])

    def _check_root(self) -> None:
        if self.path.is_dir() and self.request.root.resolve().is_relative_to(self.path.resolve()):
            raise InputError(f"{self.path} holds data.root, whose packs would be taken for images; give a folder below it")

    def _no_image(self) -> InputError:
        return InputError(f"{self.path} holds no image; put some there ({', '.join(sorted(IMAGES))})")

    def _counted(self, container: Container) -> list[str]:
        """The files that matter when one looks what everything is wrapped in."""
        return container.images()

    @cached_property
    def _images(self) -> list[str]:
        container = self._opened
        images = container.images()
        if not images:
            raise self._no_image()
        if len(images) < len(container.names) and not self.request.skip_unreadable:
            other = next(name for name in container.names if name not in set(images))
            raise InputError(
                f"{shown(other)} in {shown(self.path)} is not an image; remove it, or set data.skip_unreadable to true"
            )
        return images

    @cached_property
    def _is_divided(self) -> bool:
        """Whether the folders at the top are splits."""
        return _are_splits({PurePosixPath(name).parts[0].lower() if "/" in name else name for name in self._images}, self.path)

    @cached_property
    def _rows_of_splits(self) -> dict[str, list[int]]:
        """The number of every image of each split."""
        rows: dict[str, list[int]] = {}
        for number, name in enumerate(self._images):
            rows.setdefault(_SPLITS[name.partition("/")[0].lower()] if self._is_divided else "train", []).append(number)
        if "valid" in rows and "test" not in rows:
            rows["test"] = rows.pop("valid")
        return rows

    def _without_split(self, name: str) -> str:
        return name.partition("/")[2] if self._is_divided else name

    def _keys(self, split: str) -> tuple[str, list[str]]:
        """What the images of a split are stored as, and the labels of all splits, if there are any."""
        names = self._npz.names
        divided = "train_images" in names or "test_images" in names
        needed = [f"{part}_images" for part in self.splits] if divided else ["images"]
        labels = [name for name in names if name.endswith("labels")]
        expected = [name.replace("images", "labels") for name in needed]
        if any(name not in names for name in needed) or (labels and sorted(labels) != sorted(expected)):
            raise InputError(
                f"{self.path} must hold 'images' and perhaps 'labels', or 'train_images', 'test_images' and labels of both; "
                f"it has {', '.join(names) or 'nothing'}"
            )
        return f"{split}_images" if divided else "images", expected if labels else []

    def _arrays(self, split: str) -> Samples:
        image_key, label_keys = self._keys(split)
        self._check_images(image_key)
        stored = self._npz.read(image_key, *label_keys, "classes")
        images = stored[image_key]
        images = images[..., 0] if images.shape[3:] == (1,) else images
        if not label_keys:
            return self.of_arrays(images)
        classes, labels = self._labels(stored, label_keys)
        own = labels[image_key.replace("images", "labels")]
        if len(own) != len(images):
            raise InputError(f"{self.path} holds {len(images)} images but {len(own)} labels; save it anew")
        return self.of_arrays(images, own, Description(classes))

    def _check_images(self, name: str) -> tuple[int, ...]:
        """The shape of the images in an .npz, if they are any."""
        shape, dtype = self._npz.header(name)
        if dtype != np.uint8 or len(shape) < 3 or shape[3:] not in ((), (1,), (2,), (3,), (4,)) or 0 in shape[1:]:
            raise InputError(
                f"{self.path} must hold '{name}' of uint8 (N, H, W) or (N, H, W, C), the last of 2 or 4 channels alpha; "
                f"it has {name} {dtype} {shape}"
            )
        return shape

    def _labels(self, stored: dict[str, Any], names: list[str]) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
        """Names of the classes and labels that count them, which mean the same in every split."""
        for name in names:
            if stored[name].ndim != 1 or stored[name].dtype.kind not in "iu":
                raise InputError(
                    f"{self.path} has {name} of {stored[name].dtype} {stored[name].shape}; save an integer for each image"
                )
        values, every = np.unique(np.concatenate([stored[name] for name in names]), return_inverse=True)
        classes = [c.decode() if isinstance(c, bytes) else str(c) for c in np.ravel(stored.get("classes", values))]
        if "classes" in stored:
            if not 0 <= values.min() <= values.max() < len(classes) or len({*classes}) < len(classes):
                raise InputError(
                    f"the classes in {self.path} must be different names, one for each label from 0 on; save it anew"
                )
            every = values[every]
        parts = np.split(every.astype(np.int64), np.cumsum([len(stored[name]) for name in names])[:-1])
        return tuple(classes), dict(zip(names, parts, strict=True))


def _are_splits(tops: set[str], path: Path) -> bool:
    """Whether what is at the top of ``path``, folders in lower case, are splits."""
    if "train" not in tops or not (tops <= {*_SPLITS} or (tops - {"train"}) & {*_SPLITS}):
        return False
    if other := tops - {*_SPLITS}:
        raise InputError(f"{path} has {min(other)} beside train and {min(tops & {*_SPLITS} - {'train'})}; move it away")
    return True


def _classes(names: list[str]) -> tuple[tuple[str, ...], np.ndarray | None]:
    """The first folder of every name, and the number of each."""
    if not all("/" in name for name in names):
        return (), None
    tops = [name.partition("/")[0] for name in names]
    classes = tuple(sorted({*tops}))
    number = {name: position for position, name in enumerate(classes)}
    return (classes, np.array([number[top] for top in tops], np.int64)) if len(classes) > 1 else ((), None)


SOURCE = Files
