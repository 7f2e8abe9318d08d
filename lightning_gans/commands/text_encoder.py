"""Train an encoder of a dataset's captions, which models that make images of text are conditioned by."""

from __future__ import annotations

from typing import Any

from lightning_gans.commands._recipes import read_recipe
from lightning_gans.text.recipes import TEXT_RECIPES, TextRecipe
from lightning_gans.text.training import train_text_encoder


def main(args: list[str]) -> None:
    """``lightning text-encoder [--config NAME] [--dataset NAME] [--root FOLDER] [--out FILE] ...``.

    What is not given is the dataset's recipe, where there is one.

    Raises:
        InputError: a setting does not fit, or training is not possible.
    """
    about = "Train an encoder of captions."
    recipe, others = read_recipe(args, "text-encoder", about, TextRecipe, _usual, train_text_encoder)
    train_text_encoder(recipe, others["root"], others["out"], others["device"])


def _usual(asked: Any) -> TextRecipe:
    return TEXT_RECIPES.get(asked.dataset, TextRecipe(asked.dataset))
