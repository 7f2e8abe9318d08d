"""Where a run's files go, and how numbers and pictures reach whatever loggers it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from lightning.pytorch.trainer.states import TrainerFn

from lightning_gans.lightning_internals import log_by


def run_folder(trainer: Trainer) -> Path:
    """The folder of the run's checkpoints, records and pictures, the same on every rank."""
    folder = trainer.default_root_dir
    if trainer.loggers:
        logger = trainer.loggers[0]
        version = logger.version if isinstance(logger.version, str) else f"version_{logger.version}"
        folder = str(Path(logger.save_dir or trainer.default_root_dir, str(logger.name), version))
    return Path(trainer.strategy.broadcast(folder))


def data_of(trainer: Trainer) -> Any:
    """The data module of a run, ``None`` where it was given loaders."""
    return getattr(trainer, "datamodule", None)


def step_of_weights(trainer: Trainer) -> int:
    """The training batches that the weights at hand have seen: Lightning leaves those of a checkpoint aside but in ``fit``."""
    if trainer.state.fn == TrainerFn.FITTING or trainer.ckpt_path is None:
        return trainer.global_step
    return int(torch.load(trainer.ckpt_path, map_location="cpu", mmap=True, weights_only=True)["global_step"])


def one_axis(trainer: Trainer) -> None:
    """Let what a module logs by ``self.log`` stand where ``log_numbers`` has its own: at the number of batches so far."""
    fixed = None if trainer.state.fn == TrainerFn.FITTING else step_of_weights(trainer)
    log_by(trainer, lambda: trainer.global_step if fixed is None else fixed)


def what_is_left(trainer: Trainer | None) -> str:
    """What a run that ends in trouble has left to go on from, in words."""
    callbacks = [] if trainer is None else trainer.checkpoint_callbacks
    folders = [Path(folder) for each in callbacks if (folder := getattr(each, "dirpath", None))]
    resumed = trainer is not None and bool(trainer.ckpt_path)
    there = resumed or any(next(folder.glob("*.ckpt"), None) is not None for folder in folders)
    return "the last checkpoint is intact" if there else "there is no checkpoint yet"


def log_numbers(trainer: Trainer, numbers: Mapping[str, float]) -> None:
    """Send numbers to every logger; the x-axis is the number of training batches so far, as in every record."""
    for logger in trainer.loggers:
        logger.log_metrics({**numbers, "epoch": trainer.current_epoch}, step=trainer.global_step)
        logger.save()


def log_best_and_last(trainer: Trainer, results: Mapping[str, Any], higher_is_better: Callable[[str], bool]) -> None:
    """Put the best and the last of each measure into the summary of a W&B run, and which way is better.

    Args:
        trainer: of the run.
        results: ``{"best": {name: {"value", ...}}, "last": {...}}``.
        higher_is_better: of a name.
    """
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            for name, best in results.get("best", {}).items():
                direction = "max" if higher_is_better(name) else "min"
                logger.experiment.define_metric(f"eval/{name}", step_metric="trainer/global_step", summary=direction)
                logger.experiment.summary[f"best/{name}"] = best["value"]
            for name, last in results.get("last", {}).items():
                logger.experiment.summary[f"last/{name}"] = last["value"]


def log_picture(trainer: Trainer, name: str, file: Path) -> None:
    """Send a PNG to every logger that takes pictures, on the same x-axis."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(name, [str(file)], step=trainer.global_step)
        elif isinstance(logger, TensorBoardLogger):
            import numpy as np
            from PIL import Image

            pixels = np.asarray(Image.open(file).convert("RGB"))
            logger.experiment.add_image(name, pixels, trainer.global_step, dataformats="HWC")
