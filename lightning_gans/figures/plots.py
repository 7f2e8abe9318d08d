"""Pictures of samples: pure functions from tensors to matplotlib figures or PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor
from torchvision.utils import save_image

# Okabe and Ito's palette, told apart with any colour vision.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#B0B0B0"


def save_grid(images: Tensor, file: Path, columns: int | None = None) -> None:
    """Write images ``(N, C, H, W)`` in [-1, 1] as one PNG, in rows of ``columns`` (a square if not given)."""
    columns = columns or max(1, round(len(images) ** 0.5))
    images = images.float().clamp(-1, 1)
    if images.shape[-1] < 16:  # a pixel of the 8x8 digits would not be seen
        images = images.repeat_interleave(4, -1).repeat_interleave(4, -2)
    save_image((images + 1) / 2, file, nrow=columns, padding=1, pad_value=0.5)


def scatter(panels: Sequence[tuple[str, Tensor]], centres: Tensor | None, extent: float) -> Figure:
    """Points ``(N, 2)`` in data units, a panel for each (title, points), over the true centres."""
    columns = min(len(panels), 4)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.2 * columns, 3.3 * rows), layout="constrained")
    for number, (title, points) in enumerate(panels, 1):
        axes = figure.add_subplot(rows, columns, number)
        if centres is not None:
            axes.scatter(*centres.T.cpu(), s=60, facecolors="none", edgecolors=ORANGE, linewidths=0.8, label="true centres")
        axes.scatter(*points.T.float().cpu(), s=2, color=BLUE, linewidths=0, alpha=0.6, label="samples")
        limit = 1.2 * extent
        axes.set(title=title, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="x", ylabel="y")
    figure.axes[0].legend(loc="upper right", fontsize=6)
    return figure


def latent_map(latents: Tensor, regions: Tensor, count: int, title: str) -> Figure:
    """The plane of latents ``(N, 2)``, coloured by the region ``(N,)`` in ``range(count)`` that each is mapped to, or -1 for none."""
    figure = Figure(figsize=(5.4, 5), layout="constrained")
    axes = figure.add_subplot()
    # Twenty-five hues are not to be told apart, by anybody: neighbours differ in lightness too, and numbers name the regions.
    shades = torch.linspace(0.08, 0.95, count)[torch.randperm(count, generator=torch.Generator().manual_seed(3))]
    import matplotlib

    colours = ListedColormap([matplotlib.colormaps["cividis"](float(shade)) for shade in shades])
    lost = regions < 0
    axes.scatter(*latents[lost].T.cpu(), s=3, color="white", linewidths=0)
    axes.scatter(*latents[~lost].T.cpu(), s=3, c=regions[~lost].cpu(), cmap=colours, vmin=-0.5, vmax=count - 0.5, linewidths=0)
    for region in regions[~lost].unique().tolist():
        middle = latents[regions == region].median(dim=0).values.cpu()
        axes.annotate(str(region), tuple(middle.tolist()), color="white", fontsize=8, ha="center", bbox={"fc": "black", "pad": 1, "lw": 0})
    axes.set(title=title, xlabel="$z_1$", ylabel="$z_2$", aspect="equal", facecolor=ORANGE)
    return figure


def save(figure: Figure, file: Path) -> None:
    """Write a figure as PNG."""
    figure.savefig(file, dpi=120)
