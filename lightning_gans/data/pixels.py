"""From an image in a file to the pixels that are packed."""

from __future__ import annotations

import io
import math
from typing import Literal

import numpy as np
from PIL import ExifTags, Image

from lightning_gans.errors import InputError

Crop = int | Literal["resize"] | None
Box = tuple[float, float, float, float]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Of image files, whatever they are called; others, such as PostScript, are programs that Pillow would start another to run."""

BACKGROUND = (255, 255, 255)
"""What shows through where an image is transparent."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(raw: bytes) -> Image.Image:
    """An encoded image, turned upright. What is none, or damaged, may raise any exception."""
    image: Image.Image = Image.open(io.BytesIO(raw), formats=FORMATS)
    width, height = image.size
    if not width or not height:
        raise ValueError(f"it is {width}x{height} pixels")
    if width * height > (Image.MAX_IMAGE_PIXELS or math.inf):
        raise ValueError(f"it is {width}x{height} pixels, which may be a bomb")
    image.load()
    if image.format == "PPM" and image.mode == "I":  # Pillow scales what has more than 8 bits to 16
        image = Image.fromarray(np.asarray(image).astype(np.uint16))
    turn = _UPRIGHT.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def to_pixels(
    image: Image.Image, size: int | None, channels: int | None, crop: Crop = None, box: Box | None = None
) -> np.ndarray:
    """uint8 ``(C, H, W)``: grey or colour on a white background, cut, then scaled to a square of ``size`` pixels.

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
        raise InputError(f"its pixels are of mode {image.mode} (32 bits); convert it to 8 or 16 bits")
    if image.mode.startswith("I;16"):
        image = _eight_bits(image)
    channels = channels or (1 if image.mode in ("1", "L", "LA", "La") else 3)
    if image.has_transparency_data:
        rgba = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, BACKGROUND), rgba)
    image = image.convert("L" if channels == 1 else "RGB")
    box = box or _box(image.width, image.height, size, crop)
    width, height = (size, size) if size else (round(box[2] - box[0]), round(box[3] - box[1]))
    if image.size != (width, height) or box != (0, 0, width, height):
        grows = width > box[2] - box[0]
        image = image.resize((width, height), Image.Resampling.BICUBIC if grows else Image.Resampling.LANCZOS, box)
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    """The upper half of 16 bits, for Pillow would cut at 255; a value that means transparent becomes alpha."""
    values, clear = np.asarray(image), image.info.get("transparency")
    image = Image.fromarray((values >> 8).astype(np.uint8))
    if isinstance(clear, int):
        image.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return image


def _orientation(image: Image.Image) -> int:
    """As the camera was held, read alone: other parts of EXIF may be damaged."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # EXIF is of other people's making and may raise anything
        return 1


def _box(width: int, height: int, size: int | None, crop: Crop) -> Box:
    if crop == "resize" or (crop is None and size is None):
        return (0, 0, width, height)
    side = min(width, height) if crop is None else crop
    if side > min(width, height):
        raise InputError(f"it is {width}x{height}, too small for data.crop {side}; lower it")
    left, upper = (width - side) // 2, (height - side) // 2
    return (left, upper, left + side, upper + side)
