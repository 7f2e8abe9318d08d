"""Models on the same points side by side, with latents of two numbers where they have such."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.evaluation.counts.mixture import ModeCount
from lightning_gans.figures.plots import BLUE, ORANGE, class_colours
from lightning_gans.figures.subject import Subject
from lightning_gans.priors import Normal
from lightning_gans.protocols import encodes
from lightning_gans.randomness import keyed_generator

POINTS = 10_000
_ROWS = ("test points x", "their latents z = E(x)", "reconstructions G(E(x))", "latents z of the prior", "samples G(z)")
_OF_LATENTS = (1, 3)
_FEW = 10  # classes have colours of their own
_HUES = (BLUE, "#E69F00", "#009E73", "#CC79A7", "#666666")  # of Okabe and Ito; what is of no component is orange
_REACH = 4.0  # of a normal prior, in standard deviations; axes of others end a little beyond their draws


@dataclass(frozen=True)
class Column:
    """What is shown of one model.

    Args:
        name: of the model.
        rows: points ``(N, 2)`` of each row of Fig. 8, ``None`` where the model has none.
        labels: the component of each test point ``(N,)``; none where nobody knows.
        extent: of the data.
        reach: of the prior.
        latents: numbers of one; the rows of latents are ``None`` unless there are two.
        modes: how many of how many components have a sample; none where the data has none.
        draws: whether latents are draws of the posterior.
    """

    name: str
    rows: Sequence[Tensor | None]
    labels: Tensor | None
    extent: float
    reach: float
    latents: int
    modes: tuple[int, int] | None
    draws: bool


def column(name: str, subject: Subject) -> Column:
    """What is shown of a model in evaluation mode: up to 10,000 test points, and as many samples as there are of these.

    Args:
        name: of the column.
        subject: a model that generates, and points in the plane; it draws latents if it is to.
    """
    data, prior = subject.data, subject.model.prior
    rows = subject.rows(min(POINTS, data.size("test")))
    real = subject.real(rows).float().cpu()
    z = prior.sample(len(rows), keyed_generator("comparison", subject.seed))
    codes = subject.encode(rows, **subject.noise) if encodes(subject.model) else None
    again = None if codes is None else subject.decode(codes, rows)
    made = subject.decode(z, rows)
    of_two = prior.dim == 2
    panels = real, codes if of_two else None, again, z if of_two else None, made
    shown = [each if each is None else each.float().cpu() for each in panels]
    reach = _REACH * prior.std if isinstance(prior, Normal) else 1.1 * float(z.abs().max())
    return Column(name, shown, subject.labels(rows), data.extent, reach, prior.dim, _modes(subject, made), subject.draws)


def draw(columns: Sequence[Column], dataset: str) -> Figure:
    """Fig. 8 of ALI (Dumoulin et al., 2017): a column a model; test points, their latents, reconstructions, prior and samples.

    The first three rows are coloured by the component that a test point is of. Models without an encoder leave two of them out,
    those with other than two latent numbers the rows of these.
    """
    figure = Figure(figsize=(2.7 * len(columns) + 0.5, 2.6 * len(_ROWS) + 1.2), layout="constrained")
    grid = figure.subplots(len(_ROWS), len(columns), squeeze=False)
    for number, shown in enumerate(columns):
        count = "" if shown.modes is None else f"\n{shown.modes[0]} of {shown.modes[1]} modes"
        letter = ascii_lowercase[number % len(ascii_lowercase)]
        grid[0, number].set_title(f"{fill(f'({letter}) {shown.name}', 30)}{count}", fontsize=10)
        for row, points in enumerate(shown.rows):
            limit = shown.reach if row in _OF_LATENTS else 1.2 * shown.extent
            labels = shown.labels if row < _OF_LATENTS[1] else None
            lacking = f"{shown.latents} numbers" if row in _OF_LATENTS and shown.latents != 2 else "no encoder"
            _scatter(grid[row, number], points, labels, limit, lacking)
    for row, name in enumerate(_ROWS):
        grid[row, 0].set_ylabel(name, fontsize=10)
    counted = "; modes that have a sample (ALI's rule)" if any(shown.modes for shown in columns) else ""
    drawn = "; latents of stochastic encoders are drawn" if any(shown.draws for shown in columns) else ""
    rows = columns[0].rows[0]
    assert rows is not None
    said = f"{len(rows):,} test points of {dataset}, by component, and as many samples{counted}{drawn}"
    figure.suptitle(fill(said, int(36 * len(columns)) + 4), fontsize=10)
    return figure


def component_colours(count: int) -> list[Any]:
    """A colour for each component; of many, such as those of a grid, a hue a column and a shade a row of it."""
    if count <= _FEW:
        return class_colours(count)
    side = math.ceil(count**0.5)
    shades = np.linspace(-0.55, 0.6, side)
    return [tuple(_shade(_HUES[number // side % len(_HUES)], shades[number % side])) for number in range(count)]


def _shade(hue: str, shade: float) -> np.ndarray:
    """A hue mixed with black (down to -1) or white (up to 1)."""
    return (1 - abs(shade)) * np.array(to_rgb(hue)) + max(shade, 0)


def _modes(subject: Subject, samples: Tensor) -> tuple[int, int] | None:
    centres = getattr(subject.data, "centres", None)
    if centres is None:
        return None
    metric = ModeCount(centres.cpu(), subject.data.std, "ali", sync_on_compute=False)
    metric.update(samples)
    return int(metric.covered("ali")), len(centres)


def _scatter(axes: Axes, points: Tensor | None, labels: Tensor | None, limit: float, lacking: str) -> None:
    """Points in the square of half a side ``limit``, and how many of them are beyond it; why there are none where so."""
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.tick_params(labelsize=7)
    if points is None:
        axes.set(xticks=[], yticks=[])
        axes.text(0, 0, lacking, ha="center", va="center", color="0.4")
        return
    colours = component_colours(int(labels.max()) + 1) if labels is not None else []
    of_each = ORANGE if labels is None else [colours[label] for label in labels.tolist()]
    x, y = points.T.numpy()
    axes.scatter(x, y, s=2, c=of_each, linewidths=0, alpha=0.7)
    beyond = float((~(points.abs() <= limit).all(dim=1)).float().mean())
    if beyond >= 0.005:
        axes.text(0.98, 0.02, f"{beyond:.0%} beyond", transform=axes.transAxes, ha="right", va="bottom", fontsize=7)
