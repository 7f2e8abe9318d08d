"""Files by name, whether they lie in a folder, a zip or a tar."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from lightning_gans.data.archive import Archive, open_archive
from lightning_gans.data.folder import is_hidden, is_image, problem, shown, walk
from lightning_gans.data.pixels import decode
from lightning_gans.errors import InputError


class Container:
    """The files below a folder or in an archive, but for hidden ones.

    Args:
        path: of the folder, zip or tar.
        below: look only at what is below this folder inside, and name it from there.
        skips: whether the user wants what is no image to be left out, ``None`` where that cannot be asked for.
        opened: what is in it, if that is known already.

    Attributes:
        names: of the files, sorted, with ``/`` between folders; a folder is listed when they are first asked for.

    Raises:
        InputError: the archive is damaged, or names a place outside itself; of ``names``, one of them is no file that can be
            read, such as a link that leads nowhere, and is not to be left out.
    """

    def __init__(self, path: Path, below: str = "", skips: bool | None = None, opened: Archive | None = None) -> None:
        self.path, self._skips = path, skips
        self._prefix = f"{below}/" if below else ""
        self._archive = opened or (_folder(path) if path.is_dir() else open_archive(path))

    def below(self, folder: str) -> Container:
        """The files below one of the folders in it; nothing is opened again."""
        return Container(self.path, f"{self._prefix}{folder}", self._skips, self._archive)

    @cached_property
    def names(self) -> list[str]:
        problems = self._archive.problems()
        names = [name for name in problems if name.startswith(self._prefix) and not is_hidden(name)]
        wrong = next((name for name in names if problems[name]), None)
        if wrong is not None and not self._skips:
            raise InputError(f"{self._called(wrong)} cannot be read: {problems[wrong]}; mend it or remove it{self._advice}")
        return sorted(name.removeprefix(self._prefix) for name in names)

    def has(self, name: str) -> bool:
        """Whether there is such a file, told without listing a folder."""
        return (self.path / self._prefix / name).is_file() if self.path.is_dir() else name in self.names

    def read(self, name: str) -> bytes:
        """The content of a file; may be called from several threads.

        Raises:
            InputError: it cannot be read.
        """
        try:
            return self._archive.read(self._prefix + name)
        except Exception as error:  # what takes archives apart may raise anything
            raise InputError(f"{self._called(name)} cannot be read ({_reason(error)}); mend it or get it anew") from error

    def image(self, name: str, cut: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
        """The pixels that ``cut`` makes of the image in a file.

        Raises:
            InputError: it cannot be read as one, or ``cut`` refuses it; says which it is.
        """
        try:
            return cut(decode(self._archive.read(self._prefix + name)))
        except InputError as error:
            raise InputError(f"{self._called(name)}: {error}{self._advice}") from error
        except Exception as error:  # a damaged image may raise anything
            called = self._called(name)
            raise InputError(f"{called} cannot be read as an image ({_reason(error)}); replace it{self._advice}") from error

    def are_readable(self, names: Sequence[str], cut: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
        """Whether ``image`` can read each of them, bool ``(len(names),)``."""

        def is_readable(name: str) -> bool:
            try:
                self.image(name, cut)
            except InputError:
                return False
            return True

        with ThreadPoolExecutor() as pool:
            return np.fromiter(tqdm(pool.map(is_readable, names), "looking at images", len(names), delay=5), bool, len(names))

    def images(self) -> list[str]:
        """The names of all that are called like an image."""
        return [name for name in self.names if is_image(name)]

    @property
    def _advice(self) -> str:
        return "" if self._skips is None else ", or set data.skip_unreadable to true"

    def _called(self, name: str) -> str:
        return f"{shown(name)} in {shown(self.path)}"


def _folder(path: Path) -> Archive:
    """A folder in the form of an archive; it is listed when somebody asks."""

    def read(name: str) -> bytes:
        if why := problem(name, os.stat(path / name)):
            raise OSError(why)
        return (path / name).read_bytes()

    return Archive(cache(lambda: {file.name: file.problem for file in walk(path)}), read)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is none"
    return " ".join(str(error).split()) or type(error).__name__
