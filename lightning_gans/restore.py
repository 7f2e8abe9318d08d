"""A trained model with its data and settings, out of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from lightning.pytorch import LightningModule
from torch import Tensor

from lightning_gans import trust
from lightning_gans.checkpoints import finite, load_checkpoint, stored_config
from lightning_gans.command_line import ConfigCLI, make_ready
from lightning_gans.data import Images
from lightning_gans.ema import EMA
from lightning_gans.errors import InputError
from lightning_gans.figures import Pictures
from lightning_gans.messages import first_sentence

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
        InputError: there is no such file, it is none of these, it has no average or names classes that it must not, or data and
            options do not fit.
    """
    make_ready()
    trusted, options = trust.asked_for(options)
    trust.find_own(options)
    stored = load_checkpoint(ckpt_path)
    average = _average(stored, ckpt_path) if weights == "ema" else None
    config = stored_config(stored, ckpt_path, options, trusted)
    sections = {section: config[section] for section in _RESTORED if section in config}
    settings = yaml.safe_dump(sections, sort_keys=False)  # the parts of a prior and heads are in order
    args = ["--config", settings, *(f"--trainer.{setting}" for setting in _TRAINER), *options]
    cli = ConfigCLI(args, save_config_callback=None, run=False)
    model, data = cli.model.to(cli.trainer.strategy.root_device), cli.datamodule
    model.on_load_checkpoint(stored)
    finite(stored["state_dict"] | (average or {}), ckpt_path)
    try:
        model.load_state_dict(stored["state_dict"])
    except RuntimeError as error:
        raise InputError(f"{ckpt_path} has other networks than its config makes ({first_sentence(error)})") from error
    if average is not None:  # of parameters alone: batch statistics are not averaged
        network = getattr(model, getattr(model, "averaged", "generator"))
        network.load_state_dict({name: average[f"module.{name}"] for name, _ in network.named_parameters()}, strict=False)
    data.prepare_data()
    data.setup("validate")
    return model, data, cli.config_init.pictures, stored["global_step"]


def trained_on(ckpt_path: Path) -> str:
    """The dataset that the model in a checkpoint was trained on, as its config names it.

    Raises:
        InputError: there is no config in it.
    """
    return str(stored_config(load_checkpoint(ckpt_path), ckpt_path, [], trusted=True)["data"]["dataset"])


def _average(stored: dict[str, Any], ckpt_path: Path) -> dict[str, Tensor]:
    """The state of the average that the EMA callback kept."""
    average: dict[str, Tensor] | None = stored.get("callbacks", {}).get(EMA().state_key, {}).get("average")
    if average is None:
        raise InputError(
            f"{ckpt_path} has no averaged weights; give --weights raw, or train with lightning_gans.EMA in trainer.callbacks"
        )
    return average
