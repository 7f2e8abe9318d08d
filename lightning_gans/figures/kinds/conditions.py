"""The same latents under several conditions."""

from __future__ import annotations

import textwrap

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.figures import plots
from lightning_gans.figures.conditions import class_names
from lightning_gans.figures.subject import COLUMNS, Subject, no_data
from lightning_gans.networks.conditions import NO_LABEL, LabelCondition
from lightning_gans.randomness import keyed_generator

OPTIONS = ("without",)
_MOST_ROWS, _FEWEST_COLUMNS, _LONGEST_NAME = 20, 3, 30
# ALI's Fig. 7: what each row has, and what its columns (b) to (l) have besides; + goes on from the column before
_ROWS = {
    "male, attractive, young": ("Male", "Attractive", "Young"),
    "male, attractive, older": ("Male", "Attractive"),
    "female, attractive, young": ("Attractive", "Young"),
    "female, attractive, older": ("Attractive",),
}
_LAUGHING = ("Black_Hair", "Smiling", "Mouth_Slightly_Open")
_COLUMNS = {
    "black hair": ("Black_Hair",),
    "brown hair": ("Brown_Hair",),
    "blond hair": ("Blond_Hair",),
    "black, wavy": ("Black_Hair", "Wavy_Hair"),
    "blond, bangs": ("Blond_Hair", "Bangs"),
    "blond, receding": ("Blond_Hair", "Receding_Hairline"),
    "blond, balding": ("Blond_Hair", "Bald"),
    "black, smiling": ("Black_Hair", "Smiling"),
    "+ mouth open": _LAUGHING,
    "+ eyeglasses": (*_LAUGHING, "Eyeglasses"),
    "+ hat": (*_LAUGHING, "Eyeglasses", "Wearing_Hat"),
}
_USED = sorted({name for names in (*_ROWS.values(), *_COLUMNS.values()) for name in names})


