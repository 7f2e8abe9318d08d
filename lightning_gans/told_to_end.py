"""How ranks end that are told to: all of them together, whichever was told."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_gans import ranks
from lightning_gans.lightning_internals import ask_before_every_batch
from lightning_gans.running.stopping import TERMINATED


class EndTogether(Callback):
    """SIGTERM at any rank ends all after the same batch of a training, and elsewhere at once."""

    def __init__(self) -> None:
        self._asked = self._between_batches = False
        self._before: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._asked, self._between_batches = False, True
        ask_before_every_batch(trainer, lambda: self._asked, TERMINATED)
        self._take_over()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._take_over()

    on_test_start = on_predict_start = on_validation_start

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._between_batches = False

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    def _take_over(self) -> None:
        """Only now: Lightning puts its own handler there after it has set up everything."""
        if self._before is None and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not ranks.told_to_end(number):
            return
        if not self._between_batches:
            ranks.end_others()
            raise SystemExit(TERMINATED)
        self._asked = True
