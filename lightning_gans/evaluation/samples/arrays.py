"""Images and points as tensors, whatever they come in."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lightning_gans.data.pixels import to_pixels
from lightning_gans.errors import InputError


def as_tensor(images: Any) -> Tensor:
    """Images ``(N, C, H, W)``, or points ``(N, 2)``.

    Args:
        images: a tensor, which is left as it is; a NumPy array ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)``; or a list
            of such tensors or arrays without their first dimension, or of Pillow's images.

    Raises:
        InputError: they are something else, or of different sizes.
    """
    if isinstance(images, Tensor):
        return images
    if isinstance(images, list):
        parts = [_as_array(one) for one in images]
        if len(shapes := {part.shape for part in parts}) != 1:
            raise InputError(f"the list holds images of the shapes {sorted(shapes)}; give at least one, and all of one size")
        images = np.stack(parts)
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    try:
        return torch.from_numpy(np.ascontiguousarray(images))
    except TypeError as error:
        raise InputError(f"the images are an array of {images.dtype}, but must be uint8 or floating in [-1, 1]") from error


def _as_array(image: Any) -> np.ndarray:
    if isinstance(image, Image.Image):
        return to_pixels(image, None, None)
    if not isinstance(image, Tensor | np.ndarray):
        raise InputError(f"the list holds {type(image).__name__}; give tensors, NumPy arrays or Pillow's images")
    return image.numpy(force=True) if isinstance(image, Tensor) else image
