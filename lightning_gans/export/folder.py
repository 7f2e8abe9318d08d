"""The folder of an export: what is in it by sums, and how it gets there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lightning_gans.config_files import read_config
from lightning_gans.errors import InputError

KIND = "lightning_gans.export/1"
MANIFEST = "manifest.yaml"
CONFIG, WEIGHTS, AVERAGED, CONDITIONS = "config.yaml", "model.safetensors", "model_ema.safetensors", "conditions.safetensors"
CARD, SAMPLES, EXAMPLE, LICENCE, ONNX = "README.md", "samples.png", "example.py", "LICENSE", "generator.onnx"


def refuse_folder(folder: Path) -> None:
    """Refuse a place in which there is something else than an earlier export.

    Raises:
        InputError: says what there is.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give --to a folder that is new, empty, or of an earlier export")
    if folder.is_dir() and any(folder.iterdir()) and not _is_export(folder):
        raise InputError(f"there are other files in {folder}; give --to a folder that is new, empty, or of an earlier export")


@contextmanager
def written(folder: Path, about: dict[str, Any]) -> Iterator[Path]:
    """A folder to write an export into; after the block its files are in ``folder`` with a manifest of their sums.

    An earlier export gives way then, with all its files; where something fails before, it is as it was.

    Args:
        folder: that is new, empty, or of an earlier export.
        about: what the manifest says besides.

    Raises:
        InputError: it cannot be written.
    """
    parent = folder.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix=".") as name:
            scratch = Path(name)
            yield scratch
            sums = {file.name: sum_of(file.read_bytes()) for file in sorted(scratch.iterdir())}
            manifest = {"kind": KIND, **about, "files": sums}
            (scratch / MANIFEST).write_text(yaml.safe_dump(manifest, sort_keys=False))
            folder.mkdir(exist_ok=True)
            for old in read_config(folder / MANIFEST)["files"] if _is_export(folder) else ():
                (folder / Path(old).name).unlink(missing_ok=True)
            for file in [*(scratch / name for name in sums), scratch / MANIFEST]:  # which is last: with it all is there
                os.replace(file, folder / file.name)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); give --to a place of yours with room") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """What an export says of itself.

    Raises:
        InputError: there is no export.
    """
    if not _is_export(folder):
        raise InputError(f"there is no export in {folder}; give a folder that lightning export has written, whole")
    return read_config(folder / MANIFEST)


def read_part(folder: Path, name: str, manifest: dict[str, Any]) -> bytes:
    """A file of an export.

    Raises:
        InputError: it is missing, or is not what was written.
    """
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise InputError(f"{folder / name} cannot be read ({error.strerror}); export or fetch it anew") from error
    if sum_of(content) != manifest["files"].get(name):
        raise InputError(f"{folder / name} is damaged, or was changed after the export; export or fetch it anew")
    return content


def sum_of(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _is_export(folder: Path) -> bool:
    """Whether a folder has a manifest of ours."""
    try:
        manifest = read_config(folder / MANIFEST)
    except InputError:
        return False
    return manifest.get("kind") == KIND and isinstance(manifest.get("files"), dict)
