"""What a run says of itself: its settings, what was built of them, how fast it is and how it ended."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from lightning_gans.differences import differences
from lightning_gans.errors import InputError
from lightning_gans.evaluation import records
from lightning_gans.logs import data_of, log_numbers, one_axis, run_folder
from lightning_gans.running.bar import steps_of
from lightning_gans.running.place import RECORD, RunFiles, give_back
from lightning_gans.running.wandb_runs import stored_run
from lightning_gans.runs.ledger import code_version

_CHANGES_NOTHING = ("max_steps", "max_epochs", "max_time", "logger", "callbacks", "default_root_dir", "enable_progress_bar")


class KeepRecord(SaveConfigCallback):
    """Writes ``config.yaml`` and ``run.json`` to the run's folder, the same to every logger, and the config into checkpoints.

    The config is that of a run from its start, also where this one goes on from a checkpoint: ``run.json`` names that.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "overwrite": True, "save_to_log_dir": False})
        self._began = self._trained = False
        self._folder = Path()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._folder = run_folder(trainer)  # asks the first rank, so not in save_config, which only that rank runs
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"the log directory {self._folder} cannot be made ({error.strerror}); set trainer.default_root_dir elsewhere"
            ) from error
        if trainer.is_global_zero and not os.access(self._folder, os.W_OK):
            raise InputError(f"the log directory {self._folder} cannot be written; set trainer.default_root_dir elsewhere")

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save only now that models and data have been set up, so that a refused run leaves nothing."""
        self._began = True
        one_axis(trainer)
        super().setup(trainer, pl_module, cast(TrainerFn, trainer.state.fn).value)

    on_validation_start = on_test_start = on_predict_start = on_fit_start

    def on_train_batch_end(self, *args: Any) -> None:
        self._trained = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.ckpt_path is not None and not self._trained:
            rank_zero_warn(
                f"nothing was trained: {trainer.ckpt_path} is at step {trainer.global_step} and trainer.max_steps is "
                f"{trainer.max_steps}, trainer.max_epochs {trainer.max_epochs}; raise them to go on"
            )
        self._end(trainer, "finished")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if not self._began:
            if trainer.is_global_zero:
                for logger in trainer.loggers:  # known also to who has not come as far as setup
                    if isinstance(logger, RunFiles):
                        give_back(logger.folder)
        elif trainer.state.fn == TrainerFn.FITTING:
            self._end(trainer, "stopped" if isinstance(exception, SystemExit | KeyboardInterrupt) else "failed")

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        text = self._text
        (self._folder / ("config.yaml" if stage == "fit" else f"config_{stage}.yaml")).write_text(text)
        if stage != "fit":
            return
        self._clock = time.monotonic()
        built = as_built(trainer, pl_module)
        self._built = {"status": "running", **built, "went_on_from": trainer.ckpt_path and str(trainer.ckpt_path)}
        self._write(self._built)
        for logger in trainer.loggers:
            if not isinstance(logger, TensorBoardLogger):  # which shows them only beside measures, at the end
                logger.log_hyperparams({"config": yaml.safe_load(text), "built": built})

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self._text
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                checkpoint["wandb"] = stored_run(logger)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Say which settings of the trainer are others, and of a model that does not say so itself."""
        if trainer.state.fn != TrainerFn.FITTING or "config" not in checkpoint:
            return
        before, now = yaml.safe_load(checkpoint["config"]), yaml.safe_load(self._text)
        sections = ["trainer"] if "game" in checkpoint else ["trainer", "model"]
        for section in sections:
            old, new = ({k: v for k, v in all_[section].items() if k not in _CHANGES_NOTHING} for all_ in (before, now))
            for said in differences(old, new, f"{section}."):
                rank_zero_warn(said)

    def _end(self, trainer: Trainer, status: str) -> None:
        if not trainer.is_global_zero:
            return
        step = trainer.global_step
        seconds = round(time.monotonic() - self._clock, 1)
        self._write({**self._built, "status": status, "step": step, "seconds": seconds})
        summary = self._folder / "evaluation.json"
        results = json.loads(summary.read_text()) if summary.is_file() else {}
        measures = {f"{when}/{name}": one["value"] for when in results for name, one in results[when].items()}
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                settings = dict(plain_settings(yaml.safe_load(self._text)))
                logger.log_hyperparams(settings, metrics={**measures, "steps": step}, step=step)

    def _write(self, content: Mapping[str, Any]) -> None:
        scratch = self._folder / f"{RECORD}.tmp"
        scratch.write_text(json.dumps(content) + "\n")
        scratch.replace(self._folder / RECORD)

    @cached_property
    def _text(self) -> str:
        """The config does not change any more, and to write it out takes a tenth of a second: too much for every checkpoint."""
        config = self.config.clone()
        if "ckpt_path" in config:
            config["ckpt_path"] = None
        return self.parser.dump(config, skip_none=False)


