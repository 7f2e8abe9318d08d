"""Zips and tars, read and never unpacked into files that have a name: what is in them, and what cannot be had of it."""

from __future__ import annotations

import posixpath
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeVar

from lightning_gans.data.folder import shown, too_large
from lightning_gans.errors import InputError

ARCHIVES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz"}
_LARGEST_RATIO = 200  # of a compressed tar to what is in it, beyond the first bytes
_LITTLE = 2**30
_LONGEST_END = 2**17  # of a zip: its last records and a comment
_MEGABYTE = 2**20
_Member = TypeVar("_Member")


@dataclass(frozen=True)
class Archive:
    """What is in an archive.

    Attributes:
        problems: gives of every file by its name, with ``/`` between folders, what is wrong with it, or nothing.
        read: gives the content of a file; may be called from several threads.
    """

    problems: Callable[[], Mapping[str, str]]
    read: Callable[[str], bytes]


def open_archive(path: Path) -> Archive:
    """A zip, or a tar that may be compressed.

    Raises:
        InputError: it is damaged or neither, names a place outside itself, or expands beyond all measure.
    """
    if not path.is_file():
        raise InputError(f"{shown(path)} is neither a folder nor a regular file; give the path of a folder, zip or tar")
    try:
        return _zip(path) if zipfile.is_zipfile(path) else _tar(path)
    except InputError:
        raise
    except Exception as error:  # a damaged archive may raise anything
        why = str(error).partition("\n")[0].rstrip(":") or type(error).__name__
        raise InputError(f"{shown(path)} is not a readable zip or tar ({why}); make it anew") from error


def _zip(path: Path) -> Archive:
    archive = zipfile.ZipFile(path)
    if len(archive.infolist()) != (count := _entries(path)):
        raise zipfile.BadZipFile(f"it should list {count:,} files, but lists {len(archive.infolist()):,}")
    members = _by_name(path, ((info.filename, info) for info in archive.infolist()))
    problems = {name: too_large(info.file_size) for name, info in members.items()}
    problems |= {name: "it is a link" for name, info in members.items() if stat.S_ISLNK(info.external_attr >> 16)}

    def read(name: str) -> bytes:
        _refuse(problems[name])
        return archive.read(members[name])

    return Archive(lambda: problems, read)


def _entries(path: Path) -> int:
    """How many files a zip says that it lists, at its end: a damaged entry may swallow those that follow."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_END))
        end = file.read()
    count = int(struct.unpack_from("<H", end, end.rindex(b"PK\5\6") + 10)[0])
    many = end.rfind(b"PK\6\6")
    return count if count < 0xFFFF or many < 0 else int(struct.unpack_from("<Q", end, many + 32)[0])


def _tar(path: Path) -> Archive:
    tar = _open_tar(path)
    found = tar.getmembers()
    _check_end(tar)
    members = _by_name(path, ((member.name, member) for member in found if not member.isdir()))
    targets = {name: _target(members, name) for name in members}
    problems = {name: _problem(members[name], target) for name, target in targets.items()}
    lock = threading.Lock()

    def read(name: str) -> bytes:
        _refuse(problems[name])
        with lock:
            file = tar.extractfile(targets[name] or "")
            assert file is not None  # what is none has a problem
            return file.read()

    return Archive(lambda: problems, read)


def _problem(member: tarfile.TarInfo, target: tarfile.TarInfo | None) -> str:
    if target is not None and target.isfile():
        return too_large(target.size)  # no more is read than a header says
    return "it is a link that leads to no file" if member.issym() or member.islnk() else "it is no regular file"


def _refuse(problem: str) -> None:
    if problem:
        raise OSError(problem)


def _by_name(path: Path, members: Iterable[tuple[str, _Member]]) -> dict[str, _Member]:
    """Files by their names with ``/`` between folders, whatever wrote them, and none of them outside."""
    found: dict[str, _Member] = {}
    written: dict[str, str] = {}
    for name, member in members:
        plain = re.sub(r"^(\./+)+", "", name.replace("\\", "/"))
        if plain.startswith("/") or re.match("[A-Za-z]:/", plain) or ".." in PurePosixPath(plain).parts:
            raise InputError(f"{shown(path)} names a file outside itself ({shown(name)}); do not trust it, get another")
        if plain.endswith("/"):
            continue
        if written.setdefault(plain, name) != name:
            raise InputError(f"{shown(path)} writes {shown(plain)} in two ways; make it anew")
        found[plain] = member
    return found


def _target(members: Mapping[str, tarfile.TarInfo], name: str) -> tarfile.TarInfo | None:
    """What a name stands for, after all links; ``None`` where these lead nowhere or around."""
    for _ in range(40):
        member = members.get(name)
        if member is None or not (member.issym() or member.islnk()):
            return member
        below = posixpath.dirname(name) if member.issym() else ""
        name = posixpath.normpath(posixpath.join(below, member.linkname.replace("\\", "/")))
    return None


def _open_tar(path: Path) -> tarfile.TarFile:
    """A tar that can be read in any order: one that is compressed is unpacked to a temporary file, which has no name."""
    tar = tarfile.open(path)  # noqa: SIM115
    stream: Any = tar.fileobj
    if not hasattr(stream, "decompress") and type(stream).__module__ not in ("gzip", "bz2", "lzma"):
        return tar
    plain = tempfile.TemporaryFile()  # noqa: SIM115
    stream.seek(0)
    _expand(path, stream, plain)
    tar.close()
    plain.seek(0)
    return tarfile.open(fileobj=plain, mode="r:")


def _expand(path: Path, stream: BinaryIO, plain: BinaryIO) -> None:
    bound = max(_LITTLE, _LARGEST_RATIO * path.stat().st_size)
    folder = Path(tempfile.gettempdir())
    room = shutil.disk_usage(folder).free
    size = 0
    while part := stream.read(_MEGABYTE):
        size += len(part)
        if size > bound:
            raise InputError(
                f"{shown(path)} expands to more than {_LARGEST_RATIO} times its size; do not trust it, get another"
            )
        if size > room:
            raise InputError(f"no space left in {folder} to unpack {shown(path)}; unpack it by hand and give the folder")
        plain.write(part)


def _check_end(tar: tarfile.TarFile) -> None:
    """Refuse a tar that has more behind what was found in it: a damaged header looks like the end."""
    stream: Any = tar.fileobj
    stream.seek(tar.offset)
    end = stream.read(tarfile.BLOCKSIZE)
    if len(end) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("its end is missing")
    while end:
        if end.count(0) < len(end):
            raise tarfile.ReadError(f"what follows the first {tar.offset:,} bytes is no tar")
        end = stream.read(_MEGABYTE)
