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
        InputError: as ``restore_alone``, there is no average, or the data cannot be had.
    """
    model, data, pictures, stored = restore_alone(ckpt_path, options)
    if weights == "ema":
        if (average := averaged(model, stored)) is None:
            raise InputError(
                f"{ckpt_path} has no averaged weights; give --weights raw, or train with lightning_gans.EMA in "
                "trainer.callbacks"
            )
        put_weights(model, average, ckpt_path, all_of_them=False)
    data.prepare_data()
    data.setup("validate")
    return model, data, pictures, stored["global_step"]


def restore_alone(ckpt_path: Path, options: list[str]) -> tuple[LightningModule, Images, Pictures, dict[str, Any]]:
    """The model in a checkpoint in float32, its data before ``setup``, the callback for its pictures, and all that is stored.

    Args:
        ckpt_path: of a file that ``lightning fit`` wrote.
        options: of the command line, which win over the stored config.

    Raises:
        InputError: there is no such file, it is none of these, it names classes that it must not, or options do not fit.
    """
    make_ready()
    trusted, options = trust.asked_for(options)
    trust.find_own(options)
    stored = load_checkpoint(ckpt_path)
    config = stored_config(stored, ckpt_path, options, trusted)
    sections = {section: config[section] for section in _RESTORED if section in config}
    settings = yaml.safe_dump(sections, sort_keys=False)  # the parts of a prior and heads are in order
    args = ["--config", settings, *(f"--trainer.{setting}" for setting in _TRAINER), *options]
    cli = ConfigCLI(args, save_config_callback=None, run=False)
    model, data = cli.model.to(cli.trainer.strategy.root_device), cli.datamodule
    model.on_load_checkpoint(stored)
    put_weights(model, stored["state_dict"], ckpt_path)
    return model, data, cli.config_init.pictures, stored


def put_weights(model: LightningModule, state: dict[str, Tensor], path: Path, all_of_them: bool = True) -> None:
    """Give a model its weights.

    Args:
        model: as its config makes it.
        state: parameters and buffers by name.
        path: where they are from, for the refusal.
        all_of_them: whether those that are missing are refused.

    Raises:
        InputError: they are of other networks, or not finite.
    """
    finite(state, path)
    try:
        missing, unknown = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise InputError(f"{path} has other networks than its config makes ({first_sentence(error)})") from error
    if unknown or (missing and all_of_them):
        raise InputError(f"{path} has other networks than its config makes: {[*unknown, *missing][0]} differs")


def averaged(model: LightningModule, stored: dict[str, Any]) -> dict[str, Tensor] | None:
    """The parameters by name that the EMA callback has averaged, ``None`` where there was none.

    Batch statistics are not averaged.
    """
    average = stored.get("callbacks", {}).get(EMA().state_key, {}).get("average")
    if average is None:
        return None
    of = getattr(model, "averaged", "generator")
    names = [name for name, _ in getattr(model, of).named_parameters()]
    return {f"{of}.{name}": average[f"module.{name}"] for name in names}


def trained_on(ckpt_path: Path) -> str:
    """The dataset that the model in a checkpoint was trained on, as its config names it.

    Raises:
        InputError: there is no config in it.
    """
    return str(stored_config(load_checkpoint(ckpt_path), ckpt_path, [], trusted=True)["data"]["dataset"])