def draw(subject: Subject) -> Figure:
    """The same latents under several conditions.

    Of CelebA's attributes one latent under those of ALI's Fig. 7 (Dumoulin et al., 2017): who it is by row, hair and
    expression by column, every other attribute 0. Of other attributes one a row, which alone is 1; of labels a class a row; a
    latent a column. That is ``num_images`` in all, but 3 to 10 columns, and 20 rows at most. What was chosen are the rows of
    classes, or takes the place of the zeros of attributes that the picture does not set.

    ``without`` the latent all of its numbers are 0, and a condition has one image; without the label samples are under none:
    zeros in its place, in a grid of ``num_images`` latents.
    """
    if subject.without == "label":
        return _without_label(subject)
    if subject.without == "latent" and subject.data.condition_name == "labels":
        return _labels_alone(subject)
    names, values, what = _rows(subject)
    fig7 = values.dim() == 3
    few = 1 if subject.without else min(COLUMNS, max(_FEWEST_COLUMNS, subject.num_images // len(names)))
    count = values.shape[1] if fig7 else few
    given = values.flatten(0, 1) if fig7 else values.repeat_interleave(count, dim=0)
    z = _latents(subject, 1 if fig7 else count)
    made = subject.decode_under(z.repeat(len(given) // len(z), 1), given)
    what += ", with latent 0" if subject.without else ""
    return plots.table(made.unflatten(0, (-1, count)), [*_COLUMNS] if fig7 else [], f"{what}, {subject.name}", names)


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    if not getattr(subject.model, "conditional", False):
        return f"{type(subject.model).__name__} has no condition"
    if (problem := no_data(subject)) is not None:
        return problem
    if getattr(subject.data, "condition_name", None) not in ("labels", "attributes"):
        return "conditions of the data are neither labels nor attributes"
    if subject.without == "label":
        return _no_way_without_label(subject)
    return "samples are points and no images" if subject.points else None


def _latents(subject: Subject, count: int) -> Tensor:
    """``(count, dim)``: draws of the prior, or zeros where latents are left out."""
    prior = subject.model.prior
    if subject.without == "latent":
        return torch.zeros(count, prior.dim)
    return prior.sample(count, keyed_generator("conditions", subject.seed))


def _labels_alone(subject: Subject) -> Figure:
    """An image a class, ten in a row."""
    names, values = _classes(subject)
    made = subject.decode_under(_latents(subject, len(values)), values)
    white = torch.ones(-len(made) % COLUMNS, *made.shape[1:]) if len(made) > COLUMNS else made[:0]
    one_row = len(made) <= COLUMNS
    shown = torch.cat([made, white]).unflatten(0, (-1, len(made) if one_row else COLUMNS))
    parts = [names[start : start + COLUMNS] for start in range(0, len(names), COLUMNS)]
    rows = [] if one_row else [f"{part[0]} to {part[-1]}" for part in parts]
    title = f"an image a class in their order, with latent 0, {subject.name}"
    return plots.table(shown, names if one_row else [], title, rows)


def _without_label(subject: Subject) -> Figure:
    """A grid of samples under no condition."""
    count = subject.num_images
    of_attributes = subject.data.condition_name == "attributes"
    none = torch.zeros(count, len(subject.data.attributes)) if of_attributes else torch.full((count,), NO_LABEL)
    what = "all attributes 0" if of_attributes else "no label: zeros in the place of its numbers"
    made = subject.decode_under(_latents(subject, count), none)
    return plots.grids([(f"samples with {what}, {subject.name}", made, max(1, round(count**0.5)))])


def _no_way_without_label(subject: Subject) -> str | None:
    if subject.chosen is not None:
        return "what was chosen by --condition cannot be left out; give --condition or --without label"
    has_them = any(isinstance(module, LabelCondition) for module in subject.model.modules())
    if subject.data.condition_name == "labels" and not has_them:
        return f"the networks of {type(subject.model).__name__} have no LabelCondition, which could do without a label"
    return "samples are points and no images" if subject.points else None


def _classes(subject: Subject) -> tuple[list[str], Tensor]:
    """Names of the classes, all or those that were chosen, and their numbers."""
    names, chosen = class_names(subject.data), subject.chosen
    shown = torch.arange(len(names)) if chosen is None else torch.tensor([*dict.fromkeys(chosen.values.tolist())])
    return [_short(names[number]) for number in shown.tolist()], shown


def _rows(subject: Subject) -> tuple[list[str], Tensor, str]:
    """Names of the rows, the condition of each ``(rows,)`` or ``(rows, A)``, of Fig. 7 of each cell, and what is shown."""
    data, chosen = subject.data, subject.chosen
    if data.condition_name == "labels":
        return _first(*_classes(subject), "class")
    there = list(data.attributes)
    others = torch.zeros(1, len(there)) if chosen is None else chosen.values
    if {*_USED} <= {*there}:
        given = others.repeat(len(_ROWS), len(_COLUMNS), 1)
        given[..., [there.index(name) for name in _USED]] = 0
        for row, whose in zip(given, _ROWS.values(), strict=True):
            for cell, how in zip(row, _COLUMNS.values(), strict=True):
                cell[[there.index(name) for name in (*whose, *how)]] = 1
        rest = "0" if chosen is None else "as chosen"
        return [*_ROWS], given, f"one latent under the attributes of row and column, all others {rest}"
    each = torch.cat([others, torch.maximum(others, torch.eye(len(there)))])
    return _first(["none" if chosen is None else "as chosen", *(name.replace("_", " ") for name in there)], each, "attribute")


def _first(names: list[str], values: Tensor, kind: str) -> tuple[list[str], Tensor, str]:
    """As many rows as there may be."""
    left_out = f" (the first {_MOST_ROWS} of {len(names)})" if len(names) > _MOST_ROWS else ""
    return [_short(name) for name in names[:_MOST_ROWS]], values[:_MOST_ROWS], f"{kind} by row{left_out}, latent by column"


def _short(name: str) -> str:
    return textwrap.shorten(name, _LONGEST_NAME, placeholder=" ...")
