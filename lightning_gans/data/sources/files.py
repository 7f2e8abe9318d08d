"""One's own images: a folder, a zip, a tar or an .npz, whatever is in it."""

from __future__ import annotations

import io
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lightning_gans.data.source import Request, Samples, Source, to_pixels
from lightning_gans.errors import InputError

_IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
_UNREADABLE = (
    *(UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError),
    *(zipfile.BadZipFile, zlib.error, RuntimeError),  # an archive that is damaged or encrypted
)
_ARCHIVES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz"}


class Files(Source):
    """Images in a folder or an archive, in the order of their names.

    If all of them lie in subfolders, the name of the first subfolder is the class; ``train`` and ``test`` (or ``val``) at the
    top are taken for the splits. Without such a split the test images are the training images. An ``.npz`` holds ``images``
    (N, H, W) or (N, H, W, C) of uint8 and perhaps ``labels``, or ``train_images``, ``test_images`` and so on.
    """

    path: Path

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.path = Path(request.dataset)
        if not self.path.exists():
            self.path = request.root / request.dataset
        self.name = self.path.name.partition(".")[0] or "images"

    @classmethod
    def answers_to(cls, request: Request) -> bool:
        path = Path(request.dataset)
        if path.exists() or (request.root / path).exists():
            return True
        if path.suffix in _ARCHIVES | {".npz"} or len(path.parts) > 1:
            raise InputError(f"{request.dataset} does not exist; give the path of a folder, zip, tar or .npz of images")
        return False

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        if self.path.is_file():
            status = self.path.stat()
            return {self.path.name: [status.st_size, status.st_mtime_ns]}
        entries = [(str(f.relative_to(self.path)), f.stat()) for f in sorted(self.path.rglob("*")) if f.is_file()]
        return {name: [status.st_size, status.st_mtime_ns] for name, status in entries}

    def samples(self, split: str) -> Samples:
        if self.path.suffix == ".npz":
            return self._arrays(split)
        names, read = self._open()
        names = [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)]
        names = self._only_images(names)
        chosen = _of_split(names, split)
        both = list(dict.fromkeys(_of_split(names, "train") + _of_split(names, "test")))
        wanted = set(chosen)
        self.classes, labels = _classes(both)  # of both splits, so that a label means the same in each
        labels = None if labels is None else labels[[number for number, name in enumerate(both) if name in wanted]]
        size, channels = self.request.image_size, self.request.channels
        if self.request.skip_unreadable:
            readable = np.array([_is_readable(self.path, name, read) for name in chosen])
            chosen = [name for name, keep in zip(chosen, readable, strict=True) if keep]
            labels = None if labels is None else labels[readable]
        return Samples(len(chosen), lambda i: to_pixels(_decode(self.path, chosen[i], read), size, channels), labels)

    def _open(self) -> tuple[list[str], Callable[[str], bytes]]:
        """The names of all files inside, sorted, and a reader of any of them."""
        if self.path.is_dir():
            files = sorted(f.relative_to(self.path).as_posix() for f in self.path.rglob("*") if f.is_file())
            return files, lambda name: (self.path / name).read_bytes()
        lock = threading.Lock()
        try:
            if zipfile.is_zipfile(self.path):
                archive = zipfile.ZipFile(self.path)
                return sorted(i.filename for i in archive.infolist() if not i.is_dir()), archive.read
            tar = tarfile.open(self.path)  # noqa: SIM115
            members = {member.name: member for member in tar.getmembers() if member.isfile()}
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
            raise InputError(f"{self.path} is not a readable zip or tar ({error}); make it anew") from error

        def read(name: str) -> bytes:
            with lock:
                file = tar.extractfile(members[name])
                assert file is not None
                return file.read()

        return sorted(members), read

    def _only_images(self, names: list[str]) -> list[str]:
        images = [name for name in names if PurePosixPath(name).suffix.lower() in _IMAGES]
        if not images:
            raise InputError(f"{self.path} holds no image; put some there ({', '.join(sorted(_IMAGES))})")
        if len(images) < len(names) and not self.request.skip_unreadable:
            other = next(name for name in names if name not in set(images))
            raise InputError(f"{other} in {self.path} is not an image; remove it, or set data.skip_unreadable to true")
        return images

    def _arrays(self, split: str) -> Samples:
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                prefix = next((p for p in (f"{split}_", "", "train_") if f"{p}images" in stored.files), "")
                arrays = {key: stored[prefix + key] for key in ("images", "labels") if prefix + key in stored.files}
        except (ValueError, TypeError, OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            why = str(error).partition(".")[0]
            raise InputError(
                f"{self.path} is not a readable .npz of plain arrays ({why}); save it anew with numpy.savez"
            ) from error
        images, labels = arrays.get("images"), arrays.get("labels")
        if images is None or images.dtype != np.uint8 or images.ndim < 3 or images.shape[3:] not in ((), (1,), (3,), (4,)):
            raise InputError(
                f"{self.path} must hold 'images' of uint8 (N, H, W) or (N, H, W, C); it has "
                f"{', '.join(f'{key} {value.dtype} {value.shape}' for key, value in arrays.items()) or 'nothing'}"
            )
        if labels is not None and len(labels) != len(images):
            raise InputError(f"{self.path} holds {len(images)} images but {len(labels)} labels; save it anew")
        if images.ndim == 4 and images.shape[-1] == 1:
            images = images[..., 0]
        size, channels = self.request.image_size, self.request.channels
        labels = None if labels is None else labels.astype(np.int64)
        return Samples(len(images), lambda i: to_pixels(Image.fromarray(images[i]), size, channels), labels)


def _of_split(names: list[str], split: str) -> list[str]:
    tops = {"train": ("train",), "test": ("test", "val")}
    if not any(PurePosixPath(name).parts[0] == "train" for name in names):
        return names
    chosen = [name for name in names if PurePosixPath(name).parts[0] in tops[split]]
    return chosen or names


def _classes(names: list[str]) -> tuple[tuple[str, ...], np.ndarray | None]:
    parents = [[p for p in PurePosixPath(name).parts[:-1] if p not in ("train", "test", "val")] for name in names]
    if not all(parents):
        return (), None
    classes = tuple(sorted({folders[0] for folders in parents}))
    if len(classes) < 2:
        return (), None
    return classes, np.array([classes.index(folders[0]) for folders in parents], np.int64)


def _decode(path: Path, name: str, read: Callable[[str], bytes]) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(read(name)))
        image.load()
        return ImageOps.exif_transpose(image)
    except _UNREADABLE as error:
        raise InputError(
            f"{name} in {path} cannot be read as an image ({error}); replace it, or set data.skip_unreadable to true"
        ) from error


def _is_readable(path: Path, name: str, read: Callable[[str], bytes]) -> bool:
    try:
        _decode(path, name, read)
    except InputError:
        return False
    return True


SOURCE = Files
