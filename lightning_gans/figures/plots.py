"""Pictures of samples: pure functions from tensors to matplotlib figures or PNG files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor
from torchvision.utils import save_image

# Okabe and Ito's palette, told apart with any colour vision.
BLUE, ORANGE = "#0072B2", "#D55E00"


def save_grid(images: Tensor, file: Path, columns: int | None = None) -> None:
    """Write images ``(N, C, H, W)`` in [-1, 1] as one PNG, in rows of ``columns`` (a square if not given)."""
    columns = columns or max(1, round(len(images) ** 0.5))
    images = images.float().clamp(-1, 1)
    if images.shape[-1] < 16:  # a pixel of the 8x8 digits would not be seen
        images = images.repeat_interleave(4, -1).repeat_interleave(4, -2)
    save_image((images + 1) / 2, file, nrow=columns, padding=1, pad_value=0.5)


def scatter(panels: Sequence[tuple[str, Tensor]], centres: Tensor | None, extent: float) -> Figure:
    """Points ``(N, 2)`` in data units, a panel for each (title, points), over the true centres."""
    rows = -(-len(panels) // 4)
    columns = -(-len(panels) // rows)
    figure = Figure(figsize=(3.2 * columns, 3.3 * rows), layout="constrained")
    for number, (title, points) in enumerate(panels, 1):
        axes = figure.add_subplot(rows, columns, number)
        if centres is not None:
            x, y = centres.T.cpu().numpy()
            axes.scatter(x, y, s=60, facecolors="none", edgecolors=ORANGE, linewidths=0.8, label="true centres")
        x, y = points.T.float().cpu().numpy()
        axes.scatter(x, y, s=2, color=BLUE, linewidths=0, alpha=0.6, label="samples")
        limit = 1.2 * extent
        axes.set(title=title, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="x", ylabel="y")
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, markerscale=1.5, frameon=False
    )
    return figure


def latent_map(regions: Tensor, bounds: tuple[float, float], count: int, title: str) -> Figure:
    """The square of latents between ``bounds``, coloured by what each is mapped to.

    Args:
        regions: ``(S, S)``, rows along the second latent number: a region in ``range(count)``, or -1 for none (white).
        bounds: of both latent numbers.
        count: number of regions.
        title: of the figure.
    """
    figure = Figure(figsize=(5.8, 5.4), layout="constrained")
    axes = figure.add_subplot()
    # Nobody tells 25 hues apart: neighbours differ in lightness, and a number names each region.
    shades = torch.linspace(0.05, 1, count)[torch.randperm(count, generator=torch.Generator().manual_seed(3))]
    colours = ListedColormap([colormaps["cividis"](float(shade)) for shade in shades]).with_extremes(bad="white")
    shown = np.ma.masked_less(regions.cpu().numpy(), 0)
    extent = (*bounds, *bounds)
    axes.imshow(shown, cmap=colours, vmin=-0.5, vmax=count - 0.5, origin="lower", extent=extent, interpolation="nearest")
    low, step = bounds[0], (bounds[1] - bounds[0]) / len(regions)
    for region in regions[regions >= 0].unique().tolist():
        y, x = ((regions == region).nonzero().double().median(dim=0).values * step + low).tolist()
        axes.annotate(str(region), (x, y), color="white", fontsize=8, ha="center", bbox={"fc": "black", "pad": 1, "lw": 0})
    axes.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
    axes.set_title(title, fontsize=10)
    return figure


def save(figure: Figure, file: Path) -> None:
    """Write a figure as PNG."""
    figure.savefig(file, dpi=120)


def contact_sheet(images: Tensor, titles: Sequence[str], columns: int = 8) -> Figure:
    """Images ``(N, C, H, W)`` in [-1, 1], each with its title below."""
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(1.5 * columns, 2.0 * rows), layout="constrained")
    pixels = ((images.float().clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).cpu().numpy()
    for number, (image, title) in enumerate(zip(pixels, titles, strict=True), 1):
        axes = figure.add_subplot(rows, columns, number)
        axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[], frame_on=False)
        axes.set_xlabel(textwrap.fill(textwrap.shorten(title, 160), 28), fontsize=6)
    return figure
