"""Where two encoders put test samples on the unit sphere."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from lightning_gans.figures.plots import BLUE, class_colours
from lightning_gans.figures.subject import BATCH, Subject, no_data

# The first unit's symbols are the inner ring (SAE, Fig. 6).
_MARKERS = ((".", 14, "first unit (generalising)"), ("^", 7, "second unit (diversifying)"))


def draw(subject: Subject) -> Figure:
    """Both units' symbols of test samples by class, in the Lambert azimuthal projection around the first's (SAE, Fig. 6)."""
    return over_training(subject, [(f"symbols of {subject.name}", keep(subject))])


def keep(subject: Subject) -> Tensor:
    """Both units' symbols of the same test samples each time, ``(N, 2, 3)``."""
    rows = _rows(subject)
    return torch.cat([subject.model.unit_symbols(subject.real(part)).float().cpu() for part in rows.split(BATCH)])


def over_training(subject: Subject, times: Sequence[tuple[str, Tensor]]) -> Figure:
    """The same test samples' symbols at each time, each around the middle that the first unit's have then."""
    labels, names = subject.data.labels("test"), list(subject.data.classes)
    numbers = torch.zeros(len(times[0][1]), dtype=torch.long) if labels is None else labels.cpu()[_rows(subject)]
    palette = [BLUE] if labels is None else class_colours(max(len(names), int(numbers.max()) + 1))
    colours = [palette[number] for number in numbers.tolist()]
    columns = min(4, len(times))
    rows = -(-len(times) // columns)
    figure = Figure(figsize=(max(4.8, 3.2 * columns), 3.4 * rows + 1.4), layout="constrained")
    figure.suptitle(f"symbols of test samples by {subject.model_and_data}", fontsize=10)
    right = None
    for place, (title, symbols) in enumerate(times, 1):
        axes = figure.add_subplot(rows, columns, place)
        _draw_globe(axes, title)
        flat, right = project(symbols, symbols[:, 0].mean(dim=0), right)
        for unit, (marker, size, _) in reversed([*enumerate(_MARKERS)]):
            x, y = flat[:, unit].T.numpy()
            axes.scatter(x, y, s=size, marker=marker, c=colours, linewidths=0, alpha=0.8)
    shapes = [Line2D([], [], ls="", marker=marker, color="0.3", label=name) for marker, _, name in _MARKERS]
    classes = [] if labels is None else zip(names, palette, strict=False)
    dots = [Line2D([], [], ls="", marker="o", color=colour, label=name) for name, colour in classes]
    figure.legend(handles=[*shapes, *dots], loc="outside lower center", ncols=min(5, 2 + len(dots)), frameon=False, fontsize=8)
    return figure


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    name, dim = type(subject.model).__name__, subject.model.prior.dim
    if not callable(getattr(subject.model, "unit_symbols", None)):
        return f"{name} has no two units that encode to a sphere"
    return f"symbols of {name} have {dim} numbers, and a sphere needs 3" if dim != 3 else no_data(subject)


def project(symbols: Tensor, centre: Tensor, right: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The Lambert azimuthal projection, which keeps areas: ``(..., 3)`` of unit length to ``(..., 2)`` of a disc of radius 2.

    Args:
        symbols: points on the sphere.
        centre: ``(3,)``, the direction that the middle of the disc shows; the opposite one is its rim.
        right: ``(3,)``, the direction that is to the right of it, as far as it can be; none for any.

    Returns:
        The points, and the direction that is to the right.
    """
    pole = torch.nn.functional.normalize(centre.double(), dim=0)
    if right is None:
        right = torch.eye(3, dtype=torch.double)[pole.abs().argmin()]
    right = torch.nn.functional.normalize(right - (right @ pole) * pole, dim=0)
    up = torch.linalg.cross(pole, right)
    points = torch.nn.functional.normalize(symbols.double(), dim=-1)
    plane = torch.nn.functional.normalize(points @ torch.stack([right, up], dim=1), dim=-1)
    return (plane * (2 - 2 * (points @ pole)[..., None]).clamp(min=0).sqrt()).float(), right


def _draw_globe(axes: Axes, title: str) -> None:
    """The rim, and dashed the circle of 90 degrees."""
    turn = torch.linspace(0, 2 * torch.pi, 181)
    for radius, style in ((2.0, "-"), (2**0.5, "--")):
        axes.plot(radius * turn.cos(), radius * turn.sin(), style, color="0.6", lw=0.8)
    axes.set(aspect="equal", xlim=(-2.08, 2.08), ylim=(-2.08, 2.08))
    axes.set_axis_off()
    axes.set_title(title, fontsize=9)


def _rows(subject: Subject) -> Tensor:
    return subject.rows(min(subject.num_points, subject.data.size("test")))
