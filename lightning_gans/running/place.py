"""The one folder of a run, claimed so that no other run can have it, and the files that numbers go to."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lightning_gans.errors import InputError

_OF_TENSORBOARD = "events.out.tfevents."  # which it begins before anything is checked
_VERSION = re.compile(r"version_(\d+)")


def claim(parent: Path) -> Path:
    """Make the folder ``version_N`` of a new run below ``parent``, N above all that are there.

    Runs that start at once get folders of their own: to make one that is there already fails, whoever is first.
    Only the first rank makes it; the others ask ``run_folder``.

    Raises:
        InputError: it cannot be made.
    """
    try:
        there = [match[1] for entry in parent.iterdir() if (match := _VERSION.fullmatch(entry.name))] if parent.is_dir() else []
        first = max(map(int, there), default=-1) + 1
        if getattr(rank_zero_only, "rank", 0) != 0:
            return parent / f"version_{max(0, first - 1)}"
        for number in itertools.count(first):
            folder = parent / f"version_{number}"
            with suppress(FileExistsError):
                folder.mkdir(parents=True)
                return folder
    except OSError as error:
        raise InputError(
            f"the log directory {parent} cannot be made ({error.strerror}); set trainer.default_root_dir elsewhere"
        ) from error
    raise AssertionError("numbers do not end")


def give_back(folder: Path) -> None:
    """Remove the folder of a run that has come to nothing, and those above that are empty then."""
    with suppress(OSError):
        begun = [*folder.iterdir()]
        if all(file.name.startswith(_OF_TENSORBOARD) for file in begun):
            for file in begun:
                file.unlink()
        for each in (folder, folder.parent, folder.parent.parent):
            each.rmdir()  # only what is empty


class RunFiles(Logger):
    """``metrics.csv`` in the folder of a run.

    Args:
        folder: ``ROOT/NAME/version_N``.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._csv = CSVLogger(folder.parent.parent, name=folder.parent.name, version=folder.name)

    @property
    def name(self) -> str:
        return self.folder.parent.name

    @property
    def version(self) -> str:
        return self.folder.name

    @property
    def save_dir(self) -> str:
        return str(self.folder.parent.parent)

    @property
    def log_dir(self) -> str:
        """The folder of the run."""
        return str(self.folder)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._csv.log_metrics(dict(metrics), step)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: ``config.yaml`` and ``run.json`` have them."""

    @property
    def experiment(self) -> Any:
        """The writer of the file; makes it while the folder is empty, for one with files in it would be warned of."""
        return self._csv.experiment

    def save(self) -> None:
        self._csv.save()

    def finalize(self, status: str) -> None:
        self._csv.finalize(status)
