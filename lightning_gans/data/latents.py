"""Latents of one's own, with what samples of them are made under: ``lightning explore`` writes them, ``predict`` reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_gans.data.description import CONDITIONS
from lightning_gans.data.source import decode_caption, encode_captions
from lightning_gans.data.split import fit_captions
from lightning_gans.data.written import typed
from lightning_gans.errors import InputError
from lightning_gans.protocols import Condition

_WRITE = 'write {"latents": [[0.1, -0.2, ...], ...]} as JSON, or the same in an .npz'


@dataclass(frozen=True)
class Latents:
    """Latents, and their conditions where a file says them.

    Args:
        z: float32 ``(N, dim)``.
        conditions: by name ``labels`` int64 ``(N,)``, ``attributes`` float ``(N, A)``, ``captions`` int64 ``(N, L)``.
        file: where they are from, for people.
    """

    z: Tensor
    conditions: Mapping[str, Tensor]
    file: str = "the latent"

    def of(self, numbers: Tensor, dim: int) -> Tensor:
        """Some of them ``(n, dim)``.

        Raises:
            InputError: the model takes latents of another length.
        """
        if self.z.shape[1] != dim:
            raise InputError(
                f"{self.file} has latents of {self.z.shape[1]} numbers, but those of the model have {dim}; take one of its own"
            )
        return self.z[numbers]

    def conditions_for(self, numbers: Tensor, data: Any) -> Condition | None:
        """The conditions of some of them; what the file does not say is that of test samples, as for all that is predicted."""
        own = {name: values[numbers] for name, values in self.conditions.items()}
        return with_own(data.conditions_for(numbers), own, data)


def read_latents(file: Path, data: Any) -> Latents:
    """What is in a ``.json`` or ``.npz``: ``latents``, and perhaps ``labels``, ``attributes`` or ``captions`` of as many rows.

    Args:
        file: JSON is a table of lists, with whatever other entries.
        data: as ``lightning_gans.Images`` after ``setup``, which says what conditions look like.

    Raises:
        InputError: it is not there, or not so; says what to write.
    """
    try:
        if file.suffix == ".npz":
            with np.load(file) as stored:
                content: Any = {name: stored[name].tolist() for name in stored.files}
        else:
            content = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise InputError(f"there is no file {file}; data.latents names a .json or .npz with latents") from error
    except Exception as error:  # what reads other people's files may raise anything
        said = (str(error).splitlines() or [""])[0]
        raise InputError(f"{file} cannot be read ({said}); {_WRITE}") from error
    return as_latents(content, data, str(file))


def as_latents(content: Any, data: Any, file: str = "the latent") -> Latents:
    """Latents and conditions out of lists, checked.

    Raises:
        InputError: see ``read_latents``.
    """
    rows = content.get("latents") if isinstance(content, dict) else None
    z = _numbers(rows, torch.float32)
    if z is None or z.dim() != 2 or 0 in z.shape or not z.isfinite().all():
        raise InputError(f"{file} has no rows of finite numbers in latents; {_WRITE}")
    conditions: dict[str, Any] = {name: content[name] for name in CONDITIONS if content.get(name) is not None}
    return Latents(z, as_conditions(conditions, len(z), data, file), file)


def as_conditions(said: Mapping[str, Any], count: int, data: Any, file: str = "the latent") -> dict[str, Tensor]:
    """Conditions as models are given them, out of a list of ``count`` by name.

    Raises:
        InputError: the data has no such, or they do not fit.
    """
    kinds = data.condition_kinds
    for name, rows in said.items():
        if name not in kinds:
            raise InputError(f"{file} says {name}, but {data.name} comes with {', '.join(kinds) or 'none'}; leave them out")
        if not isinstance(rows, list) or len(rows) != count:
            raise InputError(f"{file} needs a list of {count} {name}, one a latent")
    return {name: _condition(name, rows, kinds[name].width, file) for name, rows in said.items()}


def with_own(usual: Condition | None, own: Mapping[str, Tensor], data: Any) -> Condition | None:
    """Conditions as the data gives them, those in ``own`` instead of its own."""
    return {**usual, **own} if isinstance(usual, dict) else own.get(data.condition_name, usual)


def as_lists(condition: Condition | None, data: Any) -> dict[str, list[Any]]:
    """The inverse of ``as_conditions``: a list by name."""
    if condition is None:
        return {}
    by_name = condition if isinstance(condition, dict) else {data.condition_name: condition}
    return {
        name: [*map(decode_caption, rows)] if name == "captions" else rows.long().tolist() for name, rows in by_name.items()
    }


def caption_codes(texts: Sequence[str], width: int) -> Tensor:
    """Texts as captions of the training are, int64 ``(N, L)`` of at least that width; longer ones are kept whole."""
    codes = torch.from_numpy(encode_captions([[text] for text in texts]))[:, 0].long()
    return fit_captions(codes, max(codes.shape[1], width))


def shortest(z: Tensor) -> list[list[float]]:
    """Rows of float32 as the shortest numbers that give these again."""
    return [[float(str(number)) for number in row] for row in z.float().cpu().numpy()]


def _condition(name: str, rows: list[Any], width: int, file: str) -> Tensor:
    if name == "captions":
        if not all(isinstance(row, str) for row in rows):
            raise InputError(f"{file} has captions that are no texts; write some")
        return caption_codes([typed(row, f"a caption in {file}") for row in rows], width)
    values = _numbers(rows, torch.int64 if name == "labels" else torch.float32)
    if name == "labels":
        if values is None or values.dim() != 1 or not bool(((values >= 0) & (values < width)).all()):
            raise InputError(f"{file} has other labels than whole numbers from 0 to {width - 1}")
    elif values is None or values.shape != (len(rows), width) or not bool(((values == 0) | (values == 1)).all()):
        raise InputError(f"{file} has other attributes than rows of {width} zeros and ones")
    assert values is not None
    return values


def _numbers(rows: Any, dtype: torch.dtype) -> Tensor | None:
    """A tensor of nested lists of numbers, ``None`` where they are none."""
    try:
        numbers = torch.tensor(rows)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None
    if numbers.dtype == torch.bool or (dtype == torch.int64 and numbers.dtype != dtype):
        return None
    return numbers.to(dtype)
