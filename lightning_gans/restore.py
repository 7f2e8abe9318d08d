"""A trained model with its data and settings, out of a checkpoint: for commands, and with ``cli`` below them alone."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any, Literal

import yaml
from lightning.pytorch import LightningModule
from torch import Tensor

from lightning_gans import paper_modules
from lightning_gans.cli import GamesCLI, ParseError, Parser, _load_checkpoint, _quiet, _shorten, _with_stored_config
from lightning_gans.data import Images
from lightning_gans.ema import EMA
from lightning_gans.errors import InputError
from lightning_gans.figures import Pictures

Weights = Literal["raw", "ema"]

_RESTORED = ("seed_everything", "model", "data", "pictures")
_TRAINER = ["logger=false", "enable_checkpointing=false", "enable_progress_bar=false", "devices=1"]


def restore(ckpt_path: Path, options: list[str], weights: Weights = "raw") -> tuple[LightningModule, Images, Pictures, int]:
    """The model in a checkpoint in float32, its data after ``setup``, the callback for its pictures, and its step.

    Args:
        ckpt_path: of a file that ``lightning fit`` wrote.
        options: of the command line, which win over the stored config.
        weights: the generator's as they are, or their exponential moving average.

    Raises:
        InputError: there is no such file, it is none of these, it has no average, or data and options do not fit.
    """
    sys.path.insert(0, os.getcwd())  # a class in a file of the user's own
    for module in paper_modules():
        importlib.import_module(module)
    _quiet()
    warnings.filterwarnings("ignore", "LightningCLI's args parameter.*")
    stored = _load_checkpoint(ckpt_path)
    average = _average(stored, ckpt_path) if weights == "ema" else None
    config = yaml.safe_load(_with_stored_config(["predict", "--ckpt_path", str(ckpt_path)])[2])
    settings = yaml.safe_dump({key: config[key] for key in _RESTORED if key in config}, sort_keys=False)
    arguments: Any = ["--config", settings, *(f"--trainer.{setting}" for setting in _TRAINER), *options]
    try:
        cli = GamesCLI(
            None,
            Images,
            parser_class=Parser,
            save_config_callback=None,
            auto_configure_optimizers=False,
            args=arguments,
            run=False,
        )
    except ParseError as error:
        raise InputError(_shorten(str(error))) from error
    model, data = cli.model.to(cli.trainer.strategy.root_device), cli.datamodule
    model.on_load_checkpoint(stored)
    model.load_state_dict(stored["state_dict"])
    if average is not None:  # of parameters alone: batch statistics are not averaged
        averaged = {name: average[f"module.{name}"] for name, _ in model.generator.named_parameters()}
        model.generator.load_state_dict(averaged, strict=False)
    data.prepare_data()
    data.setup("validate")
    pictures = next(callback for callback in cli.trainer.callbacks if isinstance(callback, Pictures))  # type: ignore[attr-defined]
    return model, data, pictures, stored["global_step"]


def _average(stored: dict[str, Any], ckpt_path: Path) -> dict[str, Tensor]:
    """The state of the average that the EMA callback kept."""
    found: dict[str, Tensor] | None = stored.get("callbacks", {}).get(EMA().state_key, {}).get("average")
    if found is None:
        raise InputError(
            f"{ckpt_path} has no averaged weights; give --weights raw, or train with lightning_gans.EMA in trainer.callbacks"
        )
    return found
