"""The same latents under several texts."""

from __future__ import annotations

import textwrap

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.data.source import decode_caption, encode_captions
from lightning_gans.data.split import fit_captions
from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.figures.subject import COLUMNS, Subject, no_data
from lightning_gans.randomness import keyed_generator

OPTIONS = ("text", "along")
_FEWEST_COLUMNS = 3
_LINE, _LONGEST = 30, 110  # characters of a row's name
_TRIED = 50  # test images that are looked through for each caption that differs from the others


def draw(subject: Subject) -> Figure:
    """A caption a row, a latent a column (Reed et al. 2016, Fig. 3): the texts given, else captions of test images.

    That is ``num_images`` in all, but 3 to 10 columns, and 10 rows of test captions at most. ``along``: from one text to
    another by column, in the numbers that the model makes of them, a latent a row (Fig. 8, left).

    Raises:
        InputError: not two texts to go between, or one that is longer than those that the model was trained on.
    """
    if subject.along:
        return _between(subject)
    captions = _given(subject) if subject.text else _of_test_images(subject)
    count = min(COLUMNS, max(_FEWEST_COLUMNS, subject.num_images // len(captions)))
    made = subject.decode_under(_latents(subject, count).repeat(len(captions), 1), captions.repeat_interleave(count, dim=0))
    whose = "text" if subject.text else "caption of a test image"
    title = f"{whose} by row, latent by column, {subject.name}"
    return plots.table(made.unflatten(0, (-1, count)), [], title, [_name(decode_caption(row)) for row in captions])


def why_not(subject: Subject) -> str | None:
    """What the model, its data or what was asked for lack."""
    name = type(subject.model).__name__
    if not getattr(subject.model, "conditional", False):
        return f"{name} has no condition"
    if (problem := no_data(subject)) is not None:
        return problem
    if "captions" not in getattr(subject.data, "condition_kinds", {}):
        return "conditions of the data are no captions"
    if subject.along and not callable(getattr(subject.model, "texts", None)):
        return f"{name} makes no numbers of a text to go along"
    return "samples are points and no images" if subject.points else None


def _between(subject: Subject) -> Figure:
    if len(subject.text) != 2:
        raise InputError(f"--along goes from one text to another, and {len(subject.text)} are given; give --text twice")
    first, last = subject.model.texts(_given(subject).to(subject.model.device)).float().cpu()
    count = max(1, subject.num_images // COLUMNS)
    t = torch.linspace(0, 1, COLUMNS)
    ways = torch.lerp(first, last, t[:, None]).repeat(count, 1)
    made = subject.decode_under(_latents(subject, count).repeat_interleave(COLUMNS, dim=0), ways)
    title = f"from {subject.text[0]!r} to {subject.text[1]!r} by column, latent by row, {subject.name}"
    return plots.table(made.unflatten(0, (-1, COLUMNS)), [f"{by:.2f}" for by in t.tolist()], title)


def _latents(subject: Subject, count: int) -> Tensor:
    """``(count, dim)``: the same each time."""
    prior = subject.model.prior
    return subject.to_model(prior.sample(count, keyed_generator("captions", subject.seed)))


def _given(subject: Subject) -> Tensor:
    """The texts that were asked for, ``(N, L)``, L being that of the training's captions."""
    width = subject.data.condition_kinds["captions"].width
    codes = torch.from_numpy(encode_captions([[text] for text in subject.text]))[:, 0].long()
    if codes.shape[1] > width:
        longest = max(subject.text, key=lambda text: len(text.encode()))
        raise InputError(
            f"{longest!r} has {codes.shape[1]} bytes, but captions of {subject.data.name} have at most {width}; "
            "give a shorter text"
        )
    return fit_captions(codes, width)


def _of_test_images(subject: Subject) -> Tensor:
    """Captions of test images that differ from each other, ``(N, L)``, the same each time."""
    wanted = min(COLUMNS, max(1, round(subject.num_images**0.5)))
    rows = subject.rows(min(subject.data.size("test"), wanted * _TRIED))
    there = subject.data.conditions("test", rows)
    codes = (there["captions"] if isinstance(there, dict) else there).cpu()
    _, number = codes.unique(dim=0, return_inverse=True)
    first: dict[int, int] = {}
    for row, same in enumerate(number.tolist()):
        first.setdefault(same, row)
    return codes[[*first.values()][:wanted]]


def _name(caption: str) -> str:
    return textwrap.fill(textwrap.shorten(caption, _LONGEST, placeholder=" ..."), _LINE)
