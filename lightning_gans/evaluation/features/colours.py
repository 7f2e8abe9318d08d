"""Colours that captions name, as the labels of a classifier: of hair and eyes of drawn faces, or of any other noun."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gans.data.source import decode_caption
from lightning_gans.errors import InputError

COLOURS = (
    *("aqua", "black", "blonde", "blue", "brown", "gray", "green", "orange", "pink", "purple", "red", "white", "yellow"),
)
_LENGTHS = {"long", "short"}
_BEFORE = f"(?:{'|'.join((*COLOURS, *sorted(_LENGTHS), 'bicolored'))})"


def colour_in(captions: Iterable[str], noun: str) -> str | None:
    """The one colour of ``COLOURS`` that stands before a noun, with nothing but ``long`` and ``short`` between.

    None where the image's captions have none there, or several as in ``black blue hair``, or ``bicolored``.
    """
    before = re.compile(rf"\b((?:{_BEFORE} )*){re.escape(noun)}\b")
    named = {word for caption in captions for words in before.findall(caption.lower()) for word in words.split()} - _LENGTHS
    return named.pop() if len(named) == 1 and named <= {*COLOURS} else None


def colours_asked(captions: Tensor, noun: str) -> list[str | None]:
    """``colour_in`` of each of some captions, int64 ``(N, L)`` of bytes."""
    return [colour_in([decode_caption(row)], noun) for row in captions.tolist()]


def colours_named(captions: Iterable[Sequence[str]], noun: str) -> tuple[str, ...]:
    """The colours of a noun that the captions of some image name, in the order of ``COLOURS``."""
    named = {colour_in(of_image, noun) for of_image in captions}
    return tuple(colour for colour in COLOURS if colour in named)


def colour_labels(data: Any, split: str, noun: str, colours: Sequence[str] | None = None) -> tuple[Tensor, tuple[str, ...]]:
    """Labels from the captions of a split: int64 ``(N,)`` that count colours, -1 for images that are left out; the colours.

    Args:
        data: with ``captions(split)``, such as ``Images``.
        split: whose images.
        noun: what the colours are of, such as ``hair``.
        colours: that labels count; those named in this split where none.

    Raises:
        InputError: there are no captions.
    """
    captions = data.captions(split) if hasattr(data, "captions") else None
    if captions is None:
        raise InputError(f"{data.name} has no captions to find the colour of {noun} in; choose another dataset, or its labels")
    wanted = colours_named(captions, noun) if colours is None else tuple(colours)
    number = {colour: position for position, colour in enumerate(wanted)}
    return torch.tensor([number.get(colour_in(of_image, noun) or "", -1) for of_image in captions]), wanted


def labels_for(network: Any, data: Any, split: str) -> Tensor | None:
    """Labels ``(N,)`` of a split's images; of those that have one, where a classifier tells colours in their captions apart."""
    if getattr(network, "colour_of", None) is None:
        return data.labels(split)
    labels, _ = colour_labels(data, split, network.colour_of, network.classes)
    return labels[labels >= 0]


def classes_for(network: Any, data: Any) -> tuple[str, ...]:
    """What ``labels_for`` counts."""
    return data.classes if getattr(network, "colour_of", None) is None else network.classes
