"""The texts of pictures: those that somebody asks for, or captions of test images."""

from __future__ import annotations

import textwrap

from torch import Tensor

from lightning_gans.data.folder import shown
from lightning_gans.data.latents import caption_codes
from lightning_gans.data.source import decode_caption
from lightning_gans.data.written import typed
from lightning_gans.figures.subject import COLUMNS, Subject, no_data

_LINE, _LONGEST = 30, 110  # characters of a name
_TRIED = 50  # test images that are looked through for each caption that differs from the others


def no_captions(subject: Subject) -> str | None:
    """Why there are no images of texts, ``None`` where there are."""
    if not getattr(subject.model, "conditional", False):
        return f"{type(subject.model).__name__} has no condition"
    if (problem := no_data(subject)) is not None:
        return problem
    if "captions" not in getattr(subject.data, "condition_kinds", {}):
        return "conditions of the data are no captions"
    return "samples are points and no images" if subject.points else None


def captions_of(subject: Subject) -> tuple[Tensor, list[str]]:
    """The texts given, else captions of test images, ``(N, L)``, and what they are called, in lines.

    Raises:
        InputError: a text cannot be read.
    """
    codes = texts_of(subject) if subject.text else _of_test_images(subject)
    names = (textwrap.shorten(shown(decode_caption(row)), _LONGEST, placeholder=" ...") for row in codes)
    return codes, [textwrap.fill(name, _LINE) for name in names]


def texts_of(subject: Subject) -> Tensor:
    """The texts that were asked for, int64 ``(N, L)``, filled up as captions of the training are.

    Raises:
        InputError: a text is none, or the model's encoder reads nothing in it.
    """
    check = getattr(getattr(subject.model, "text_encoder", None), "check_caption", None)
    texts = [typed(text, "--text") for text in subject.text]
    if callable(check):
        for text in texts:
            check(text)
    return caption_codes(texts, subject.data.condition_kinds["captions"].width)


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
