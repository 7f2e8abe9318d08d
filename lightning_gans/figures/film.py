"""A film of what a run has kept of its samples, or of its reconstructions, as its training went on."""

from __future__ import annotations

import io
import itertools
import math
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lightning_gans.config_files import read_config
from lightning_gans.data import Images
from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.figures.kinds import KINDS
from lightning_gans.figures.progress import OF_FILM, Progress
from lightning_gans.whole_files import write_whole

FILMED = tuple(name for name, kind in KINDS.items() if hasattr(kind, "frame"))
"""The kinds of pictures that there are films of."""
SUFFIXES = (".gif", ".webp", ".mp4")
_SIDE = 84  # pixels of an image, about
_HEAD, _LETTERS = 26, 15  # pixels of the line with the step, and of its letters
_RATE = 25  # pictures a second of a video
_SHORTEST = 20  # milliseconds: browsers slow down what is faster


def frames(run_folder: Path, kind: str = "samples") -> list[tuple[int, Image.Image]]:
    """(step, picture) of every time that a run has kept, in their order and all of one size, with the step in the picture.

    Images are enlarged by whole factors, points lie over the true centres. A run that went on from another has its times, too.

    Args:
        run_folder: such as ``runs/gaan_digits/version_0``.
        kind: ``samples`` or ``reconstructions``.

    Raises:
        InputError: there is no such run or kind, or nothing was kept of it, or one time only.
    """
    folder = Path(run_folder)
    if kind not in FILMED:
        raise InputError(f"there is no film of {kind}; give one of {', '.join(FILMED)}")
    kept = Progress(folder / "pictures")
    times = max((kept.times(f"{kind}{OF_FILM}"), kept.times(kind)), key=len)  # older runs have kept no more than they drew
    if len(times) < 2:
        there = f"only step {times[0][0]} of its {kind}" if times else f"no {kind}"
        raise InputError(
            f"{folder} has kept {there}, which makes no film; give the folder of a run that trained longer, with pictures.film "
            f"true and {kind} among pictures.kinds"
        )
    if times[0][1].dim() == 2:
        return _of_points(folder, kind, times)
    return [(step, _page(step, images)) for step, images in times]


def write_film(frames: Sequence[tuple[int, Image.Image]], file: Path, seconds: float) -> None:
    """Write pictures of one size as a GIF or WebP that begins again at its end, or as an MP4; the last is seen for longest.

    Args:
        frames: (step, picture).
        file: ends in ``.gif``, ``.webp`` or ``.mp4``; for the last, ``imageio-ffmpeg`` or a program ``ffmpeg`` must be there.
        seconds: how long it takes.

    Raises:
        InputError: the file is called otherwise or cannot be written, there is no ``ffmpeg``, or the film takes no time.
    """
    if file.suffix not in SUFFIXES:
        raise InputError(f"{file} is no film; call it {', '.join(f'{file.stem}{suffix}' for suffix in SUFFIXES)}")
    content = encoded(frames, file.suffix, seconds)
    try:
        write_whole(file, content)
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}); set --out to a place of yours") from error


def encoded(frames: Sequence[tuple[int, Image.Image]], suffix: str, seconds: float, quality: int | None = None) -> bytes:
    """What ``write_film`` writes.

    Args:
        frames: (step, picture).
        suffix: one of ``SUFFIXES``.
        seconds: how long it takes.
        quality: of WebP, 0 to 100; none for pictures as they are.

    Raises:
        InputError: there is no ``ffmpeg`` for a video, or the film takes no time.
    """
    if not 0 < seconds < 3600:
        raise InputError(f"--seconds is {seconds:g}, but a film takes more than none and less than 3600; give another")
    pictures = [picture for _, picture in frames]
    shares = [1] * (len(pictures) - 1) + [1 + len(pictures) // 6]
    each = seconds / sum(shares)
    if suffix == ".mp4":
        counts = [max(1, round(share * each * _RATE)) for share in shares]
        return _video(list(itertools.chain.from_iterable(map(itertools.repeat, pictures, counts))))
    return _animated(pictures, [max(_SHORTEST, 10 * round(100 * share * each)) for share in shares], suffix, quality)


def _of_points(folder: Path, kind: str, times: Sequence[tuple[int, Tensor]]) -> list[tuple[int, Image.Image]]:
    """Every time in the plane of the data that the run's config names."""
    data = Images(read_config(folder / "config.yaml")["data"]["dataset"])  # points are made on the spot
    data.setup("validate")
    return [(step, _plane(f"{kind}, step {step}", points, data)) for step, points in times]


def _plane(title: str, points: Tensor, data: Images) -> Image.Image:
    """Points over the true centres."""
    figure = plots.scatter([(title, points)], data.centres, data.extent)
    figure.set_dpi(plots.DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _page(step: int, images: Tensor) -> Image.Image:
    """Bytes of images ``(N, C, H, W)``, or numbers of them in [-1, 1], in rows below their step."""
    zoom = max(1, round(_SIDE / images.shape[-2]))
    grid = Image.fromarray(plots.tiled(images, zoom, _columns(len(images))).permute(1, 2, 0).numpy())
    page = Image.new("RGB", (max(grid.width, 10 * _LETTERS), grid.height + _HEAD), "white")
    page.paste(grid, (0, _HEAD))
    font = ImageFont.load_default(_LETTERS)
    ImageDraw.Draw(page).text((6, _HEAD / 2), f"step {step:,}", fill="black", font=font, anchor="lm")
    return page


def _columns(count: int) -> int:
    """Of a whole rectangle, if there is one that is no line."""
    rows = next(rows for rows in range(math.isqrt(count), 0, -1) if count % rows == 0)
    return count // rows if rows > 1 or count < 4 else math.isqrt(count - 1) + 1


def _animated(pictures: Sequence[Image.Image], milliseconds: list[int], suffix: str, quality: int | None) -> bytes:
    """A GIF or a WebP."""
    if all(_is_grey(picture) for picture in pictures):  # every grey has a place in a palette, which colours are fitted to
        pictures = [picture.convert("L") for picture in pictures]
    of_webp: dict[str, Any] = {"lossless": True} if quality is None else {"quality": quality, "method": 4}
    settings: dict[str, Any] = of_webp if suffix == ".webp" else {"optimize": True}
    written, (first, *others) = io.BytesIO(), pictures
    first.save(written, suffix[1:], save_all=True, append_images=others, duration=milliseconds, loop=0, **settings)
    return written.getvalue()


def _is_grey(picture: Image.Image) -> bool:
    pixels = np.asarray(picture)
    return bool((pixels == pixels[..., :1]).all())


def _video(pictures: Sequence[Image.Image]) -> bytes:
    """An MP4 that every player plays: H.264, 4:2:0, for which sides must be even."""
    width, height = pictures[0].size
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(_RATE), "-i", "-"]
    result = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white", "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p"]
    pixels = b"".join(picture.tobytes() for picture in pictures)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "film.mp4")
        command = [_ffmpeg(), "-v", "error", *source, *result, "-movflags", "+faststart", str(file)]
        done = subprocess.run(command, input=pixels, capture_output=True)
        if done.returncode or not file.is_file():
            said = (done.stderr.decode(errors="replace").strip().splitlines() or ["it says nothing"])[-1]
            raise InputError(f"ffmpeg makes no film ({said}); set --out to a .gif or .webp")
        return file.read_bytes()


def _ffmpeg() -> str:
    """The program that makes videos."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        if (found := shutil.which("ffmpeg")) is not None:
            return found
    raise InputError("an .mp4 needs ffmpeg; pip install 'lightning-gans[film]', or set --out to a .gif or .webp")
