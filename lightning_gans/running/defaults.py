"""What the command fills in of the trainer's settings: folder, loggers, progress, checkpoints, and callbacks put right."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.plugins import CheckpointIO
from lightning_utilities.core.imports import RequirementCache

from lightning_gans.checkpoint_files import CheckpointFiles
from lightning_gans.game import Game
from lightning_gans.lightning_internals import trains_on_several_devices
from lightning_gans.running.bar import WholeRun
from lightning_gans.running.checkpoints import Checkpoints
from lightning_gans.running.monitors import put_right
from lightning_gans.running.place import RunFiles, claim
from lightning_gans.running.record import Pace
from lightning_gans.running.stopping import Stopping
from lightning_gans.running.wandb_runs import describe


@dataclass(frozen=True)
class About:
    """What a run is.

    Args:
        name: of its folder: model and dataset.
        stage: ``fit``, ``test`` and so on.
        group: what all seeds of its config share.
        tags: words to find it by.
        seed: of the run.
        stored: the W&B run of the checkpoint that it goes on from or measures; empty for none.
        belongs_to: the folder of the run whose weights are measured; none for a folder of its own.
    """

    name: str
    stage: str
    group: str
    tags: list[str]
    seed: Any
    stored: Mapping[str, Any]
    belongs_to: Path | None


def complete(settings: Any, model: Any, about: About) -> Path:
    """Fill in what the user left open of the trainer's ``settings``, in place.

    Returns:
        The folder of the run.

    Raises:
        InputError: a setting that is handed on to the model does not fit, or the folder cannot be made.
    """
    if isinstance(model, Game) and settings.gradient_clip_val is not None:  # the trainer refuses it for manual optimisation
        model.clip_gradients_to(settings.gradient_clip_val, settings.gradient_clip_algorithm or "norm")
        settings.gradient_clip_val = settings.gradient_clip_algorithm = None
    several = trains_on_several_devices(settings.accelerator, settings.devices, settings.num_nodes)
    if settings.strategy == "auto" and several:
        settings.strategy = "gan_ddp"
    callbacks = [put_right(callback) for callback in _as_list(settings.callbacks)]
    settings.callbacks = callbacks + _missing(settings, callbacks)
    settings.plugins = _as_list(settings.plugins)
    if isinstance(settings.strategy, str) and not any(isinstance(plugin, CheckpointIO) for plugin in settings.plugins):
        settings.plugins.append(CheckpointFiles())
    return _place(settings, about)


def _missing(settings: Any, callbacks: list[Callback]) -> list[Callback]:
    """The callbacks of every run that are not there yet, unless nothing is to be done beside training."""
    added: list[Callback] = [Stopping()]
    if settings.barebones:
        return added
    if settings.enable_progress_bar is not False and not any(isinstance(each, ProgressBar) for each in callbacks):
        added.append(WholeRun())
    keeps_last = any(isinstance(each, ModelCheckpoint) and (each.monitor is None or each.save_last) for each in callbacks)
    if settings.enable_checkpointing is not False and not keeps_last:
        added.append(Checkpoints())
    return [*added, Pace()]


def _place(settings: Any, about: About) -> Path:
    """Give the run its folder, and the loggers their places in it."""
    root = Path(settings.default_root_dir or "runs")
    if settings.fast_dev_run:
        settings.logger = False
        settings.default_root_dir = tempfile.mkdtemp(prefix="fast_dev_run_")
        atexit.register(shutil.rmtree, settings.default_root_dir, ignore_errors=True)
        return Path(settings.default_root_dir)
    folder = about.belongs_to or claim(root / about.name)
    if settings.logger is False or settings.barebones:
        settings.logger, settings.default_root_dir = (None if settings.barebones else False), str(folder)
        return folder
    loggers: list[Logger] = [each for each in _as_list(settings.logger) if isinstance(each, Logger)]
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            describe(logger, folder, about.group, about.tags, about.stage, about.seed, about.stored)
    if not loggers and RequirementCache("tensorboard"):
        root, name = folder.parent.parent, folder.parent.name
        loggers = [TensorBoardLogger(root, name=name, version=folder.name, default_hp_metric=False)]
    settings.logger = [RunFiles(folder, about.stage), *loggers]
    return folder


def _as_list(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list) else [given]
