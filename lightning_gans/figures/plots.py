"""How things are drawn: pure functions from tensors to matplotlib figures or PNG files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

DPI = 120
# Okabe and Ito's palette, told apart with any colour vision.
BLUE, ORANGE = "#0072B2", "#D55E00"
_LINE_COLOURS = [BLUE, ORANGE, "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00"]
_LINE_STYLES: list[Any] = ["-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1))]
# Tol's muted scheme, made for the same purpose, and his pale grey.
_CLASS_COLOURS = ["#332288", "#DDCC77", "#117733", "#88CCEE", "#882255", "#44AA99", "#CC6677", "#999933", "#AA4499", "#BBBBBB"]


def save(figure: Figure, file: Path) -> None:
    """Write a figure as PNG."""
    with mpl.rc_context({"savefig.bbox": None}):  # anything else would resample the pixels of a grid
        figure.savefig(file, dpi=DPI)


def to_bytes(images: Tensor) -> Tensor:
    """uint8 by rounding, of any images: what is beyond [-1, 1] is clipped, what is not a number is black; bytes stay."""
    levels = ((images.float() + 1) * 127.5 + 0.5).nan_to_num(0.0).floor().clamp(0, 255).to(torch.uint8)
    return images if images.dtype == torch.uint8 else levels


def save_grid(images: Tensor, file: Path, columns: int | None = None) -> None:
    """Write images ``(N, C, H, W)`` in [-1, 1] as one PNG without a title, in rows of ``columns`` (a square if not given)."""
    pixels = to_bytes(images).cpu()
    if images.shape[-1] < 16:  # a pixel of the 8x8 digits would not be seen
        pixels = pixels.repeat_interleave(4, -1).repeat_interleave(4, -2)
    grid = make_grid(pixels, columns or max(1, round(len(images) ** 0.5)), padding=1, pad_value=128)
    Image.fromarray(grid.permute(1, 2, 0).numpy()).save(file)


def grids(panels: Sequence[tuple[str, Tensor, int]], across: int = 1) -> Figure:
    """Grids of images one below the other, or several side by side, in PNG files with whole pixels for each pixel.

    Args:
        panels: title, images ``(N, C, H, W)`` in [-1, 1], and the number of columns; by row. Without images the place is empty.
        across: how many side by side.
    """
    zoom = max(1, round(56 / panels[0][1].shape[-2]))
    tables = [tiled(images, zoom, columns) for _, images, columns in panels]
    margin = 10
    width = max(480 // across, *(table.shape[-1] for table in tables))
    titles = [textwrap.fill(title, width // 8) for title, *_ in panels]
    rows = [range(start, min(start + across, len(panels))) for start in range(0, len(panels), across)]
    heads = [max(18 * (1 + titles[n].count("\n")) + margin for n in row) for row in rows]
    heights = [max(tables[n].shape[-2] for n in row) for row in rows]
    wide, tall = across * (width + margin) + margin, sum(heads) + sum(heights) + margin
    figure = Figure(figsize=(wide / DPI, tall / DPI), dpi=DPI)
    top = tall
    for row, head, height in zip(rows, heads, heights, strict=True):
        for place, n in enumerate(row):
            left, (_, high, across_it) = margin + place * (width + margin), tables[n].shape
            figure.text(left / wide, (top - head / 2 - 1) / tall, titles[n], fontsize=8.5, va="center")
            axes = figure.add_axes((left / wide, (top - head - high) / tall, across_it / wide, high / tall))
            axes.imshow(tables[n].permute(1, 2, 0).numpy(), interpolation="nearest", aspect="auto")
            axes.set_axis_off()
            axes.set_label(panels[n][0])
        top -= head + height
    return figure


def tiled(images: Tensor, zoom: int, columns: int) -> Tensor:
    """uint8 ``(3, H, W)``: images in rows, each pixel so many across; a white one where there are none."""
    if not len(images):
        return torch.full((3, 1, 1), 255, dtype=torch.uint8)
    shown = to_bytes(images).cpu().repeat_interleave(zoom, -2).repeat_interleave(zoom, -1)
    return make_grid(shown, columns, padding=3, pad_value=128)


def table(images: Tensor, columns: Sequence[str], title: str, rows: Sequence[str] = ()) -> Figure:
    """Images in whole pixels with names around them.

    Args:
        images: ``(rows, columns, C, H, W)`` in [-1, 1].
        columns: their names, of a line or several, which stand slanted above them; none for no names.
        title: of all of it.
        rows: their names, left of them, of a line or several; none for no names.
    """
    _, count, _, height, width = images.shape
    longest, widest = (max((len(line) for name in names for line in name.split("\n")), default=0) for names in (columns, rows))
    zoom, margin, slanted = max(1, round(56 / height)), 10, 20 + 6 * longest if columns else 0
    left = margin + (12 + 7 * widest if rows else 0)
    framed = torch.nn.functional.pad(to_bytes(images).cpu(), (0, 3, 0, 3), value=255)
    pixels = framed.repeat_interleave(zoom, -2).repeat_interleave(zoom, -1).expand(-1, -1, 3, -1, -1)
    shown = pixels.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    wide = left + max(480, shown.shape[1] + slanted // 2) + margin
    title = textwrap.fill(title, (wide - 2 * margin) // 8)
    head = max(40, 18 * (1 + title.count("\n")) + margin)
    tall = shown.shape[0] + head + slanted + margin
    figure = Figure(figsize=(wide / DPI, tall / DPI), dpi=DPI)
    figure.text(margin / wide, 1 - head / 2 / tall, title, fontsize=8.5, va="center")
    axes = figure.add_axes((left / wide, margin / tall, shown.shape[1] / wide, shown.shape[0] / tall))
    axes.imshow(shown.numpy(), interpolation="nearest", aspect="auto")
    across, down = (
        [((n + 0.5) * (side + 3) - 1.5) * zoom - 0.5 for n in range(size)]
        for size, side in ((count, width), (len(images), height))
    )
    axes.set_xticks(across if columns else [], columns, rotation=60, ha="left", rotation_mode="anchor", fontsize=7.5)
    axes.xaxis.tick_top()
    axes.set_yticks(down if rows else [], rows, fontsize=7.5)
    axes.tick_params(length=0)
    axes.set_frame_on(False)
    return figure


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
        axes.scatter(x, y, s=2, color=BLUE, linewidths=0, alpha=0.6, label="points")
        limit = 1.2 * extent
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="x (data units)", ylabel="y")
        axes.set_title("\n".join(textwrap.fill(line, 38) for line in title.splitlines()), fontsize=9)
    legend = figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    legend.legend_handles[-1].set_sizes([15])  # type: ignore[union-attr]
    return figure


def latent_square(panels: int, bounds: tuple[float, float]) -> Figure:
    """Axes in a row, each the square of two latent numbers between ``bounds``."""
    figure = Figure(figsize=(5.6 * panels + 0.2, 6.1), layout="constrained")
    for axes in figure.subplots(1, panels, squeeze=False)[0]:
        axes.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", xlim=bounds, ylim=bounds)
    return figure


def draw_decoded(axes: Axes, images: Tensor, title: str) -> None:
    """Images ``(S, S, C, H, W)`` in [-1, 1], rows along the second latent number, each where its latent is."""
    framed = torch.nn.functional.pad(to_bytes(images), (1, 1, 1, 1), value=128).flip(0)
    mosaic = framed.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2).expand(-1, -1, 3)
    axes.imshow(mosaic.cpu().numpy(), extent=(*axes.get_xlim(), *axes.get_ylim()))
    axes.set_title(title, fontsize=10)


def draw_regions(axes: Axes, regions: Tensor, names: Sequence[str], title: str) -> None:
    """The square of latents, coloured by what each is mapped to; a name marks every region.

    Args:
        axes: of the square.
        regions: ``(S, S)``, rows along the second latent number: a number of ``names``, or -1 for none (white).
        names: of the regions.
        title: of the axes.
    """
    regions = regions.cpu()
    low, high = axes.get_xlim()
    colours = ListedColormap(class_colours(len(names))).with_extremes(bad="white")
    shown = np.ma.masked_less(regions.numpy(), 0)
    extent = (low, high, low, high)
    axes.imshow(shown, cmap=colours, vmin=-0.5, vmax=len(names) - 0.5, origin="lower", extent=extent, interpolation="nearest")
    for region in regions[regions >= 0].unique().tolist():
        places = (regions == region).nonzero().double()
        middle = places[(places - places.median(dim=0).values).square().sum(dim=1).argmin()]  # in it, where a median may not be
        y, x = ((middle + 0.5) / len(regions) * (high - low) + low).tolist()
        mark(axes, x, y, names[region])
    axes.set_title(title, fontsize=10)


def draw_codes(axes: Axes, codes: Tensor, labels: Tensor | None, names: Sequence[str], title: str) -> None:
    """Latents ``(N, 2)`` of real images by class, around the square of the other axes, in which they need not stay."""
    draw_classes(axes, codes, labels, names)
    low, high = axes.get_xlim()
    limit = 1.05 * max(reach(codes), abs(low), abs(high))
    axes.plot([low, high, high, low, low], [low, low, high, high, low], "k--", lw=0.8)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit))
    axes.set_title(title, fontsize=10)


def draw_classes(axes: Axes, points: Tensor, labels: Tensor | None, names: Sequence[str]) -> None:
    """Points ``(N, 2)``, coloured by class; a name marks the middle of each. Those that are no numbers are left out."""
    points = points.float().cpu()
    there = points.isfinite().all(dim=1)
    of = torch.zeros(len(points), dtype=torch.long) if labels is None else labels.cpu()
    (x, y), numbers = points[there].T.numpy(), of[there].numpy()
    colours = class_colours(len(names)) if labels is not None else [BLUE]
    axes.scatter(x, y, s=7, c=[colours[n] for n in numbers], linewidths=0, alpha=0.8)
    if labels is not None and 0 < len(names) <= 30:
        for number in np.unique(numbers):
            mark(axes, float(np.median(x[numbers == number])), float(np.median(y[numbers == number])), names[number])


def reach(*points: Tensor) -> float:
    """The largest size of their numbers; 1 where there are none but zeros."""
    numbers = torch.cat([each.float().abs().flatten().cpu() for each in points])
    return float(numbers[numbers.isfinite()].amax(0)) or 1.0 if numbers.isfinite().any() else 1.0


def densities(grid: Tensor, curves: Sequence[tuple[str, Tensor, Tensor]], unit: str, title: str) -> Figure:
    """Two densities on the line over the histograms of what they are of.

    Args:
        grid: where the densities are given ``(G,)``.
        curves: name, values ``(N,)`` for a histogram and densities ``(G,)``; the real data first.
        unit: of the values, for the axis.
        title: of the figure.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot(xlabel=unit, ylabel="density")
    axes.set_title(title, fontsize=10)
    edges = np.linspace(float(grid[0]), float(grid[-1]), 61).tolist()
    for (name, values, density), colour, style in zip(curves, (ORANGE, BLUE), ("--", "-"), strict=True):
        axes.hist(values.numpy(), bins=edges, density=True, color=colour, alpha=0.3)
        axes.plot(grid, density, style, color=colour, label=name)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


