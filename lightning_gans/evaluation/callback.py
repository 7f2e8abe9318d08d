"""The callback that measures a model while it trains and at ``lightning validate`` and ``test``."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any, Literal, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from rich.console import Console
from rich.table import Table

from lightning_gans import checks
from lightning_gans.ema import EMA
from lightning_gans.errors import InputError
from lightning_gans.evaluation.modes import ModeCount, Protocol
from lightning_gans.evaluation.sampling import evaluating, samples
from lightning_gans.protocols import Generates
from lightning_gans.randomness import global_seed
from lightning_gans.runs import data_of, log_numbers, run_folder


class Evaluation(Callback):
    """Counts modes where the data is a mixture of points whose centres are known.

    Results can be monitored by checkpoints, go to every logger as ``eval/...``, and as one JSON line to ``evaluation.jsonl`` in
    the run's folder. Training is bit-equal with it and without: noise, modes and statistics are its own.

    Args:
        modes: the counting protocol, see ``lightning_gans.evaluation.ModeCount``; none to count nothing.
        num_samples: samples to measure; 2,000 for ``gaan``, 10,000 for ``ali``, 2,500 for ``veegan``.
        every_n_steps: training batches between measurements; none measures at the end of training only.
        weights: the generator's ``raw`` weights, or their average where the EMA callback is there.
        seed: of the samples' noise.
    """

    def __init__(
        self,
        modes: Protocol | None = "gaan",
        num_samples: int = 2000,
        every_n_steps: int | None = None,
        weights: Literal["raw", "ema"] = "raw",
        seed: int = 0,
    ) -> None:
        if modes is not None:
            ModeCount(torch.zeros(1, 2), 1.0, modes)  # refuses an unknown protocol now and not after training
        checks.positive(num_samples=num_samples, **({} if every_n_steps is None else {"every_n_steps": every_n_steps}))
        self.modes, self.num_samples, self.every_n_steps = modes, num_samples, every_n_steps
        self.weights, self.seed = weights, seed
        self._measured_at = -1
        self._loaded_step = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self.weights == "ema" and self._ema(trainer) is None:
            raise InputError("evaluation.weights is ema, but nothing is averaged; add lightning_gans.EMA to trainer.callbacks")

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._loaded_step = checkpoint["global_step"]

    def measure(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        """Every number that applies to this model and its data; must be called on all ranks."""
        data = data_of(trainer)
        if self.modes is None or getattr(data, "centres", None) is None:
            return {}
        metric = ModeCount(data.centres, data.std, self.modes).to(pl_module.device)
        ema = self._ema(trainer)
        averaged = ema.applied(pl_module) if self.weights == "ema" and ema else nullcontext()
        with evaluating(pl_module), averaged:
            for some in samples(
                cast(Generates, pl_module), self.num_samples, self.seed, trainer.global_rank, trainer.world_size
            ):
                metric.update(some)
        return {name: float(value) for name, value in metric.compute().items()}

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            found = self._record(trainer, pl_module, "fit")
            pl_module.log_dict({f"eval/{name}": value for name, value in found.items()}, logger=False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._measured_at != trainer.global_step:
            self._show(trainer, self._record(trainer, pl_module, "fit"))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._at_the_end(trainer, pl_module, "validate")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._at_the_end(trainer, pl_module, "test")

    def _at_the_end(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        found = self._record(trainer, pl_module, stage)
        if not found:
            rank_zero_info(f"there is nothing to measure on {getattr(data_of(trainer), 'name', 'this data')} yet")
        pl_module.log_dict({f"{stage}/{name}": value for name, value in found.items()})

    def _record(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> dict[str, float]:
        found = self.measure(trainer, pl_module)
        self._measured_at = trainer.global_step
        folder = run_folder(trainer)
        if not found or not trainer.is_global_zero:
            return found
        if stage == "fit":  # after the others Lightning logs, shows and returns them itself
            log_numbers(trainer, {f"eval/{name}": value for name, value in found.items()})
        folder.mkdir(parents=True, exist_ok=True)
        record = {
            "stage": stage,
            "step": trainer.global_step if stage == "fit" else self._loaded_step,
            "model": type(pl_module).__name__,
            "dataset": getattr(data_of(trainer), "name", None),
            "seed": global_seed(),
            "protocol": self.modes,
            "num_samples": self.num_samples,
            "weights": self.weights,
            "noise_seed": self.seed,
            "precision": trainer.precision,
            **found,
        }
        with open(folder / "evaluation.jsonl", "a") as file:
            file.write(json.dumps(record) + "\n")
        return found

    def _show(self, trainer: Trainer, found: dict[str, float]) -> None:
        if not found or not trainer.is_global_zero:
            return
        table = Table(title=f"step {trainer.global_step}, {self.num_samples} samples, protocol {self.modes}")
        table.add_column("measure")
        table.add_column("value", justify="right")
        for name, value in found.items():
            table.add_row(name, f"{value:g}" if value >= 2 else f"{value:.3f}")
        Console().print(table)

    @staticmethod
    def _ema(trainer: Trainer) -> EMA | None:
        return next((callback for callback in trainer.callbacks if isinstance(callback, EMA)), None)  # type: ignore[attr-defined]
