"""The same styles in every class of a latent."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.figures import plots
from lightning_gans.figures.conditions import class_names
from lightning_gans.figures.subject import COLUMNS, Subject, category_of, no_category
from lightning_gans.protocols import encodes
from lightning_gans.randomness import keyed_generator

_FEWEST_ROWS, _MOST_COLUMNS = 4, 30


def draw(subject: Subject) -> Figure:
    """A style a row, a category a column (Makhzani et al. 2015, Fig. 6).

    Styles, all of a latent but its category, are draws of the prior; where the model encodes the upper half of the rows has
    those of test images, which are the first column. That is ``num_images`` in all, but 4 to 10 rows; 30 columns at most.
    """
    prior = subject.model.prior
    part = category_of(prior)
    assert part is not None
    kinds = min(prior.parts[part].dim, _MOST_COLUMNS)
    count = min(COLUMNS, max(_FEWEST_ROWS, subject.num_images // kinds))
    rows = subject.rows(count)
    of_images = rows[: count // 2] if encodes(subject.model) and subject.data is not None else rows[:0]
    z = subject.to_model(prior.sample(count - len(of_images), keyed_generator("styles", subject.seed)))
    if len(of_images):
        z = torch.cat([subject.encode(of_images, **subject.noise).to(z), z])
    z = z[:, None].repeat(1, kinds, 1)
    z[:, :, prior.slices[part]] = torch.eye(prior.parts[part].dim)[:kinds].to(z)
    made = subject.decode(z.flatten(0, 1), rows.repeat_interleave(kinds)).unflatten(0, z.shape[:2])
    columns = _names(subject, prior.parts[part].dim)[:kinds]
    if len(of_images):
        made, columns = torch.cat([_beside(subject.real(of_images).float().cpu(), made), made], 1), ["test image", *columns]
    names = ["style of the test image"] * len(of_images) + ["style of the prior"] * (count - len(of_images))
    left_out = f" (the first {kinds} of {prior.parts[part].dim})" if kinds < prior.parts[part].dim else ""
    return plots.table(made, columns, f"one style by row, {part} by column{left_out}, {subject.name}", names)


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    return no_category(subject)


def _beside(images: Tensor, made: Tensor) -> Tensor:
    """A column of images, white where there are none: ``(rows, 1, C, H, W)``."""
    column = torch.ones_like(made[:, :1])
    column[: len(images), 0] = images
    return column


def _names(subject: Subject, count: int) -> list[str]:
    """Of the categories: the classes of the data where the model was told them, else numbers."""
    told = getattr(subject.model, "learns_labels", False) and subject.data is not None
    names = class_names(subject.data) if told else []
    return names if len(names) == count else [*map(str, range(count))]