@dataclass(frozen=True)
class Curve:
    """A measure over the training: its ``values`` at ``steps``, and where it is a mean of several runs their ``std``."""

    name: str
    steps: Sequence[int]
    values: Sequence[float]
    std: Sequence[float] | None = None


def curves(panels: Sequence[tuple[str, Sequence[Curve]]]) -> Figure:
    """Lines over the training steps, a panel for each (label of its axis, curves); a name looks the same in all of them.

    Axes begin at 0 unless there is something below.
    """
    names = list(dict.fromkeys(curve.name for _, shown in panels for curve in shown))
    figure = Figure(figsize=(5.6 * len(panels) + 0.6, 4.2 + 0.2 * len(names)), layout="constrained")
    for axes, (label, shown) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for curve in shown:
            number = names.index(curve.name)
            colour, style = _LINE_COLOURS[number % len(_LINE_COLOURS)], _LINE_STYLES[number % len(_LINE_STYLES)]
            mark = "o" if len(curve.steps) <= 40 else None
            axes.plot(curve.steps, curve.values, color=colour, ls=style, marker=mark, ms=3, lw=1.6, label=curve.name)
            if curve.std is not None:
                middle, spread = np.asarray(curve.values), np.asarray(curve.std)
                axes.fill_between(curve.steps, middle - spread, middle + spread, color=colour, alpha=0.2, lw=0)
        lows = [np.asarray(curve.values) - (0 if curve.std is None else np.asarray(curve.std)) for curve in shown]
        if all(low.min() >= 0 for low in lows):
            axes.set_ylim(bottom=0)  # else small differences look large
        axes.set(xlabel="training steps (batches)", ylabel=textwrap.fill(label, 44))
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    lines = {line.get_label(): line for axes in figure.axes for line in axes.lines}
    figure.legend([lines[name] for name in names], names, loc="outside lower center", frameon=False, handlelength=4)
    return figure


def class_colours(count: int) -> list[Any]:
    """A colour for each of so many classes, told apart with any colour vision as far as that goes."""
    if count <= len(_CLASS_COLOURS):
        return _CLASS_COLOURS[:count]
    # Nobody tells 25 hues apart: neighbours differ in lightness, and names mark the regions.
    shades = torch.linspace(0.05, 1, count)[torch.randperm(count, generator=torch.Generator().manual_seed(3))]
    return [colormaps["cividis"](float(shade)) for shade in shades]


def mark(axes: Axes, x: float, y: float, name: str, dark: bool = True) -> None:
    """A name in a box, in white on black or the other way round."""
    front, back = ("white", "black") if dark else ("black", "white")
    box = {"fc": back, "ec": front, "pad": 1, "lw": 0 if dark else 0.8, "alpha": 0.8 if dark else 1.0}
    axes.annotate(name, (x, y), color=front, fontsize=8, ha="center", va="center", bbox=box)


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
