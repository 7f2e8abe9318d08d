"""One uint8 array a split, written once, memory-mapped ever after, and never used half-written or altered."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn

from lightning_gans.data.description import Description
from lightning_gans.data.source import Samples, Source
from lightning_gans.data.writing import no_space, noted, write_images
from lightning_gans.errors import InputError

_CHUNK = 2**22  # bytes that a digest is made of at a time
_LONGEST = 60  # letters of a name that come into that of its folder
_LAYOUT = {"labels": (np.int64, 1), "attributes": (np.uint8, 2), "captions": (np.uint8, 3)}
_ABANDONED = 24 * 3600  # seconds, after which nobody packs any more
_verified: set[tuple[str, int, int, int]] = set()


@dataclass(frozen=True)
class Pack:
    """A packed split.

    Attributes:
        images: uint8 ``(N, C, H, W)``, memory-mapped, copy on write.
        conditions: what travels with them, see ``Samples``, likewise.
        description: of the dataset.
        digest: of all of it.
        files: that these are mapped from.
    """

    images: np.ndarray
    conditions: dict[str, np.ndarray]
    description: Description
    digest: str
    files: tuple[MappedFile, ...]


@dataclass(frozen=True)
class MappedFile:
    """A file that is mapped into memory: where it is cut in use, the process that reads it is killed."""

    path: Path
    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> MappedFile:
        """As it is now."""
        status = path.stat()
        return cls(path, status.st_ino, status.st_size, status.st_mtime_ns)

    def check(self) -> None:
        """Refuse to read on if somebody has written to it; where it was replaced or removed, it lives on for who has it."""
        with suppress(FileNotFoundError):
            status = os.stat(self.path)
            if status.st_ino == self.inode and (status.st_size, status.st_mtime_ns) != (self.size, self.changed):
                raise InputError(f"{self.path} was altered while it was in use; leave packs alone, and start again")


def open_pack(source: Source, split: str) -> Pack:
    """The pack of a split, made first if it is missing, damaged or older than its source.

    Raises:
        InputError: there is neither a sound pack nor a sound source, or no space for the pack.
    """
    folder = _folder(source, split)
    fingerprint = source.fingerprint(split)
    stale = folder.stat().st_ino if folder.is_dir() else None
    news = ""
    try:
        pack, info = _read(folder)
        if fingerprint is None or info["source"] == _plain(fingerprint):
            return pack
    except (FileNotFoundError, NotADirectoryError):
        news = f"packing {source.name} ({split}) into {folder}"
    except Exception as error:  # what was cut or altered may raise anything
        if fingerprint is None:
            raise InputError(f"the pack {folder} is damaged ({error}) and its source is gone; restore the source") from error
        rank_zero_warn(f"the pack {folder} is damaged ({error}) and is made anew")
    samples = source.samples(split)  # which refuses files that are missing, before any work is announced
    if not samples.size:
        raise InputError(f"{source.name} has no {split} image; give another dataset")
    if news:
        rank_zero_info(news)
    _write(folder, source, samples, split, fingerprint, stale)
    return _read(folder)[0]


def peek_pack(source: Source, split: str) -> Pack | None:
    """The pack of a split where there is one, and its source is as it was or gone; its content is not verified."""
    try:
        pack, info = _read(_folder(source, split), verify=False)
    except Exception:  # what is wrong with it is said when it is opened
        return None
    return pack if _plain(source.fingerprint(split)) in (None, info["source"]) else None


def _folder(source: Source, split: str) -> Path:
    """One folder for each way of cutting the same images."""
    request = source.request
    crop = "" if request.crop is None else f"crop{request.crop}"
    cut = [str(request.image_size or source.usual_size or ""), crop, {1: "grey", 3: "colour"}.get(request.channels or 0, "")]
    cut += ["readable" if request.skip_unreadable else "", split]
    own = [] if source.path is None else [hashlib.sha256(str(source.path.resolve()).encode()).hexdigest()[:8]]
    called = (source.packed_as or source.name)[:_LONGEST]
    return request.root / "packed" / "-".join([called, *own, *filter(None, cut)])


def _read(folder: Path, verify: bool = True) -> tuple[Pack, dict[str, Any]]:
    info = json.loads((folder / "pack.json").read_text())
    if info.pop("checksum", None) != _checksum(info):
        raise ValueError("pack.json was altered")
    files = tuple(MappedFile.of(folder / name) for name in info["sha256"])
    for name, digest in info["sha256"].items() if verify else ():
        _verify(folder / name, digest)
    arrays = {Path(name).stem: np.load(folder / name, mmap_mode="c", allow_pickle=False) for name in info["sha256"]}
    images = arrays.pop("images")
    description = Description(tuple(info["classes"]), tuple(info["attributes"]), info["note"], info["partial"])
    _check(images, arrays, description)
    return Pack(images, arrays, description, _checksum(info["sha256"]), files), info


def _check(images: np.ndarray, conditions: dict[str, np.ndarray], description: Description) -> None:
    """Refuse arrays that do not belong together, which nobody would notice before a batch has one of the rows."""
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(f"its images are {images.dtype} {images.shape}")
    for name, array in conditions.items():
        dtype, dimensions = _LAYOUT[name]
        if array.dtype != dtype or array.ndim != dimensions or len(array) != len(images):
            raise ValueError(f"its {name} are {array.dtype} {array.shape}, its images {images.shape}")
    labels, count = conditions.get("labels"), len(description.classes)
    if labels is not None and len(labels) and not 0 <= labels.min() <= labels.max() < (count or np.inf):
        raise ValueError(f"its labels do not count its {count} classes")


def _verify(file: Path, digest: str) -> None:
    """Check a file's content, once in a process as long as nobody touches it."""
    status = file.stat()
    state = (digest, status.st_ino, status.st_size, status.st_mtime_ns)
    if state in _verified:
        return
    if _digest(file) != digest:
        raise ValueError(f"{file.name} was altered")
    _verified.add(state)


