"""What each code of a latent does while the rest of it stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.figures import plots
from lightning_gans.figures.subject import COLUMNS, Subject
from lightning_gans.labelled_priors import Categorical
from lightning_gans.priors import Normal, Prior, Uniform
from lightning_gans.product import Product
from lightning_gans.randomness import keyed_generator

LONGEST = 10
"""Numbers of a part that is a code and no noise."""
_MOST_COLUMNS, _FEWEST_ROWS = 30, 3
_REACH = 2.0


@dataclass(frozen=True)
class Code:
    """A part of a latent that goes through some values, or one number of a part.

    Args:
        name: of the part, and of its number where there are several.
        place: in the latent.
        values: that it goes through ``(V, numbers)``; of a category all that it can have, one-hot.
        is_category: whether it is one of several classes.
    """

    name: str
    place: slice
    values: Tensor
    is_category: bool

    @property
    def title(self) -> str:
        """What it is, and its values by column."""
        if not self.is_category:
            return f"{self.name}: from {self.values[0].item():g} to {self.values[-1].item():g} by column"
        count = len(self.values)
        left_out = f" (the first {_MOST_COLUMNS} of {count})" if count > _MOST_COLUMNS else ""
        return f"{self.name}: its {count} values by column{left_out}"


def draw(subject: Subject) -> Figure:
    """A block of rows for each code: its values by column, and each row another draw of all the rest (InfoGAN, Fig. 2).

    A categorical code has a column for each of its values; each number of another code goes twice as far as uniform draws
    reach, or to two standard deviations: from -2 to 2 in InfoGAN, whose codes are drawn in [-1, 1]. Codes are the parts that
    the model names in ``codes``; else all parts of at most 10 numbers and all categorical ones, but not the widest of the
    others, which is taken for the noise. Rows are the same in every block; conditions are those of test images by row.
    """
    prior = subject.model.prior
    codes = [(code.title, code.place, code.values[:_MOST_COLUMNS]) for code in codes_of(subject.model)]
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
        None
        if codes_of(subject.model)
        else f"latents of {type(subject.model).__name__} have no part that is a code beside the noise"
    )


def codes_of(model: object) -> list[Code]:
    """The codes of a model whose prior is a ``Product``, a number each but for categories."""
    prior: Product = model.prior  # type: ignore[attr-defined]
    return [code for name in _names(model) for code in numbers_of(prior.parts[name], name, prior.slices[name].start)]


def numbers_of(part: Prior, name: str, start: int = 0) -> list[Code]:
    """Of a part of a latent that begins at ``start``: the whole of a category, else each number."""
    if isinstance(part, Categorical):
        return [Code(name, slice(start, start + part.dim), torch.eye(part.dim), True)]
    values = torch.linspace(*_bounds(part), COLUMNS)[:, None]
    names = [f"{name}, number {number + 1}" if part.dim > 1 else name for number in range(part.dim)]
    return [Code(each, slice(start + number, start + number + 1), values, False) for number, each in enumerate(names)]


def _names(model: object) -> list[str]:
    """Of the parts that are codes."""
    parts: dict[str, Prior] = model.prior.parts  # type: ignore[attr-defined]
    if isinstance(told := getattr(model, "codes", None), Mapping):  # of others that is what they encode to
        return [name for name in parts if name in told]
    others = {name: part.dim for name, part in parts.items() if not isinstance(part, Categorical)}
    noise = max(others, key=lambda name: others[name], default=None)
    return [name for name in parts if name != noise and (name not in others or others[name] <= LONGEST)]


def _bounds(part: Prior) -> tuple[float, float]:
    """How far a number goes."""
    if isinstance(part, Uniform):
        middle, half = (part.low + part.high) / 2, (part.high - part.low) / 2
        return middle - _REACH * half, middle + _REACH * half
    return (-_REACH * part.std, _REACH * part.std) if isinstance(part, Normal) else (-_REACH, _REACH)
