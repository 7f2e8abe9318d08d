"""Train a classifier of a dataset's images, which evaluation counts classes and takes features with."""

from __future__ import annotations

from typing import Any

from lightning_gans.commands._recipes import read_recipe
from lightning_gans.evaluation.features.classifiers import name_of
from lightning_gans.evaluation.features.recipes import RECIPES, Recipe
from lightning_gans.evaluation.features.training import train_classifier


def main(args: list[str]) -> None:
    """``lightning classifier [--config NAME] [--dataset NAME] [--colour_of NOUN] [--root FOLDER] [--out FILE] ...``.

    What is not given is the dataset's recipe, where there is one.

    Raises:
        InputError: a setting does not fit, or training is not possible.
    """
    about = "Train a classifier of images."
    recipe, others = read_recipe(args, "classifier", about, Recipe, _usual, train_classifier)
    train_classifier(recipe, others["root"], others["out"], others["device"])


def _usual(asked: Any) -> Recipe:
    return RECIPES.get(name_of(asked.dataset, asked.colour_of, asked.image_size), Recipe(asked.dataset))
