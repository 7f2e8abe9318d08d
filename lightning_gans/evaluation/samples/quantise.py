"""Images as bytes, which is what published numbers are of."""

from __future__ import annotations

import math

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from lightning_gans.errors import InputError

_OVERSHOOT = 1.5  # generators without a last tanh leave [-1, 1] by less, images of another range by more
_DARK = 64
_JUDGED = 16  # of fewer images nobody can say that they should not be as they are


def quantise(images: Tensor) -> Tensor:
    """Floating images in [-1, 1] as the published FIDs take them, by rounding: ``floor((x + 1) * 127.5 + 0.5)`` in 0..255."""
    return ((images.float() + 1) * 127.5 + 0.5).floor_().clamp_(0, 255).to(torch.uint8)


def to_uint8(images: Tensor) -> Tensor:
    """Quantise generated images, if they are any.

    Args:
        images: floating ``(N, C, H, W)`` in [-1, 1] with 1 or 3 channels, N at least 1. What overshoots up to a factor of 1.5
            is clipped.

    Raises:
        InputError: another shape or type, NaN or infinity, a value beyond [-1.5, 1.5]; of 16 images or more, no value below 0
            (images in [0, 1]), or none with more than one colour.
    """
    if images.dim() != 4 or images.shape[1] not in (1, 3) or not images.numel() or not images.is_floating_point():
        raise InputError(
            f"the generator gives {images.dtype} {tuple(images.shape)} where floating images (N, 1 or 3, H, W) are due"
        )
    quantised = quantise(images)
    images = images.float()
    flat = (quantised.amax(dim=(2, 3)) == quantised.amin(dim=(2, 3))).all()
    low, high, constant = torch.stack([*images.aminmax(), flat]).tolist()  # one wait for the device
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError("the images have NaN or infinite values; the generator has diverged: take an earlier checkpoint")
    if low < -_OVERSHOOT or high > _OVERSHOOT:
        raise InputError(f"the images lie in [{low:.3g}, {high:.3g}] where [-1, 1] is due; scale what the generator returns")
    if len(images) < _JUDGED:
        return quantised
    if constant:
        raise InputError("every image is of one colour only; the generator has collapsed or was never trained")
    if low >= 0:
        raise InputError(f"the images lie in [{low:.3g}, {high:.3g}], as if in [0, 1], where [-1, 1] is due; scale them")
    return quantised


def warn_if_dark(images: Tensor, what: str) -> None:
    """Warn of uint8 images of which none is bright: of zeros and ones, or in another corner of the type."""
    if images.numel() and (brightest := int(images.max())) < _DARK:
        rank_zero_warn(f"no pixel of {what} is brighter than {brightest} of 255; scale them to the whole range of uint8")
