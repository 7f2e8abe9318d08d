"""Files by name, whether they lie in a folder, a zip or a tar; archives are read and never unpacked."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image, UnidentifiedImageError

from lightning_gans.data.pixels import UNREADABLE, decode
from lightning_gans.errors import InputError

ARCHIVES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz"}
IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}


class Container:
    """The files below a folder or in an archive, but for hidden ones.

    Args:
        path: of the folder, zip or tar.
        below: look only at what is below this folder inside, and name it from there.
        advice: what else to do about an image that cannot be read.

    Attributes:
        names: of the files, sorted, with ``/`` between folders; a folder is listed when they are first asked for.

    Raises:
        InputError: the archive is damaged, or names a place outside itself.
    """

    def __init__(self, path: Path, below: str = "", advice: str = "") -> None:
        self.path, self._advice = path, advice
        self._prefix = f"{below}/" if below else ""
        self._all, self._read = self._opened()

    @cached_property
    def names(self) -> list[str]:
        names = (name for name in self._all() if not is_hidden(name))
        return sorted({name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix)})

    def has(self, name: str) -> bool:
        """Whether there is such a file, told without listing a folder."""
        return (self.path / self._prefix / name).is_file() if self.path.is_dir() else name in self.names

    def read(self, name: str) -> bytes:
        """The content of a file; may be called from several threads."""
        return self._read(self._prefix + name)

    def image(self, name: str) -> Image.Image:
        """The image in a file.

        Raises:
            InputError: it cannot be read as one.
        """
        try:
            return decode(self.read(name))
        except UNREADABLE as error:
            why = "it is none" if isinstance(error, UnidentifiedImageError) else error
            raise InputError(f"{name} in {self.path} cannot be read as an image ({why}); replace it{self._advice}") from error

    def is_readable(self, name: str) -> bool:
        """Whether ``image`` can read it."""
        try:
            self.image(name)
        except InputError:
            return False
        return True

    def images(self) -> list[str]:
        """The names of all that are called like an image."""
        return [name for name in self.names if is_image(name)]

    def _opened(self) -> tuple[Callable[[], list[str]], Callable[[str], bytes]]:
        """How to list all files, and how to read one."""
        if self.path.is_dir():
            return lambda: [name for name, _ in _files(self.path)], lambda name: (self.path / name).read_bytes()
        try:
            if zipfile.is_zipfile(self.path):
                archive = zipfile.ZipFile(self.path)
                names = self._inside([info.filename for info in archive.infolist() if not info.is_dir()])
                return lambda: names, archive.read
            tar = _open_tar(self.path)
            kept = [member for member in tar.getmembers() if member.isfile() or member.islnk() or member.issym()]
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
            why = str(error).partition("\n")[0].rstrip(":")
            raise InputError(f"{self.path} is not a readable zip or tar ({why}); make it anew") from error
        members = {member.name.removeprefix("./"): member for member in kept}
        lock = threading.Lock()

        def read(name: str) -> bytes:
            with lock:
                try:
                    file = tar.extractfile(members[name])
                except KeyError as error:
                    raise OSError(f"the link leads nowhere: {error}") from error
                assert file is not None
                return file.read()

        inside = self._inside([*members])
        return lambda: inside, read

    def _inside(self, names: list[str]) -> list[str]:
        for name in names:
            if name.startswith("/") or ".." in PurePosixPath(name).parts:
                raise InputError(f"{self.path} names a file outside itself ({name}); do not trust it, get another")
        return names


def is_hidden(name: str) -> bool:
    """Whether a file, or a folder that it is in, is not for people to see."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def is_image(name: str) -> bool:
    """Whether a file is called like an image."""
    return PurePosixPath(name).suffix.lower() in IMAGES


class ImageTree:
    """The images below a folder, looked for no further than to tell its classes and to find one of them.

    Args:
        path: of the whole folder.
        inside: look only at what is below this folder inside; images are named from ``path`` all the same.

    Attributes:
        has_own: there is an image in the folder itself; then nothing else is looked at.
        tops: the folders in it that have an image below them, sorted.
    """

    def __init__(self, path: Path, inside: str = "") -> None:
        self.path, self._inside = path, inside
        self._seen = {os.path.realpath(path / inside)}
        self._folders: list[str] = []
        self.has_own = False
        for name, is_folder in _visible(path / inside):
            if is_folder:
                self._folders.append(name)
            elif is_image(name):
                self.has_own = True
                return

    @cached_property
    def tops(self) -> list[str]:
        return [name for name in sorted(self._folders) if next(self._images(self._name(name), {*self._seen}), None)]

    def below(self, top: str) -> ImageTree:
        """The images of one of the folders in it."""
        return ImageTree(self.path, self._name(top))

    def names(self) -> Iterator[str]:
        """All images, those first that are found first."""
        return self._images(self._inside, set())

    def _name(self, name: str) -> str:
        return f"{self._inside}/{name}" if self._inside else name

    def _images(self, inside: str, seen: set[str]) -> Iterator[str]:
        real = os.path.realpath(self.path / inside)
        if real in seen:  # a link that leads back
            return
        seen.add(real)
        folders = []
        for name, is_folder in _visible(self.path / inside):
            whole = f"{inside}/{name}" if inside else name
            if is_folder:
                folders.append(whole)
            elif is_image(name):
                yield whole
        for folder in sorted(folders):
            yield from self._images(folder, seen)


def _visible(folder: Path) -> Iterator[tuple[str, bool]]:
    """What is in a folder and not hidden, and whether it is one itself, as the file system has it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_hidden(entry.name) and (entry.is_dir() or entry.is_file()):
                yield entry.name, entry.is_dir()


def _open_tar(path: Path) -> tarfile.TarFile:
    """A tar that can be read in any order: one that is compressed is unpacked to a temporary file, which has no name."""
    tar = tarfile.open(path)  # noqa: SIM115
    stream: Any = tar.fileobj
    if not hasattr(stream, "decompress") and type(stream).__module__ not in ("gzip", "bz2", "lzma"):
        return tar
    plain = tempfile.TemporaryFile()  # noqa: SIM115
    stream.seek(0)
    shutil.copyfileobj(stream, plain)
    tar.close()
    plain.seek(0)
    return tarfile.open(fileobj=plain, mode="r:")


def _files(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below a folder, also behind links, by its name from there."""
    seen = set()
    for folder, folders, files in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        inside = os.path.relpath(folder, path)
        for name in sorted(files):
            file = os.path.join(folder, name)
            if os.path.isfile(file):
                yield (name if inside == "." else f"{Path(inside).as_posix()}/{name}"), os.stat(file)


def fingerprint(path: Path) -> dict[str, Any] | None:
    """Size and time of change of an archive, or of all files below a folder; ``None`` where there is neither."""
    if not path.exists():
        return None
    if path.is_file():
        status = path.stat()
        return {path.name: [status.st_size, status.st_mtime_ns]}
    digest, count = hashlib.sha256(), 0
    for name, status in _files(path):
        digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode(errors="surrogateescape"))
        count += 1
    return {"files": count, "sha256": digest.hexdigest()}
