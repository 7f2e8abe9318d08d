"""Where a run's files go, and how numbers and pictures reach whatever loggers it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from lightning.pytorch.trainer.states import TrainerFn

from lightning_gans.lightning_internals import log_by

AXIS = "trainer/global_step"
"""What Lightning's logger for W&B calls the number of training batches, which every number stands against."""


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


def say_directions(trainer: Trainer, higher_is_better: Mapping[str, bool]) -> None:
    """Have W&B keep the best and the last of numbers, before the first of them is sent.

    Args:
        trainer: of the run.
        higher_is_better: by the name that they are sent under.
    """
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            for name, higher in higher_is_better.items():
                kept = "max,last" if higher else "min,last"
                logger.experiment.define_metric(name, step_metric=AXIS, summary=kept)


def log_summary(trainer: Trainer, numbers: Mapping[str, float]) -> None:
    """Put numbers into the summary of a W&B run, beside those that it makes itself."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary.update(dict(numbers))


def log_table(trainer: Trainer, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Send a table to every logger that takes one; ``None`` is an empty cell."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_table(name, list(columns), [list(row) for row in rows], step=trainer.global_step)
        elif isinstance(logger, TensorBoardLogger):
            lines = [columns, ["---"] * len(columns), *rows]
            text = "\n".join(f"| {' | '.join('' if cell is None else str(cell) for cell in line)} |" for line in lines)
            logger.experiment.add_text(name, text, trainer.global_step)


def lay_out(trainer: Trainer, charts: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Tell TensorBoard which numbers belong into one chart; what it was told before no longer counts.

    Args:
        trainer: of the run.
        charts: by section and title, regular expressions of the names in each.
    """
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            multiline = {
                title: {one: ["Multiline", list(tags)] for one, tags in below.items()} for title, below in charts.items()
            }
            logger.experiment.add_custom_scalars(multiline)


def log_picture(trainer: Trainer, name: str, file: Path) -> None:
    """Send a PNG to every logger that takes pictures, on the same x-axis, with a caption where there can be one."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            caption = f"{name.replace('_', ' ')}, step {trainer.global_step}"
            logger.log_image(name, [str(file)], step=trainer.global_step, caption=[caption])
        elif isinstance(logger, TensorBoardLogger):
            import numpy as np
            from PIL import Image

            pixels = np.asarray(Image.open(file).convert("RGB"))
            logger.experiment.add_image(name, pixels, trainer.global_step, dataformats="HWC")
