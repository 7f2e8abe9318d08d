"""Which real samples something is chosen by, that is then tested on others."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

_AT_MOST = 10_000


class InSplits(Protocol):
    """Data in splits; ``Images`` and all ``RealImages`` are."""

    @property
    def splits(self) -> tuple[str, ...]: ...
    def size(self, split: str) -> int: ...


def validation_rows(data: InSplits) -> tuple[str, Tensor]:
    """The split and the numbers of the samples for validation.

    Those held out of training (``data.held_out``), else the last of the training set, which the model has seen: a fifth of it
    and at most 10,000.
    """
    if "valid" in data.splits:
        return "valid", torch.arange(data.size("valid"))
    size = data.size("train")
    return "train", torch.arange(size - max(1, min(_AT_MOST, size // 5)), size)
