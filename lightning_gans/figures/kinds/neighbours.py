"""Samples beside the training images that are nearest to them: a model that has learnt these by heart shows them twice."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor
from tqdm import tqdm

from lightning_gans.figures import plots
from lightning_gans.figures.subject import Subject, no_data
from lightning_gans.randomness import keyed_generator

_NEAREST = 5  # of each sample
_MOST_ROWS = 10
_MOST_SEARCHED = 200_000
_NUMBERS = 2**22  # of training images that are in memory at a time


def draw(subject: Subject) -> Figure:
    """A row has a sample and the five nearest training images by Euclidean distance of pixels in [-1, 1].

    Goodfellow et al. (2014, Fig. 2) show the nearest one. The name of a row is the distance of the nearest, and the title says
    what it is on average, also for as many test images, which nobody has learnt by heart. The whole training set is searched,
    or 200,000 of a larger one; samples are the first of the picture of these.
    """
    samples = subject.samples[: max(2, min(_MOST_ROWS, subject.num_images // (1 + _NEAREST)))]
    tested = subject.data.real("test", subject.rows(len(samples))).float().cpu()
    searched = _searched(subject.data.size("train"))
    found, distances = nearest(torch.cat([samples, tested]), subject.data, searched, _NEAREST)
    beside = subject.data.real("train", found[: len(samples)].flatten()).float().cpu()
    shown = torch.cat([samples[:, None], beside.unflatten(0, (len(samples), -1))], dim=1)
    of_samples, of_test = distances[:, 0].split(len(samples))
    title = (
        f"{subject.kind_of_samples} of {subject.name} (left), each beside the nearest of {len(searched):,} training images; "
        f"mean distance of the nearest {float(of_samples.mean()):.3g}, of as many test images {float(of_test.mean()):.3g}"
    )
    columns = ["sample", "nearest", *(f"{number}." for number in range(2, 1 + beside.shape[0] // len(samples)))]
    return plots.table(shown, columns, title, [f"{distance:.3g}" for distance in of_samples.tolist()])


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack; of points there are neighbours everywhere, whoever drew them."""
    if (problem := no_data(subject)) is not None:
        return problem
    return "samples are points and no images" if subject.points else None


def nearest(images: Tensor, data: Any, searched: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The training images that are nearest to some images ``(N, C, H, W)``, the nearest first.

    Args:
        images: float32 on the processor, of the data's shape.
        data: as ``lightning_gans.Images`` after ``setup``.
        searched: numbers of training images; a few are in memory at a time.
        count: as many neighbours, where there are so many.

    Returns:
        Their numbers, int64 ``(N, count)``, and Euclidean distances.
    """
    flat = images.flatten(1).nan_to_num(0.0)
    found, squares = torch.zeros(len(flat), 0, dtype=torch.long), torch.zeros(len(flat), 0)
    blocks = searched.split(max(1, _NUMBERS // flat.shape[1]))
    for rows in tqdm(blocks, "searching training images", delay=5, leave=False):
        known = data.real("train", rows).to(flat).flatten(1)
        apart = known.square().sum(1) - 2 * flat @ known.T  # less a number that is the same for all: their order is that
        squares = torch.cat([squares, apart], dim=1)
        found = torch.cat([found, rows.expand(len(flat), -1)], dim=1)
        squares, kept = squares.topk(min(count, squares.shape[1]), dim=1, largest=False)
        found = found.gather(1, kept)
    known = data.real("train", found.flatten()).to(flat).flatten(1).unflatten(0, found.shape)
    distances, order = (known - flat[:, None]).norm(dim=2).sort(dim=1)  # now to all digits
    return found.gather(1, order), distances


def _searched(size: int) -> Tensor:
    if size <= _MOST_SEARCHED:
        return torch.arange(size)
    return torch.randperm(size, generator=keyed_generator("training images", size))[:_MOST_SEARCHED].sort().values
