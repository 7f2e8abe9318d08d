"""Train a classifier of a dataset's images, which evaluation counts classes and takes features with."""

from __future__ import annotations

import argparse
from dataclasses import asdict, fields

from jsonargparse import ArgumentParser

from lightning_gans.errors import InputError
from lightning_gans.evaluation.features.recipes import RECIPES, Recipe
from lightning_gans.evaluation.features.training import train_classifier
from lightning_gans.packaged import with_configs


def main(args: list[str]) -> None:
    """``lightning classifier [--config NAME] [--dataset NAME] [--colour_of NOUN] [--root FOLDER] [--out FILE] ...``.

    What is not given is the dataset's recipe, where there is one.

    Raises:
        InputError: a setting does not fit, or training is not possible.
    """
    args = with_configs(args)
    parser = ArgumentParser(prog="lightning classifier", description="Train a classifier of images.", exit_on_error=False)
    parser.add_argument("-c", "--config", action="config", help="YAML file of settings")
    parser.add_class_arguments(Recipe)
    parser.add_function_arguments(train_classifier, skip={"recipe"})
    try:
        asked = parser.parse_args(args)
        name = f"{asked.dataset}_{asked.colour_of}" if asked.colour_of else asked.dataset
        parser.set_defaults(asdict(RECIPES.get(name, Recipe(asked.dataset))))
        settings = parser.parse_args(args).as_dict()
    except argparse.ArgumentError as error:
        raise InputError(f"{' '.join(str(error).split())} (see lightning classifier --help)") from error
    recipe = Recipe(**{field.name: settings[field.name] for field in fields(Recipe)})
    train_classifier(recipe, settings["root"], settings["out"], settings["device"])
