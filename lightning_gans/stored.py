"""How classifiers and text encoders are kept: in .pt files, or with rounded weights in .safetensors files."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

from lightning_gans.checkpoints import check_sums
from lightning_gans.errors import InputError
from lightning_gans.whole_files import write_whole

_ROUNDED = ".safetensors"
SUFFIXES = (".pt", _ROUNDED)
"""Of files that hold a trained network."""
_HEADER = "lightning_gans"


def identity_of(network: nn.Module) -> str:
    """sha256 of the weights, in hexadecimal digits."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def is_rounded(path: Path) -> bool:
    """Whether a file keeps weights in half precision."""
    return path.suffix == _ROUNDED


@torch.no_grad()
def round_weights(network: nn.Module) -> None:
    """Weights become what half precision can say of them; biases, scales and statistics, which are few, stay as they are."""
    for parameter in network.parameters():
        if parameter.dim() > 1:
            parameter.copy_(parameter.half())


def read_stored(path: Path, what: str, command: str) -> dict[str, Any]:
    """What ``write_stored`` has written; nothing where it is something else.

    Args:
        path: of the file.
        what: is to be in it, such as ``classifier``.
        command: that writes such files.

    Raises:
        InputError: it cannot be read.
    """
    try:
        check_sums(path)
        stored = _read_rounded(path) if is_rounded(path) else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever readers make of bytes that somebody changed
        raise InputError(f"{path} is not a {what}, or a damaged one; train it anew with {command}") from error
    return stored if isinstance(stored, dict) else {}


def write_stored(content: Mapping[str, Any], path: Path, what: str) -> None:
    """Write the ``weights`` of a network, and all else in plain types; where that fails an older file stays.

    Raises:
        InputError: it cannot be written.
    """
    written = _as_bytes(content, path)
    try:
        write_whole(path, written)
    except OSError as error:
        raise InputError(f"cannot write the {what} {path} ({error.strerror}); set out to a place of yours") from error


def _as_bytes(content: Mapping[str, Any], path: Path) -> bytes:
    """What the file ``path`` is to hold."""
    if is_rounded(path):
        weights = {name: value.half() if value.dim() > 1 else value for name, value in content["weights"].items()}
        header = {name: value for name, value in content.items() if name != "weights"}
        return save({name: value.contiguous() for name, value in weights.items()}, {_HEADER: json.dumps(header)})
    written = io.BytesIO()
    torch.save(dict(content), written)
    return written.getvalue()


def _read_rounded(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        header = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, for it is no dict
    return {**header, "weights": {name: value.float() if value.dim() > 1 else value for name, value in tensors.items()}}
