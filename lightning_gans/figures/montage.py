"""Models of the same images side by side: samples of each, and what those that encode make of the same test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.figures import plots
from lightning_gans.figures.subject import Subject
from lightning_gans.protocols import encodes

_ACROSS = 4  # models; others are below


@dataclass(frozen=True)
class Shown:
    """What is shown of one model.

    Args:
        name: of the model.
        what: its samples are.
        samples: ``(N, C, H, W)``.
        pairs: of a test image and its reconstruction, side by side ``(N / 2, C, H, 2 W)``; none without an encoder.
    """

    name: str
    what: str
    samples: Tensor
    pairs: Tensor | None


def shown(name: str, subject: Subject) -> Shown:
    """What is shown of a model of images in evaluation mode; noise and test images are the same for all."""
    pairs = None
    if encodes(subject.model):
        rows = subject.rows(max(1, subject.num_images // 2))
        pairs = torch.cat([subject.real(rows).float().cpu(), subject.reconstruct(rows)], dim=-1)
    return Shown(name, subject.kind_of_samples, subject.samples, pairs)


def draw(models: Sequence[Shown], dataset: str) -> Figure:
    """A grid of samples a model, and below it pairs of a test image and its reconstruction, as GAAN's Figs. 2 and 9 do.

    Models beyond the fourth are below the others.
    """
    across = min(_ACROSS, len(models))
    panels: list[tuple[str, Tensor, int]] = []
    for start in range(0, len(models), across):
        row = models[start : start + across]
        blank = [("", row[0].samples[:0], 1)] * (across - len(row))
        panels += [(f"{one.name}: {one.what}, {dataset}", one.samples, _side(one.samples)) for one in row] + blank
        if any(one.pairs is not None for one in row):
            panels += [_again(one) for one in row] + blank
    return plots.grids(panels, across)


def _again(one: Shown) -> tuple[str, Tensor, int]:
    if one.pairs is None:
        return f"{one.name} has no encoder", one.samples[:0], 1
    return f"{one.name}: test images (left) and their reconstructions", one.pairs, max(1, _side(one.samples) // 2)


def _side(images: Tensor) -> int:
    return max(1, round(len(images) ** 0.5))
