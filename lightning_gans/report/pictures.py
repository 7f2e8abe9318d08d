"""Pictures and films of runs, small enough to be sent."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

from lightning_gans.errors import InputError
from lightning_gans.figures.film import encoded, frames
from lightning_gans.figures.kinds import KINDS, OVER_TRAINING
from lightning_gans.report.reading import Run

_OF_A_STEP = re.compile(r"(.+)_(\d{7,})")
_EACH_TIME = [name for name, kind in KINDS.items() if getattr(kind, "EACH_TIME", False)]
_ORDER = {name: place for place, kind in enumerate(KINDS) for name in (kind, f"{kind}{OVER_TRAINING}")}
_SECONDS_OF_A_FRAME = 0.5
_MOST_SECONDS = 12.0
_SQUARE = 1.3  # times as wide as high at most


@dataclass(frozen=True)
class Size:
    """How small everything is made.

    Args:
        width: pixels of a picture, at most; of one that is much wider than high twice as many.
        quality: of WebP, 0 to 100.
        film_width: pixels of a film, 0 for no films.
        film_frames: of one, at most.
        others: whether pictures that are drawn at the end only are shown.
    """

    width: int = 480
    quality: int = 80
    film_width: int = 400
    film_frames: int = 40
    others: bool = True


SIZES = (
    Size(),
    Size(480, 65, 300, 16),
    Size(400, 50, 240, 12),
    Size(320, 45, 200, 8),
    Size(320, 45, 200, 8, others=False),
    Size(320, 45, 0, 0, others=False),
    Size(200, 30, 0, 0, others=False),
)
"""From the one that is wanted to the smallest."""


@dataclass(frozen=True)
class Picture:
    """An embedded picture: its address with all of its content, pixels, and the step that it shows."""

    address: str
    width: int
    height: int
    step: int
    still: str = ""


class Album:
    """The pictures of a run, those of the runs that it goes on from included.

    Args:
        run: that has drawn them.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._problems: list[str] = []

    def look(self) -> list[str]:
        """Read all of it; gives a sentence for what is left out."""
        _ = self.last, self.frames
        return self._problems

    @cached_property
    def last(self) -> Mapping[str, tuple[int, Image.Image]]:
        """Step and picture of each kind, as drawn last; a damaged one is left out, and said."""
        files: dict[str, tuple[int, Path]] = {}
        for one in self.run.way:
            for file in sorted(filter(Path.is_file, (one.folder / "pictures").glob("*.png"))):
                timed = _OF_A_STEP.fullmatch(file.stem)
                kind, step = (timed[1], int(timed[2])) if timed else (file.stem, one.steps)
                if kind not in files or files[kind][0] <= step:
                    files[kind] = step, file
        found = {}
        for kind, (step, file) in sorted(files.items(), key=lambda item: (_place(item[0]), item[0])):
            try:
                with Image.open(file, formats=["PNG"]) as opened:
                    found[kind] = step, _on_white(opened)
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                why = " ".join(str(error).replace(str(file), file.name).split())
                self._problems.append(f"pictures/{file.name} is left out, for it is damaged ({why})")
        return found

    @cached_property
    def frames(self) -> list[tuple[int, Image.Image]]:
        """Step and picture of each time that was kept; none where there are fewer than two."""
        try:
            return frames(self.run.folder)
        except InputError:
            return []

    def shown(self, size: Size) -> dict[str, Picture]:
        """The last picture of each kind."""
        kept = {kind: one for kind, one in self.last.items() if size.others or kind in _EACH_TIME}
        return {kind: _embedded(picture, step, size) for kind, (step, picture) in kept.items()}

    def film(self, size: Size) -> Picture | None:
        """The samples as they change, and the last of them for who wants nothing that moves."""
        if not self.frames or not size.film_width:
            return None
        chosen = _spread(self.frames, size.film_frames)
        last = _shrunk(chosen[-1][1], size.film_width)
        small = [(step, _shrunk(picture, size.film_width).resize(last.size)) for step, picture in chosen]
        seconds = min(_MOST_SECONDS, _SECONDS_OF_A_FRAME * (len(small) + 2))
        address = _address(encoded(small, ".webp", seconds, size.quality))
        still = _embedded(last, chosen[-1][0], Size(size.film_width, size.quality))
        return Picture(address, *last.size, chosen[-1][0], still.address)


def kinds_of(shown: Sequence[Mapping[str, Picture]]) -> list[str]:
    """Of all runs, in the order in which they are shown."""
    return sorted({kind for each in shown for kind in each}, key=lambda kind: (_place(kind), kind))


def is_of_each_time(kind: str) -> bool:
    """Whether it is drawn as training goes on."""
    return kind in _EACH_TIME


def _place(kind: str) -> tuple[bool, int]:
    return kind not in _EACH_TIME, _ORDER.get(kind, len(_ORDER))


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode not in ("RGBA", "LA", "P"):
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _shrunk(picture: Image.Image, width: int) -> Image.Image:
    if picture.width <= width:
        return picture
    return picture.resize((width, max(1, round(picture.height * width / picture.width))), Image.Resampling.LANCZOS)


def _embedded(picture: Image.Image, step: int, size: Size) -> Picture:
    small = _shrunk(picture, size.width if picture.width <= _SQUARE * picture.height else 2 * size.width)
    stream = io.BytesIO()
    small.save(stream, "WEBP", quality=size.quality, method=4)
    return Picture(_address(stream.getvalue()), *small.size, step)


def _address(content: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def _spread(frames: list[tuple[int, Image.Image]], count: int) -> list[tuple[int, Image.Image]]:
    """So many of them, the first and the last included."""
    if len(frames) <= count:
        return frames
    return [frames[round(number * (len(frames) - 1) / (count - 1))] for number in range(count)]
