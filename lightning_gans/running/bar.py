"""How far a run is: a bar over all of its steps on a terminal, a line every so often anywhere else."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

_LEAST_BAR = 10


class WholeRun(TQDMProgressBar):
    """Steps of the whole run, what is left of it, and the last losses and measures, as many as the line has room for.

    Args:
        refresh_rate: batches between two looks of the bar.
        every_n_seconds: between two lines where there is no terminal to draw a bar on.
    """

    BAR_FORMAT = "{n_fmt}/{total_fmt} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}, {rate_noinv_fmt}{postfix}"

    def __init__(self, refresh_rate: int = 20, every_n_seconds: float = 30.0) -> None:
        super().__init__(refresh_rate=refresh_rate)
        self.every_n_seconds = every_n_seconds
        self._measures: dict[str, float] = {}
        self._began = self._said = 0.0
        self._first = 0
        self._drawn = False

    def on_measured(self, scores: Mapping[str, float]) -> None:
        """The weights as they are now have been measured."""
        self._measures = dict(scores)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        self._drawn = is_terminal()
        if not self._drawn:
            self.disable()  # every bar; lines are printed

    def init_train_tqdm(self) -> Tqdm:
        bar = super().init_train_tqdm()
        bar.unit = "step"
        return bar

    def on_train_start(self, trainer: Trainer, *args: Any) -> None:
        super().on_train_start(trainer, *args)
        self._began = self._said = time.monotonic()
        self._first = trainer.global_step
        bar = self.train_progress_bar
        bar.total, bar.n, bar.initial = steps_of(trainer), self._first, self._first

    def on_train_epoch_start(self, *args: Any) -> None:
        """Nothing: the bar is that of the run."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        step = trainer.global_step
        if self._drawn and step % self.refresh_rate == 0:
            self._draw(trainer, pl_module)
        elif not self._drawn and time.monotonic() - self._said >= self.every_n_seconds:
            self._say(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing: see above."""

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._drawn:
            self._draw(trainer, pl_module)
        else:
            self._say(trainer, pl_module)
        super().on_train_end(trainer, pl_module)

    def on_exception(self, *args: Any) -> None:
        """What is said next begins on a line of its own."""
        if self._train_progress_bar is not None:
            self.train_progress_bar.close()

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The last measures and losses, by short names."""
        losses = {name.removeprefix("loss/"): float(x) for name, x in trainer.progress_bar_metrics.items()}
        return {name: f"{value:.4g}" for name, value in {**self._measures, **losses}.items()}

    def print(self, *args: Any, sep: str = " ", **kwargs: Any) -> None:
        """Above the bar, or as it is where there is none."""
        if self._train_progress_bar is not None and not self.train_progress_bar.disable:
            self.train_progress_bar.write(sep.join(map(str, args)))
        else:
            print(*args, sep=sep, flush=True)

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        bar = self.train_progress_bar
        bar.n = trainer.global_step
        bar.postfix = ""
        width = shutil.get_terminal_size().columns - 1
        taken = len(bar.format_meter(**{**bar.format_dict, "ncols": None, "bar_format": self.BAR_FORMAT.replace("{bar}", "")}))
        bar.postfix = fitting(self.get_metrics(trainer, pl_module), width - taken - _LEAST_BAR - 2)
        bar.refresh()

    def _say(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._said = time.monotonic()
        total, step = steps_of(trainer), trainer.global_step
        per_second = (step - self._first) / max(self._said - self._began, 1e-9)
        parts = [f"step {step} of {total} ({100 * step / total:.0f} %)" if total else f"step {step}"]
        parts.append(f"{per_second:.3g} steps/s")
        if total and per_second:
            parts.append(f"{Tqdm.format_interval(max(0, total - step) / per_second)} left")
        parts += [f"{name} {value}" for name, value in self.get_metrics(trainer, pl_module).items()]
        if trainer.is_global_zero:
            self.print(", ".join(parts))


def steps_of(trainer: Trainer) -> int | None:
    """The batches of the whole run, ``None`` where no number of them ends it."""
    limits = [float(trainer.max_steps)] if trainer.max_steps >= 0 else []
    if trainer.max_epochs is not None and trainer.max_epochs >= 0:
        limits.append(trainer.max_epochs * float(trainer.num_training_batches))
    steps = min(limits, default=math.inf)
    return int(steps) if math.isfinite(steps) else None


def is_terminal() -> bool:
    """Whether a bar can be drawn over itself there."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def fitting(values: Mapping[str, str], width: int) -> str:
    """``name=value`` of as many as fit into ``width``, the first ones first."""
    kept = ""
    for name, value in values.items():
        longer = f"{kept}, {name}={value}" if kept else f"{name}={value}"
        if len(longer) > width:
            break
        kept = longer
    return kept
