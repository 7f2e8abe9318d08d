"""Files by name, whether they lie in a folder, a zip or a tar; archives are read and never unpacked."""

from __future__ import annotations

import hashlib
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from lightning_gans.data.pixels import UNREADABLE, decode
from lightning_gans.errors import InputError

ARCHIVES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz"}
IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}


class Container:
    """The files below a folder or in an archive, but for hidden ones.

    Args:
        path: of the folder, zip or tar.
        below: look only at what is below this folder inside, and name it from there.

    Attributes:
        names: of the files, sorted, with ``/`` between folders.

    Raises:
        InputError: the archive is damaged, or names a place outside itself.
    """

    def __init__(self, path: Path, below: str = "") -> None:
        self.path = path
        self._prefix = f"{below}/" if below else ""
        names, self._read = self._opened()
        visible = (name for name in names if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts))
        self.names = sorted(name.removeprefix(self._prefix) for name in visible if name.startswith(self._prefix))

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
            raise InputError(
                f"{name} in {self.path} cannot be read as an image ({error}); replace it, or set data.skip_unreadable to true"
            ) from error

    def is_readable(self, name: str) -> bool:
        """Whether ``image`` can read it."""
        try:
            self.image(name)
        except InputError:
            return False
        return True

    def images(self) -> list[str]:
        """The names of all that are called like an image."""
        return [name for name in self.names if PurePosixPath(name).suffix.lower() in IMAGES]

    def _opened(self) -> tuple[list[str], Callable[[str], bytes]]:
        if self.path.is_dir():
            files = [f.relative_to(self.path).as_posix() for f in self.path.rglob("*") if f.is_file()]
            return files, lambda name: (self.path / name).read_bytes()
        lock = threading.Lock()
        try:
            if zipfile.is_zipfile(self.path):
                archive = zipfile.ZipFile(self.path)
                return self._inside([info.filename for info in archive.infolist() if not info.is_dir()]), archive.read
            tar = tarfile.open(self.path)  # noqa: SIM115
            members = {member.name.removeprefix("./"): member for member in tar.getmembers() if member.isfile()}
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
            raise InputError(f"{self.path} is not a readable zip or tar ({error}); make it anew") from error

        def read(name: str) -> bytes:
            with lock:
                file = tar.extractfile(members[name])
                assert file is not None
                return file.read()

        return self._inside([*members]), read

    def _inside(self, names: list[str]) -> list[str]:
        for name in names:
            if name.startswith("/") or ".." in PurePosixPath(name).parts:
                raise InputError(f"{self.path} names a file outside itself ({name}); do not trust it, get another")
        return names


def fingerprint(path: Path) -> dict[str, Any] | None:
    """Size and time of change of an archive, or of all files below a folder; ``None`` where there is neither."""
    if not path.exists():
        return None
    if path.is_file():
        status = path.stat()
        return {path.name: [status.st_size, status.st_mtime_ns]}
    digest, count = hashlib.sha256(), 0
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            status = os.stat(os.path.join(folder, name))
            digest.update(
                f"{folder[len(str(path)) :]}/{name} {status.st_size} {status.st_mtime_ns}\n".encode(errors="surrogateescape")
            )
            count += 1
    return {"files": count, "sha256": digest.hexdigest()}
