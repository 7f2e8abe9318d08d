"""How classifiers are kept: in .pt files, or with rounded weights in .safetensors files, as those that the package has."""

from __future__ import annotations

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

_ROUNDED = ".safetensors"
SUFFIXES = (".pt", _ROUNDED)
"""Of files that hold a classifier."""
_HEADER = "lightning_gans"


def packaged_file(dataset: str) -> Path | None:
    """The reference classifier of a dataset, which all that measure by it share; none for most."""
    return next((Path(__file__).parent / "trained").glob(f"*_{dataset}{_ROUNDED}"), None)


def is_rounded(path: Path) -> bool:
    """Whether a file keeps weights in half precision."""
    return path.suffix == _ROUNDED


@torch.no_grad()
def round_weights(network: nn.Module) -> None:
    """Weights become what half precision can say of them; biases, scales and statistics, which are few, stay as they are."""
    for parameter in network.parameters():
        if parameter.dim() > 1:
            parameter.copy_(parameter.half())


def read_stored(path: Path) -> dict[str, Any]:
    """What ``as_bytes`` has made bytes of; nothing where it is something else.

    Raises:
        InputError: it cannot be read.
    """
    try:
        check_sums(path)
        stored = _read_rounded(path) if is_rounded(path) else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever readers make of bytes that somebody changed
        raise InputError(f"{path} is not a classifier, or a damaged one; train it anew with lightning classifier") from error
    return stored if isinstance(stored, dict) else {}


def as_bytes(content: Mapping[str, Any], path: Path) -> bytes:
    """The file ``path`` of a classifier: its ``weights``, and all else in plain types."""
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
