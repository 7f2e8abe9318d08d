"""The one folder of a run, claimed so that no other run can have it, and the files that numbers go to."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lightning_gans.errors import InputError

RECORD = "run.json"
"""What a run says of itself, in its folder; where it is, there is a run."""

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


def of_checkpoint(checkpoint: Path) -> Path | None:
    """The folder of the run that saved a checkpoint, where it still lies in it."""
    return next((folder for folder in checkpoint.absolute().parents[:2] if (folder / RECORD).is_file()), None)


def new_folder(wanted: Path) -> Path:
    """Make a folder, as ``wanted-v1`` and so on where there is one already: the names that Lightning gives to checkpoints."""
    for name in itertools.chain([wanted.name], (f"{wanted.name}-v{number}" for number in itertools.count(1))):
        with suppress(FileExistsError):
            folder = wanted.with_name(name)
            folder.mkdir(parents=True)
            return folder
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


class _Numbers(ExperimentWriter):
    """A file of numbers beside whatever else there is, in the place of one that is there already."""

    def __init__(self, file: Path) -> None:
        self.NAME_METRICS_FILE = file.name
        super().__init__(str(file.parent))

    def _check_log_dir_exists(self) -> None:
        """Nothing: the folder is that of the run, whatever is in it."""

    def save(self) -> None:
        if self.metrics and not self.metrics_keys:  # only now: what is refused before has not begun
            Path(self.metrics_file_path).unlink(missing_ok=True)
        super().save()


class RunFiles(Logger):
    """``metrics.csv`` in the folder of a run, and ``metrics_test.csv`` and so on of what its weights are put to later.

    Args:
        folder: ``ROOT/NAME/version_N``.
        stage: ``fit``, ``validate``, ``test`` or ``predict``.
    """

    def __init__(self, folder: Path, stage: str = "fit") -> None:
        super().__init__()
        self.folder = folder
        self._file = folder / ("metrics.csv" if stage == "fit" else f"metrics_{stage}.csv")
        self._numbers: _Numbers | None = None

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

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The writer of the file."""
        if self._numbers is None:
            self._numbers = _Numbers(self._file)
        return self._numbers

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.experiment.log_metrics(dict(metrics), step)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: ``config.yaml`` and ``run.json`` have them."""

    def save(self) -> None:
        self.experiment.save()

    def finalize(self, status: str) -> None:
        self.save()
