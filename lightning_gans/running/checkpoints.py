"""Which checkpoints a run leaves: the last, by time as well as by epoch and when it is stopped, and the best by a measure."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_gans import checks


class Checkpoints(ModelCheckpoint):
    """``step=N.ckpt`` of the newest state and ``last.ckpt``, another name of the same file.

    It is saved at the end of each epoch, every few minutes within one, at the end of training, and when the run is stopped.

    Args:
        every_n_minutes: between checkpoints within an epoch.
    """

    def __init__(self, every_n_minutes: float = 10) -> None:
        checks.positive(every_n_minutes=every_n_minutes)
        super().__init__(filename="{step}", save_last="link", every_n_epochs=1, save_on_train_epoch_end=True)
        self.every_n_minutes = every_n_minutes
        self._saved_at = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._saved_at = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        several = trainer.world_size > 1
        if several and trainer.global_step % (trainer.log_every_n_steps or 50):  # type: ignore[attr-defined]
            return  # ranks wait for each other only where they do so anyway
        due = time.monotonic() - self._saved_at >= 60 * self.every_n_minutes
        if several:  # one clock for all
            due = trainer.strategy.broadcast(due)
        if due:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        save_now(self, trainer)
        self._saved_at = time.monotonic()

    @staticmethod
    def _link_checkpoint(trainer: Trainer, filepath: str, linkpath: str) -> None:
        """A second name of the file, not a pointer to it, which would be left hanging when the first name goes."""
        if trainer.is_global_zero:
            scratch = Path(f"{linkpath}.tmp")
            scratch.unlink(missing_ok=True)
            try:
                os.link(filepath, scratch)
            except OSError:  # a file system without links
                shutil.copyfile(filepath, scratch)
            scratch.replace(linkpath)
        trainer.strategy.barrier()


class BestCheckpoint(ModelCheckpoint):
    """Keeps the weights that a measure was taken of, when it is taken, and no others.

    Takes the arguments of Lightning's, but for its cadences.
    """

    measured: Mapping[str, float] | None = None

    def on_measured(self, scores: Mapping[str, float]) -> None:
        """The weights as they are now have been measured."""
        self.measured = scores

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """After every other callback, so that what they have made of the batch is stored too."""
        self._save_measured(trainer)

    def on_train_epoch_end(self, *args: Any) -> None:
        """Nothing."""

    def on_validation_end(self, *args: Any) -> None:
        """Nothing."""

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save_measured(trainer)

    def _save_measured(self, trainer: Trainer) -> None:
        scores, self.measured = self.measured, None
        if scores is None or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        candidates = self._monitor_candidates(trainer) | as_logged(scores)
        if self.monitor in candidates:
            self._save_topk_checkpoint(trainer, candidates)


def save_now(callback: ModelCheckpoint, trainer: Trainer) -> None:
    """Save the state as it is, if it has not been saved yet."""
    if not callback._should_skip_saving_checkpoint(trainer):
        callback._save_topk_checkpoint(trainer, callback._monitor_candidates(trainer))
        callback._save_last_checkpoint(trainer, callback._monitor_candidates(trainer))


def as_logged(scores: Mapping[str, float]) -> dict[str, Any]:
    """The measures as tensors by the names that they can be monitored by."""
    return {name: torch.tensor(value) for plain, value in scores.items() for name in (plain, f"eval/{plain}")}
