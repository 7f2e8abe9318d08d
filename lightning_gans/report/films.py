"""Samples of the same noise over a training, as one moving picture."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

_KIND = "samples"


def frames(run_folder: Path) -> list[tuple[int, Image.Image]]:
    """(step, picture) of each time at which samples were drawn; a file that is damaged is left out."""
    found = []
    for file in run_folder.glob(f"pictures/{_KIND}_*.png"):
        number = file.stem.removeprefix(f"{_KIND}_")
        if number.isdigit() and file.is_file():
            try:
                with Image.open(file) as picture:
                    found.append((int(number), picture.convert("RGB")))
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
                continue
    return sorted(found, key=lambda frame: frame[0])


def write_film(frames: list[tuple[int, Image.Image]], file: Path, seconds: float) -> None:
    """Write frames as an animated WebP or GIF, whichever the file is called, that takes ``seconds`` and begins again.

    The last one stays for three times as long as the others.
    """
    pictures = [picture for _, picture in frames]
    each = round(1000 * seconds / (len(pictures) + 2))
    times = [each] * (len(pictures) - 1) + [3 * each]
    pictures[0].save(file, save_all=True, append_images=pictures[1:], duration=times, loop=0, quality=60, method=4)