def _checksum(info: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(info, sort_keys=True).encode()).hexdigest()


def _write(
    folder: Path, source: Source, samples: Samples, split: str, fingerprint: dict[str, Any] | None, stale: int | None
) -> None:
    """Make the pack beside its place, and put it there; ``stale`` is the inode of the pack that it replaces."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise InputError(f"cannot write to {folder.parent} ({error.strerror}); set data.root to a folder of yours") from error
    try:
        with open(scratch / "images.npy", "wb") as file:
            brightest = write_images(file, samples, f"{source.name} {split}", shutil.disk_usage(scratch).free)
        for name, array in samples.conditions.items():
            with open(scratch / f"{name}.npy", "wb") as file:  # numpy.save does not notice a full disk
                np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
                file.write(array.tobytes())
        info = {
            "source": _plain(fingerprint),
            **asdict(noted(samples.description, brightest)),
            "sha256": {file.name: _digest(file) for file in sorted(scratch.glob("*.npy"))},
        }
        (scratch / "pack.json").write_text(json.dumps({**info, "checksum": _checksum(info)}, indent=1))
        _put_in_place(scratch, folder, stale)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise no_space(source.name, folder.parent) from error
        what = f"the pack of {source.name} cannot be written in {folder.parent} ({error.strerror or error})"
        raise InputError(f"{what}; look after that folder, or set data.root to another") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _put_in_place(scratch: Path, folder: Path, stale: int | None) -> None:
    """Rename, so that a pack is there whole or not at all; where another process was faster, its pack is as good."""
    scratch.chmod(0o755)
    if folder.is_dir() and folder.stat().st_ino == stale:
        _move_away(folder)
    try:
        os.rename(scratch, folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _move_away(folder: Path) -> None:
    """Remove a pack in one move, so that nobody sees half of it."""
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    with suppress(FileNotFoundError):
        os.replace(folder, old / "old")
    shutil.rmtree(old, ignore_errors=True)


def _digest(path: Path) -> str:
    """Of a file's content, in parts, on all cores."""

    def part(start: int) -> bytes:
        with open(path, "rb") as file:
            file.seek(start)
            return hashlib.sha256(file.read(_CHUNK)).digest()

    with ThreadPoolExecutor() as pool:
        return hashlib.sha256(b"".join(pool.map(part, range(0, path.stat().st_size, _CHUNK)))).hexdigest()


def _sweep(folder: Path) -> None:
    """Remove what packers of ``folder`` that were killed have left beside it."""
    for left in folder.parent.glob(f".{folder.name}.*"):
        with suppress(OSError):
            if time.time() - max(path.stat().st_mtime for path in (left, *left.iterdir())) > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)


def _plain(fingerprint: dict[str, Any] | None) -> Any:
    return json.loads(json.dumps(fingerprint))
