"""From an image in a file to the pixels that are packed."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lightning_gans.errors import InputError

Crop = int | Literal["resize"] | None
Box = tuple[float, float, float, float]

UNREADABLE = (
    *(UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError),
    *(zipfile.BadZipFile, zlib.error, RuntimeError),  # an archive that is damaged or encrypted
)


def decode(raw: bytes) -> Image.Image:
    """An encoded image, turned upright. What is none, or damaged, raises one of ``UNREADABLE``."""
    image = Image.open(io.BytesIO(raw))
    image.load()
    return ImageOps.exif_transpose(image)


def to_pixels(
    image: Image.Image, size: int | None, channels: int | None, crop: Crop = None, box: Box | None = None
) -> np.ndarray:
    """uint8 ``(C, H, W)``: grey or colour, cut, then scaled to a square of ``size`` pixels.

    Args:
        image: of any mode.
        size: side in pixels; ``None`` leaves what was cut out as it is.
        channels: 1 or 3, ``None`` for the image's own.
        crop: ``None`` cuts out the largest square in the middle if a size is given, an int a square of so many pixels in the
            middle, ``resize`` nothing: the image is squeezed into the square.
        box: left, upper, right and lower edge in pixels, of a square that is cut out instead.

    Raises:
        InputError: the image is smaller than the crop, or has pixels of 32 bits, whose white nobody knows.
    """
    if image.mode in ("I", "F"):
        raise InputError(f"an image has pixels of mode {image.mode} (32 bits); convert it to 8 or 16 bits")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))  # Pillow would cut at 255
    channels = channels or (1 if image.mode in ("1", "L") else 3)
    image = image.convert("L" if channels == 1 else "RGB")
    box = box or _box(image.width, image.height, size, crop)
    width, height = (size, size) if size else (round(box[2] - box[0]), round(box[3] - box[1]))
    if image.size != (width, height) or box != (0, 0, width, height):
        grows = width > box[2] - box[0]
        image = image.resize((width, height), Image.Resampling.BICUBIC if grows else Image.Resampling.LANCZOS, box)
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _box(width: int, height: int, size: int | None, crop: Crop) -> Box:
    if crop == "resize" or (crop is None and size is None):
        return (0, 0, width, height)
    side = min(width, height) if crop is None else crop
    if side > min(width, height):
        raise InputError(f"an image is {width}x{height}, too small for data.crop {side}; lower it")
    left, upper = (width - side) // 2, (height - side) // 2
    return (left, upper, left + side, upper + side)
