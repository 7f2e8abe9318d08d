"""What is in a checkpoint, read without trusting it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
import yaml

from lightning_gans.errors import InputError

_NAMES = ("best", "last", "hpc", "registry")
"""Words in the place of a path that the trainer resolves itself."""


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Tensors and plain values, on the processor; nothing for a word that the trainer resolves.

    Raises:
        InputError: there is no such file, or it is no checkpoint.
    """
    if str(path) in _NAMES:
        return {}
    if not path.is_file():
        raise InputError(f"there is no checkpoint {path}; give the path of a .ckpt file")
    try:
        stored = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is not a checkpoint, or a damaged one; give another") from error
    return stored if isinstance(stored, dict) else {}


def stored_config(stored: dict[str, Any], path: Path) -> dict[str, Any]:
    """The config that a checkpoint was trained with, by section, without what only that run went on from.

    Args:
        stored: what ``load_checkpoint`` gives.
        path: of the checkpoint.

    Raises:
        InputError: there is none in it.
    """
    if "config" not in stored:
        raise InputError(f"{path} was not written by this command; give the --config that it was trained with")
    config = yaml.safe_load(stored["config"])
    return {key: value for key, value in config.items() if key not in ("ckpt_path", "weights_only")}
