"""An image of somebody's own, as the samples of a dataset are."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from lightning_gans.data.pixels import FORMATS, decode
from lightning_gans.data.source import Source
from lightning_gans.errors import InputError
from lightning_gans.messages import first_line


def own_image(data: Any, raw: bytes, name: str = "the file") -> Tensor:
    """The image ``(C, H, W)`` in [-1, 1] in a file's content, cut and scaled as those of the data are.

    Args:
        data: ``lightning_gans.Images`` after ``setup``.
        raw: what is in the file.
        name: of the file, for people.

    Raises:
        InputError: it is no image, it is too large to be decoded, or too small for ``data.crop``.
    """
    source = data.source
    assert isinstance(source, Source)
    channels, size, _ = data.shape
    like = copy(source)
    like.request = replace(source.request, image_size=size, channels=3 if channels == 3 else 1)
    try:
        pixels = like.pixels(decode(raw))
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except Exception as error:  # a damaged image may raise anything
        most = (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise InputError(
            f"{name} cannot be read as an image ({first_line(error)}); take a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} of "
            f"at most {most} megapixels"
        ) from error
    return torch.tensor(pixels).float().mul_(2 / 255).sub_(1)
