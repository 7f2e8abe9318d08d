"""Images in memory as evaluation takes them, whatever they come in."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.evaluation.samples.arrays import as_tensor
from lightning_gans.evaluation.samples.quantise import quantise, warn_if_dark


class InMemory:
    """Images in the form of ``RealImages``; every split is all of them.

    Args:
        images: ``(N, 1 or 3, H, W)``, uint8 or floating in [-1, 1], or what ``as_tensor`` takes.
        labels: integers from 0 ``(N,)``, if there are any.
        name: of the dataset that they are of.
        root: folder of that dataset's files and classifier.

    Raises:
        InputError: these are no such images or labels.
    """

    centres: Tensor | None = None
    std: float | None = None
    classes: tuple[str, ...] = ()
    splits = ("train", "test")

    def __init__(self, images: Any, labels: Any, name: str, root: str) -> None:
        images = as_tensor(images)
        labels = None if labels is None else torch.as_tensor(labels)
        if images.dim() != 4 or images.shape[1] not in (1, 3) or not images.numel():
            raise InputError(f"the real images are {tuple(images.shape)}, but must be (N, 1 or 3, H, W)")
        if images.is_floating_point():
            low, high = (float(bound) for bound in images.aminmax())
            if not (-1.001 <= low < 0 and high <= 1.001):
                raise InputError(
                    f"the real images lie in [{low:.3g}, {high:.3g}] where [-1, 1] is due; scale them, or give uint8"
                )
            images = quantise(images)
        elif images.dtype != torch.uint8:
            raise InputError(f"the real images are {images.dtype}, but must be uint8 or floating in [-1, 1]")
        else:
            warn_if_dark(images, "the real images")
        if labels is not None and (labels.shape != images.shape[:1] or labels.is_floating_point() or int(labels.min()) < 0):
            raise InputError(f"labels must be {len(images)} integers from 0; they are {labels.dtype} {tuple(labels.shape)}")
        self.images, self.shape = images.cpu(), tuple(images.shape[1:])
        self._labels = None if labels is None else labels.cpu().long()
        self.name, self.root = name, root

    def size(self, split: str) -> int:
        return len(self.images)

    def real(self, split: str, rows: Tensor | None = None) -> Tensor:
        chosen = self.images if rows is None else self.images[rows]
        return chosen.float() / 127.5 - 1

    def labels(self, split: str) -> Tensor | None:
        return self._labels

    def conditions(self, split: str, rows: Tensor) -> Tensor | None:
        return None if self._labels is None else self._labels[rows]

    def fingerprint(self, split: str) -> str:
        return hashlib.sha256(repr(self.images.shape).encode() + self.images.numpy().tobytes()).hexdigest()
