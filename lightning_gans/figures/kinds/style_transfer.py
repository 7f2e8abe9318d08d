"""Styles of test images under other texts."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from lightning_gans.figures import plots
from lightning_gans.figures.subject import COLUMNS, Subject, no_encoder
from lightning_gans.figures.texts import captions_of, no_captions

OPTIONS = ("text",)
_FEWEST_ROWS = 3


def draw(subject: Subject) -> Figure:
    """A test image a row, a text a column (Reed et al. 2016, Fig. 6): its code decoded under the text.

    Texts are those given, else captions of test images. The test image is the first column. That is ``num_images`` in all, but
    3 to 10 rows.

    Raises:
        InputError: a text cannot be read.
    """
    captions, names = captions_of(subject)
    count = min(COLUMNS, max(_FEWEST_ROWS, subject.num_images // len(captions)))
    rows = subject.rows(count)
    z = subject.encode(rows, **subject.noise)
    made = subject.decode_under(z.repeat_interleave(len(captions), dim=0), captions.repeat(count, 1))
    shown = torch.cat([subject.real(rows).float().cpu()[:, None], made.unflatten(0, (count, -1))], 1)
    return plots.table(shown, ["test image", *names], f"style of a test image by row, text by column, {subject.name}")


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    return no_encoder(subject) or no_captions(subject)
