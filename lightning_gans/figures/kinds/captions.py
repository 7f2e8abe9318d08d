"""The same latents under several texts."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.data.written import brief
from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.figures.subject import COLUMNS, Subject
from lightning_gans.figures.texts import captions_of, no_captions, texts_of
from lightning_gans.randomness import keyed_generator

OPTIONS = ("text", "along")
_FEWEST_COLUMNS = 3


def draw(subject: Subject) -> Figure:
    """A caption a row, a latent a column (Reed et al. 2016, Fig. 3): the texts given, else captions of test images.

    That is ``num_images`` in all, but 3 to 10 columns, and 10 rows of test captions at most. ``along``: from one text to
    another by column, in the numbers that the model makes of them, a latent a row (Fig. 8, left).

    Raises:
        InputError: not two texts to go between, or one that cannot be read.
    """
    if subject.along:
        return _between(subject)
    captions, names = captions_of(subject)
    count = min(COLUMNS, max(_FEWEST_COLUMNS, subject.num_images // len(captions)))
    made = subject.decode_under(_latents(subject, count).repeat(len(captions), 1), captions.repeat_interleave(count, dim=0))
    whose = "text" if subject.text else "caption of a test image"
    title = f"{whose} by row, latent by column, {subject.name}"
    return plots.table(made.unflatten(0, (-1, count)), [], title, names)


def why_not(subject: Subject) -> str | None:
    """What the model, its data or what was asked for lack."""
    if subject.along and not callable(getattr(subject.model, "texts", None)):
        return f"{type(subject.model).__name__} makes no numbers of a text to go along"
    return no_captions(subject)


def _between(subject: Subject) -> Figure:
    if len(subject.text) != 2:
        raise InputError(f"--along goes from one text to another, and {len(subject.text)} are given; give --text twice")
    first, last = subject.model.texts(texts_of(subject).to(subject.model.device)).float().cpu()
    count = max(1, subject.num_images // COLUMNS)
    t = torch.linspace(0, 1, COLUMNS)
    ways = torch.lerp(first, last, t[:, None]).repeat(count, 1)
    made = subject.decode_under(_latents(subject, count).repeat_interleave(COLUMNS, dim=0), ways)
    title = f"from {brief(subject.text[0])} to {brief(subject.text[1])} by column, latent by row, {subject.name}"
    return plots.table(made.unflatten(0, (-1, COLUMNS)), [f"{by:.2f}" for by in t.tolist()], title)


def _latents(subject: Subject, count: int) -> Tensor:
    """``(count, dim)``: the same each time."""
    prior = subject.model.prior
    return subject.to_model(prior.sample(count, keyed_generator("captions", subject.seed)))