def as_built(trainer: Trainer, model: LightningModule) -> dict[str, Any]:
    """What a config does not say: sizes of the networks, the code, where it runs, what is measured and how."""
    evaluation = next((each for each in trainer.callbacks if hasattr(each, "settings")), None)  # type: ignore[attr-defined]
    counts = {name: sum(p.numel() for p in network.parameters()) for name, network in model.named_children()}
    return {
        "model": type(model).__name__,
        "dataset": getattr(data_of(trainer), "name", None),
        "parameters": {name: count for name, count in counts.items() if count},
        "code": code_version(),
        "versions": records.versions(),
        "device": str(trainer.strategy.root_device),
        "devices": trainer.world_size,
        "precision": trainer.precision,
        "threads": torch.get_num_threads(),
        "steps_planned": steps_of(trainer),
        "protocol": None if evaluation is None else {**vars(evaluation.settings), "every_n_steps": evaluation.every_n_steps},
    }


def plain_settings(config: Any, path: str = "") -> list[tuple[str, Any]]:
    """The numbers and words of model, data and seed, by their paths, for a table of runs."""
    if isinstance(config, Mapping):
        kept = {k: v for k, v in config.items() if path or k in ("model", "data", "seed_everything")}
        return [pair for name, value in kept.items() for pair in plain_settings(value, f"{path}.{name}" if path else str(name))]
    return [(path, config)] if isinstance(config, bool | int | float | str) else []


class Pace(Callback):
    """Logs training samples seen, steps per second of the clock since the last time, and the peak of memory in GiB.

    ``images_seen`` counts the samples of the steps' own batches, over all devices, also those before a resumption.
    """

    def __init__(self) -> None:
        self._seen, self._at, self._time = 0, 0, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._at, self._time = trainer.global_step, time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *args: Any) -> None:
        self._seen += samples_in(batch) * trainer.world_size
        step, every = trainer.global_step, trainer.log_every_n_steps  # type: ignore[attr-defined]
        if not every or step % every or step == self._at:
            return
        now = time.monotonic()
        rate = (step - self._at) / max(now - self._time, 1e-9)
        self._at, self._time = step, now
        log_numbers(trainer, {"pace/images_seen": self._seen, "pace/steps_per_second": rate, **memory(pl_module.device)})

    def state_dict(self) -> dict[str, Any]:
        return {"images_seen": self._seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._seen = state_dict["images_seen"]


def samples_in(batch: Any) -> int:
    """Its first dimension, of whatever it is."""
    if isinstance(batch, Mapping):
        batch = next(iter(batch.values()), ())
    if isinstance(batch, list | tuple) and batch:
        batch = batch[0]
    return len(batch) if hasattr(batch, "__len__") else 0


def memory(device: torch.device) -> dict[str, float]:
    """The peak of this process, and of the device where it has memory of its own, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # of what the system counts in
    peak = {"memory/process_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30}
    return peak | ({"memory/device_gib": torch.cuda.max_memory_allocated(device) / 2**30} if device.type == "cuda" else {})
