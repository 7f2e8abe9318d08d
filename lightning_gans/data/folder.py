"""The files below a folder: every one of them, or by name the reason why one cannot be had."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from lightning_gans.errors import InputError

IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
_LARGEST = 2**28  # bytes


def is_hidden(name: str) -> bool:
    """Whether a file, or a folder that it is in, is not for people to see."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def is_image(name: str) -> bool:
    """Whether a file is called like an image."""
    return PurePosixPath(name).suffix.lower() in IMAGES


def shown(name: object) -> str:
    """A name as one can print it: with newlines, control characters and bytes that are no text written out."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in str(name))


def problem(name: str, status: os.stat_result) -> str:
    """Why a file cannot be read as a whole, or nothing."""
    if "\\" in name:
        return "its name has a backslash, which Windows writes between folders"
    return too_large(status.st_size) if stat.S_ISREG(status.st_mode) else "it is no regular file"


def too_large(size: int) -> str:
    """What to say of a file of so many bytes if it can be no encoded image; a small archive can hold a huge file of zeros."""
    return f"it has {size / 2**20:,.0f} MiB, which no image takes" if size > _LARGEST else ""


@dataclass(frozen=True)
class Found:
    """A file by its name from the folder down, its size and time of change, and what is wrong with it, or nothing."""

    name: str
    status: os.stat_result
    problem: str = ""


def walk(path: Path, inside: str = "", above: frozenset[str] = frozenset(), in_order: bool = True) -> Iterator[Found]:
    """Every file below a folder that is not hidden, also behind links; the files of a folder come before its subfolders.

    Args:
        path: that names are given from.
        inside: where below it to start.
        above: real paths that a link must not lead back to.
        in_order: of the names; else as the file system has them, and no more of a folder is read than is asked for.

    Raises:
        InputError: a folder cannot be listed.
    """
    waiting = deque([(inside, above)])
    while waiting:
        inside, above = waiting.popleft()
        real = os.path.realpath(path / inside)
        if real in above:  # a link that leads back
            continue
        folders = []
        entries = _entries(path / inside)
        for entry in sorted(entries, key=lambda entry: entry.name) if in_order else entries:
            name = f"{inside}/{entry.name}" if inside else entry.name
            if _is_folder(entry):
                folders.append((name, above | {real}))
            else:
                yield _found(name, entry)
        waiting.extendleft(sorted(folders, reverse=True))


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_hidden(entry.name):
                    yield entry
    except OSError as error:
        raise InputError(
            f"the folder {shown(folder)} cannot be listed ({error.strerror}); make it readable, or move it away"
        ) from error


def _found(name: str, entry: os.DirEntry[str]) -> Found:
    try:
        status = entry.stat()
    except OSError:
        return Found(name, entry.stat(follow_symlinks=False), "it is a link that leads nowhere")
    return Found(name, status, problem(name, status))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


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
        self._folders: list[str] = []
        self.has_own = False
        for entry in _entries(path / inside):
            if _is_folder(entry):
                self._folders.append(entry.name)
            elif is_image(entry.name):
                self.has_own = True
                return

    @cached_property
    def tops(self) -> list[str]:
        return [name for name in sorted(self._folders) if next(self._images(self._name(name)), None)]

    def below(self, top: str) -> ImageTree:
        """The images of one of the folders in it."""
        return ImageTree(self.path, self._name(top))

    def names(self) -> Iterator[str]:
        """All images, those first that are found first."""
        return self._images(self._inside)

    def _name(self, name: str) -> str:
        return f"{self._inside}/{name}" if self._inside else name

    def _images(self, inside: str) -> Iterator[str]:
        above = frozenset({os.path.realpath(self.path / self._inside)} - {os.path.realpath(self.path / inside)})
        return (file.name for file in walk(self.path, inside, above, in_order=False) if is_image(file.name))


def fingerprint(path: Path) -> dict[str, Any] | None:
    """Size and time of change of an archive, or of all files below a folder; ``None`` where there is neither."""
    if not path.exists():
        return None
    if path.is_file():
        status = path.stat()
        return {path.name: [status.st_size, status.st_mtime_ns]}
    digest, count = hashlib.sha256(), 0
    for file in walk(path):
        digest.update(f"{file.name} {file.status.st_size} {file.status.st_mtime_ns}\n".encode(errors="surrogateescape"))
        count += 1
    return {"files": count, "sha256": digest.hexdigest()}
