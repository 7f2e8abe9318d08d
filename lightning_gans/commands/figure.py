"""Draw a picture of a trained model, as its run did."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import LightningModule

from lightning_gans import paper_modules
from lightning_gans.cli import GamesCLI, ParseError, Parser, _load_checkpoint, _quiet, _shorten, _with_stored_config
from lightning_gans.data import Images
from lightning_gans.errors import InputError
from lightning_gans.evaluation.classifier_training import RECIPES, classifier_path
from lightning_gans.evaluation.classifiers import load_classifier
from lightning_gans.evaluation.sampling import evaluating
from lightning_gans.figures import Pictures, plots
from lightning_gans.figures.kinds import KINDS, draw

_RESTORED = ("seed_everything", "model", "data", "pictures")
_TRAINER = ["logger=false", "enable_checkpointing=false", "enable_progress_bar=false", "devices=1"]


def main(args: list[str]) -> None:
    """``lightning figure KIND --ckpt_path FILE``: further options, such as ``--data.root``, change the stored config."""
    parser = argparse.ArgumentParser("lightning figure", description=main.__doc__, allow_abbrev=False)
    parser.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--ckpt_path", type=Path, required=True, metavar="FILE", help="of the trained model")
    parser.add_argument("--out", type=Path, metavar="FILE", help="PNG to write; beside the checkpoint where none")
    parser.add_argument("--seed", type=int, help="of the noise; that of the run's own pictures where none")
    parser.add_argument("--num_images", type=int, help="images in a grid")
    given, others = parser.parse_known_args(args)
    own = {f"--pictures.{name}": getattr(given, name) for name in ("seed", "num_images") if getattr(given, name) is not None}
    model, data, pictures, step = restore(given.ckpt_path, [*others, *(f"{name}={value}" for name, value in own.items())])
    path = classifier_path(RECIPES[data.name].architecture, data.name, data.root) if data.name in RECIPES else None
    if path is not None and path.is_file():
        classifier = load_classifier(path)
        pictures.classifier = lambda images: classifier.logits(classifier(images.cpu()))
    with evaluating(model):
        figure = draw(given.kind, pictures.subject(model, data, step))
    file = given.out or given.ckpt_path.with_name(f"{given.ckpt_path.stem}_{given.kind}.png")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        plots.save(figure, file)
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be written ({error}); set --out to a .png elsewhere") from error
    print(f"drawn in {file}")


def restore(ckpt_path: Path, options: list[str]) -> tuple[LightningModule, Images, Pictures, int]:
    """The model in a checkpoint in float32, its data after ``setup``, the callback for its pictures, and its step.

    Args:
        ckpt_path: of a file that ``lightning fit`` wrote.
        options: of the command line, which win over the stored config.

    Raises:
        InputError: there is no such file, it is none of these, or data and options do not fit.
    """
    sys.path.insert(0, os.getcwd())  # a class in a file of the user's own
    for module in paper_modules():
        importlib.import_module(module)
    _quiet()
    warnings.filterwarnings("ignore", "LightningCLI's args parameter.*")
    stored = _load_checkpoint(ckpt_path)
    config = yaml.safe_load(_with_stored_config(["predict", "--ckpt_path", str(ckpt_path)])[2])
    settings = yaml.safe_dump({key: config[key] for key in _RESTORED if key in config})
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
    data.prepare_data()
    data.setup("validate")
    pictures = next(callback for callback in cli.trainer.callbacks if isinstance(callback, Pictures))  # type: ignore[attr-defined]
    return model, data, pictures, stored["global_step"]
