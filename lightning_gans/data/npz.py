"""An .npz of plain arrays, whose headers are believed only where they agree with what is stored."""

from __future__ import annotations

import math
import zipfile
from functools import cached_property
from pathlib import Path

import numpy as np

from lightning_gans import checks
from lightning_gans.data.folder import shown
from lightning_gans.errors import InputError


class Npz:
    """The arrays of a file by name.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def names(self) -> list[str]:
        """Of all arrays.

        Raises:
            InputError: this is no .npz.
        """
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                return list(stored.files)
        except Exception as error:  # a damaged file may raise anything
            raise self._unreadable(error) from error

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Shape and type of an array, without reading it.

        Raises:
            InputError: it cannot be read, or no memory would hold it.
        """
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{name}.npy") as file:
                read = np.lib.format.read_array_header_1_0
                read = read if np.lib.format.read_magic(file) == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(file)
                size = math.prod(shape) * dtype.itemsize
                there = archive.getinfo(f"{name}.npy").file_size - file.tell()
            if size != there and not dtype.hasobject:
                raise ValueError(f"{name} has {there:,} bytes, but should have {size:,}")
        except Exception as error:  # a damaged file may raise anything
            raise self._unreadable(error) from error
        checks.fits_memory(f"{name} in {shown(self.path)}", size)
        return shape, dtype

    def read(self, *names: str) -> dict[str, np.ndarray]:
        """Those of some arrays that there are.

        Raises:
            InputError: one cannot be read, or no memory would hold it.
        """
        there = [name for name in names if name in self.names]
        for name in there:
            self.header(name)
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                return {name: stored[name] for name in there}
        except Exception as error:  # a damaged file may raise anything
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> InputError:
        why = " ".join(str(error).partition(". ")[0].split()).rstrip(".") or type(error).__name__
        return InputError(f"{shown(self.path)} is not a readable .npz of plain arrays ({why}); save it anew with numpy.savez")
