"""What is kept of each drawing time of a run, to show the way of its training at the end."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

OF_FILM = "_film"
"""After the name of a kind, what a film shows of it."""


def frame_after(step: int) -> int:
    """The next step that a film shows: the first, and each at least ten and a fifth after the one before."""
    frame = 1
    while frame <= step:
        frame = max(frame + 10, round(frame * 1.2))
    return frame


class Progress:
    """A small file a kind and a time, so that a resumed run still has what was kept before.

    Not in checkpoints: every one of them would hold all times again. Numbers are stored in 16 bits, bytes as they are.

    Args:
        pictures: the folder of the run's pictures; the files are in ``progress/`` of it.
    """

    def __init__(self, pictures: Path) -> None:
        self._folder = pictures / "progress"

    def begin(self, checkpoint: str | Path | None, step: int) -> None:
        """Take over what the run that is resumed has kept up to its step, and nothing of any other run."""
        mine = {file.name for file in self._folder.glob("*.npz")}
        if checkpoint is not None:
            before = next((place for place in self._places(checkpoint) if place.is_dir()), self._folder)
            taken = [file for file in before.glob("*.npz") if _step(file) <= step]
            if before.resolve() != self._folder.resolve():
                self._folder.mkdir(parents=True, exist_ok=True)
                for file in taken:
                    shutil.copyfile(file, self._folder / file.name)
            mine -= {file.name for file in taken}
        for name in mine:
            (self._folder / name).unlink()

    def add(self, kind: str, step: int, kept: Tensor) -> float | None:
        """Store what a kind keeps of a step; gives its mean squared change since the time before per 100 steps."""
        self._folder.mkdir(parents=True, exist_ok=True)
        numbers, changed = (kept if kept.dtype == torch.uint8 else kept.detach().half()).cpu().numpy(), None
        earlier = [file for file in self._files(kind) if _step(file) < step]
        if earlier and (before := np.load(earlier[-1])["kept"]).shape == numbers.shape:
            square = np.square(numbers.astype(np.float64) - before)
            changed = float(square.mean()) * 100 / (step - _step(earlier[-1]))
        scratch = self._folder / "scratch.tmp"
        with open(scratch, "wb") as stream:
            np.savez_compressed(stream, kept=numbers, changed=np.nan if changed is None else changed)
        scratch.replace(self._folder / f"{kind}_{step:07d}.npz")
        return changed

    def spread(self, kind: str, count: int, changes: bool) -> list[tuple[str, Tensor]]:
        """(title, what was kept) of the first time, the last and some evenly between, ``count`` at most.

        With ``changes`` the titles say also what ``add`` has given.
        """
        files = self._files(kind)
        if len(files) > count:
            files = [files[round(i * (len(files) - 1) / (count - 1))] for i in range(count)]
        times = [self._time(file, changes) for file in files]
        return [time for time in times if time[1].shape == times[-1][1].shape]  # resumed with other settings of pictures

    def times(self, kind: str) -> list[tuple[int, Tensor]]:
        """(step, what was kept) of every time, as far as it can be read and is of the shape of the last."""
        kept = []
        for file in self._files(kind):
            with suppress(OSError, ValueError, KeyError, BadZipFile):
                kept.append((_step(file), self._time(file, changes=False)[1]))
        return [time for time in kept if time[1].shape == kept[-1][1].shape]  # resumed with other settings of pictures

    @staticmethod
    def _time(file: Path, changes: bool) -> tuple[str, Tensor]:
        with np.load(file) as stored:
            kept, changed = torch.from_numpy(stored["kept"]), float(stored["changed"])
            kept = kept if kept.dtype == torch.uint8 else kept.float()
        said = f",\nmean squared change {changed:.2g} / 100 steps" if changes and not np.isnan(changed) else ""
        return f"step {_step(file)}{said}", kept

    def _files(self, kind: str) -> list[Path]:
        return sorted((file for file in self._folder.glob("*.npz") if file.stem.rpartition("_")[0] == kind), key=_step)

    @staticmethod
    def _places(checkpoint: str | Path) -> list[Path]:
        return [folder / "pictures" / "progress" for folder in Path(checkpoint).parents[:2]]


def _step(file: Path) -> int:
    return int(file.stem.rpartition("_")[2])
