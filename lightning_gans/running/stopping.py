"""How a run ends that is told to: between two batches, with a checkpoint, a word on how to go on, and a signal's status."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lightning_gans.running.checkpoints import BestCheckpoint, save_now

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class Stopping(Callback):
    """The first Ctrl-C ends a training after its batch, as SIGTERM does; a second one ends it at once, without a checkpoint.

    Several processes are stopped by the first one's SIGTERM alone: they would not all stop after the same batch.
    """

    def __init__(self) -> None:
        self._interrupted = False
        self._before: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Only now: Lightning notes before which handlers there were, and puts those back at the end."""
        self._interrupted = False
        if trainer.world_size == 1 and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if isinstance(exception, SIGTERMException):
            exception.code = INTERRUPTED if self._interrupted else TERMINATED
            for callback in trainer.checkpoint_callbacks:
                if isinstance(callback, ModelCheckpoint) and not isinstance(callback, BestCheckpoint):
                    save_now(callback, trainer)
        self.teardown(trainer, pl_module, "fit")

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("\nstopping after this batch; Ctrl-C again to stop at once", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)  # Lightning's own way to end between batches


def how_to_go_on(trainer: Trainer) -> str:
    """What a run that was stopped has left, in a sentence."""
    saved = [Path(path) for callback in trainer.checkpoint_callbacks if (path := getattr(callback, "last_model_path", ""))]
    there = next((path for path in saved if path.is_file()), None)
    if there is None:
        return "there is no checkpoint to go on from yet"
    shown = there.relative_to(Path.cwd()) if there.is_relative_to(Path.cwd()) else there
    return f"stopped at step {trainer.global_step}; to go on: lightning fit --ckpt_path {shown}"


@contextmanager
def ending_by_signals() -> Iterator[None]:
    """An interrupt anywhere ends the command with a line and status 130 instead of a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        print("lightning: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except SystemExit as stopped:
        if isinstance(stopped.__context__, KeyboardInterrupt):  # Lightning's own way out has status 1
            sys.exit(INTERRUPTED)
        raise
