"""Callbacks of Lightning that watch a measure, put right: they look when it is taken, and know which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from lightning_gans.evaluation import records
from lightning_gans.running.checkpoints import BestCheckpoint, as_logged


class StopEarly(EarlyStopping):
    """Looks at its value only where there is a new one, and says so where there never was one.

    Takes the arguments of Lightning's. ``patience`` counts measurements where the value is a measure.
    """

    _values: Mapping[str, Any] | None = None
    _came = False

    def on_measured(self, scores: Mapping[str, float]) -> None:
        """The weights as they are now have been measured."""
        self._values = as_logged(scores)

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        values, self._values = self._values, None
        if values is not None and self.monitor in values:
            self._look(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not records.is_measure(self.monitor) and self.monitor in trainer.callback_metrics:
            self._look(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing: an epoch's end comes after it."""

    def on_train_end(self, trainer: Trainer, *args: Any) -> None:
        if not self._came and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            there = ", ".join(sorted(trainer.callback_metrics)) or "none"
            rank_zero_warn(f"{self.monitor}, by which the run was to stop early, was never logged; logged were {there}")

    def _look(self, trainer: Trainer) -> None:
        self._came = True
        self._run_early_stopping_check(trainer)


def put_right(callback: Callback) -> Callback:
    """The callback itself, or one with its settings that keeps what was measured or stops by it."""
    if type(callback) is ModelCheckpoint and records.is_measure(callback.monitor or ""):
        return BestCheckpoint(
            mode=_mode(callback.monitor),
            **{name: getattr(callback, name) for name in _OF_CHECKPOINT},
        )
    if type(callback) is EarlyStopping:
        known = records.is_measure(callback.monitor)
        return StopEarly(
            mode=_mode(callback.monitor) if known else callback.mode,
            min_delta=abs(callback.min_delta),
            **{name: getattr(callback, name) for name in _OF_STOPPING},
        )
    return callback


_OF_CHECKPOINT = (
    *("dirpath", "filename", "monitor", "verbose", "save_top_k", "save_weights_only"),  # the last one is kept beside it
    "auto_insert_metric_name",
)
_OF_STOPPING = (
    *("monitor", "patience", "verbose", "strict", "check_finite", "stopping_threshold", "divergence_threshold"),
    "log_rank_zero_only",
)


def _mode(monitor: str | None) -> str:
    return "max" if records.is_higher_better(str(monitor)) else "min"
