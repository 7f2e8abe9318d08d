"""What each code of a latent does while the rest of it stays."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.figures import plots
from lightning_gans.figures.subject import COLUMNS, Subject
from lightning_gans.labelled_priors import Categorical
from lightning_gans.priors import Normal, Prior, Uniform
from lightning_gans.product import Product
from lightning_gans.randomness import keyed_generator

_LONGEST, _MOST_COLUMNS, _FEWEST_ROWS = 10, 30, 3
_REACH = 2.0


def draw(subject: Subject) -> Figure:
    """A block of rows for each code: its values by column, and each row another draw of all the rest (InfoGAN, Fig. 2).

    A categorical code has a column for each of its values; each number of another code goes twice as far as uniform draws
    reach, or to two standard deviations: from -2 to 2 in InfoGAN, whose codes are drawn in [-1, 1]. Codes are the parts that
    the model names in ``codes``; else all parts of at most 10 numbers and all categorical ones, but not the widest of the
    others, which is taken for the noise. Rows are the same in every block; conditions are those of test images by row.
    """
    prior = subject.model.prior
    codes = _codes(subject)
    columns = max(COLUMNS, *(len(values) for _, _, values in codes))
    count = min(COLUMNS, max(_FEWEST_ROWS, subject.num_images // columns))
    rest, rows = prior.sample(count, keyed_generator("traversals", subject.seed)), subject.rows(count)
    panels = []
    for number, (name, place, values) in enumerate(codes):
        z = rest[:, None].repeat(1, len(values), 1)
        z[:, :, place] = values.to(z)
        made = subject.decode(z.flatten(0, 1), rows.repeat_interleave(len(values)))
        whose = f"; each row is another draw of all the rest, {subject.name}" if number == 0 else ""
        panels.append((f"{name}{whose}", made, len(values)))
    return plots.grids(panels)


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    if not isinstance(subject.model.prior, Product):
        return f"latents of {type(subject.model).__name__} have no parts, as those of a Product have"
    if subject.points:
        return "samples are points and no images"
    return (
        None if _codes(subject) else f"latents of {type(subject.model).__name__} have no part that is a code beside the noise"
    )


def _codes(subject: Subject) -> list[tuple[str, slice, Tensor]]:
    """Of each code, or number of one, what it is, its place in the latent, and its values ``(V, numbers)``."""
    prior: Product = subject.model.prior
    found = []
    for name in _names(subject.model):
        part, place = prior.parts[name], prior.slices[name]
        if isinstance(part, Categorical):
            left_out = f" (the first {_MOST_COLUMNS} of {part.dim})" if part.dim > _MOST_COLUMNS else ""
            found.append((f"{name}: its {part.dim} values by column{left_out}", place, torch.eye(part.dim)[:_MOST_COLUMNS]))
            continue
        low, high = _bounds(part)
        for number in range(part.dim):
            which = f"{name}, number {number + 1}" if part.dim > 1 else name
            values = torch.linspace(low, high, COLUMNS)[:, None]
            found.append(
                (f"{which}: from {low:g} to {high:g} by column", slice(place.start + number, place.start + number + 1), values)
            )
    return found


def _names(model: object) -> list[str]:
    """Of the parts that are codes."""
    parts: dict[str, Prior] = model.prior.parts  # type: ignore[attr-defined]
    if isinstance(told := getattr(model, "codes", None), Mapping):  # of others that is what they encode to
        return [name for name in parts if name in told]
    others = {name: part.dim for name, part in parts.items() if not isinstance(part, Categorical)}
    noise = max(others, key=lambda name: others[name], default=None)
    return [name for name in parts if name != noise and (name not in others or others[name] <= _LONGEST)]


def _bounds(part: Prior) -> tuple[float, float]:
    """How far a number goes."""
    if isinstance(part, Uniform):
        middle, half = (part.low + part.high) / 2, (part.high - part.low) / 2
        return middle - _REACH * half, middle + _REACH * half
    return (-_REACH * part.std, _REACH * part.std) if isinstance(part, Normal) else (-_REACH, _REACH)
