"""What is in a checkpoint, read without trusting it."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_gans import trust
from lightning_gans.config_files import parse_config
from lightning_gans.errors import InputError

_NAMES = ("best", "last", "hpc")
"""Words in the place of a path that the trainer resolves itself, to files that a run of its own left."""

_NEEDED = {"state_dict": Mapping, "global_step": int, "epoch": int}
_KINDS: dict[str, Any] = {
    **_NEEDED,
    **dict.fromkeys(("callbacks", "loops", "hyper_parameters", "game"), Mapping),
    **dict.fromkeys(("optimizer_states", "lr_schedulers"), Sequence),
    **dict.fromkeys(("config", "pytorch-lightning_version"), str),
}
"""What Lightning and this package store under which name: another kind of value would fail far from here."""


def load_checkpoint(path: Path, mmap: bool = True) -> dict[str, Any]:
    """Tensors and plain values, on the processor; nothing for a word that the trainer resolves.

    Args:
        path: of the file.
        mmap: leave tensors in the file until they are read.

    Raises:
        InputError: there is no such file, it is damaged, or no checkpoint of Lightning's.
    """
    if str(path) in _NAMES:
        return {}
    if not path.is_file():
        raise InputError(f"there is no checkpoint {path}; give the path of a .ckpt file")
    try:
        check_sums(path)
        stored = torch.load(path, weights_only=True, map_location="cpu", mmap=mmap)
    except (*_DAMAGED, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is not a checkpoint, or a damaged one; give another") from error
    if not isinstance(stored, dict):
        raise InputError(f"{path} is not a checkpoint, but a file of {_a(stored)}; give another")
    for name, kind in _KINDS.items():
        if name not in stored and name in _NEEDED:
            raise InputError(f"{path} is no checkpoint that can be used: it has no {name}; give one that lightning fit wrote")
        if name in stored and (not isinstance(stored[name], kind) or (kind is Sequence and isinstance(stored[name], str))):
            raise InputError(f"{path} is no checkpoint that can be used: its {name} is {_a(stored[name])}; give another")
    if not all(isinstance(value, Tensor) for value in stored["state_dict"].values()):
        raise InputError(f"{path} is no checkpoint that can be used: its state_dict has more than tensors; give another")
    return stored


# Whatever zipfile, zlib and torch make of bytes that somebody changed
_DAMAGED = (OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error)


_checked: set[tuple[int, int, int, int]] = set()


def check_sums(path: Path) -> None:
    """Compare what is in a file of torch with its sums; torch does not, and loads whatever a flipped bit has made of it.

    Once in a process as long as nobody touches the file: a command opens a checkpoint several times, and it may be large.

    Raises:
        zipfile.BadZipFile: they differ.
    """
    status = path.stat()
    state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    if state in _checked or not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if (name := archive.testzip()) is not None:
            raise zipfile.BadZipFile(name)
    _checked.add(state)


def stored_config(stored: dict[str, Any], path: Path, args: Sequence[str], trusted: bool = False) -> dict[str, Any]:
    """The config that a checkpoint was trained with, by section, without what only that run went on from.

    Args:
        stored: what ``load_checkpoint`` gives.
        path: of the checkpoint.
        args: of the command line: what they name, the config may name.
        trusted: whether it may name anything.

    Raises:
        InputError: there is none in it, or one that is none, or that names what a checkpoint must not.
    """
    if "config" not in stored:
        raise InputError(f"{path} was not written by this command; give the --config that it was trained with")
    config = parse_config(stored["config"], f"the config in {path}")
    for section in ("model", "data", "trainer", "evaluation", "pictures"):
        if not isinstance(config.get(section) or {}, dict):
            raise InputError(f"the config in {path} has {_a(config[section])} for {section}; give a --config of your own")
    config = {key: value for key, value in config.items() if key not in ("ckpt_path", "weights_only")}
    if not trusted:
        trust.restrict(config, path, args)
    return config


def finite(parameters: Mapping[str, Tensor], path: str | Path | None = None) -> None:
    """Refuse weights of which some are NaN or infinite: samples and measures of them may look like any others.

    Args:
        parameters: tensors by name.
        path: of the checkpoint that they are from.

    Raises:
        InputError: says which.
    """
    for name, value in parameters.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            where = f"in {path} " if path else ""
            raise InputError(f"the weights of {name} {where}are NaN or infinite; give a checkpoint from before that")


def _a(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
