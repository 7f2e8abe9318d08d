"""Images decoded on all cores and written one after the other into an array on the disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from tqdm import tqdm

from lightning_gans.data.description import Description
from lightning_gans.data.source import Samples
from lightning_gans.errors import InputError

_AHEAD = 256  # images decoded ahead of the writer, if they take no more than
_AHEAD_BYTES = 2**28
_TOGETHER = 16  # small images that a thread decodes at a time: handing them over one by one costs as much as decoding them
_SMALL = 2**20
_DARK = 64  # no image of all is as bright: they use a corner of their type, such as 0 and 1, or 12 of 16 bits


def no_space(what: str, folder: Path, needed: str = "") -> InputError:
    """The sentence for a full disk."""
    return InputError(f"no space left in {folder} for the pack of {what}{needed}; make room there or set data.root elsewhere")


def noted(description: Description, brightest: int) -> Description:
    """What is said of images of which none is bright, now and whenever the pack is opened."""
    if brightest >= _DARK:
        return description
    note = f"no pixel is brighter than {brightest} of 255: scale the images to the whole range of their type"
    rank_zero_warn(note)
    return replace(description, note="; ".join(filter(None, [description.note, note])))


def write_images(file: BinaryIO, samples: Samples, what: str, room: int) -> int:
    """Decode on all cores, write in order; gives the brightest value.

    Plain writes, because a full disk kills a process that writes to mapped memory.
    """
    images = _decoded(samples, what)
    first = next(images)
    if samples.size * first.nbytes > room:
        raise no_space(what, Path(file.name).parent.parent, f", which takes {samples.size * first.nbytes / 2**30:,.1f} GiB")
    shape = (samples.size, *first.shape)
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    file.write(first.tobytes())
    brightest = int(first.max())
    for number, image in enumerate(images, 1):
        if image.shape != first.shape:
            sizes = [f"{i.shape[2]}x{i.shape[1]}" for i in (image, first)]
            called, others = samples.called(number), "the first" if samples.files is None else samples.called(0)
            if sizes[0] == sizes[1]:
                raise InputError(f"{what} has both grey and colour images ({others}, {called}); set data.channels to 1 or 3")
            raise InputError(f"{called} of {what} is {sizes[0]}, {others} is {sizes[1]}; set data.image_size")
        file.write(image.tobytes())
        brightest = brightest if brightest >= _DARK else max(brightest, int(image.max()))
    return brightest


def _decoded(samples: Samples, what: str) -> Iterator[np.ndarray]:
    """The images in order, decoded on all cores, never more than a few ahead of who takes them."""
    first = samples.image(0)
    together = _TOGETHER if first.nbytes < _SMALL else 1
    ahead = max(2, min(_AHEAD, _AHEAD_BYTES // first.nbytes) // together)
    waiting: deque[Future[list[np.ndarray]]] = deque()
    with ThreadPoolExecutor() as pool, tqdm(total=samples.size, desc=f"packing {what}", delay=1, unit=" images") as bar:
        yield first
        bar.update()
        try:
            for start in range(1, samples.size, together):
                numbers = range(start, min(start + together, samples.size))
                waiting.append(pool.submit(lambda numbers: [*map(samples.image, numbers)], numbers))
                if len(waiting) > ahead:
                    yield from (decoded := waiting.popleft().result())
                    bar.update(len(decoded))
            while waiting:
                yield from (decoded := waiting.popleft().result())
                bar.update(len(decoded))
        finally:
            for future in waiting:
                future.cancel()
