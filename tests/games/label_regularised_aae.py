"""Small AAEs that are told labels, of the modes."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, Conditioned, LabelCondition, LabelRegularisedAAE, MixtureOfGaussians, SwissRoll
from tests.games.aae import make_aae

CLASSES = 25


def make_label_regularised_aae(**settings: Any) -> LabelRegularisedAAE:
    torch.manual_seed(6)
    told = Conditioned(MLP(2 + CLASSES + 1, 1, (16,)), LabelCondition(CLASSES + 1))
    game = make_aae(
        LabelRegularisedAAE, **{"latent_discriminator": told, "prior": MixtureOfGaussians(CLASSES, across=0.02), **settings}
    )
    assert isinstance(game, LabelRegularisedAAE)
    return game


GAMES = {
    "label_regularised_aae": make_label_regularised_aae,
    "label_regularised_aae, swiss roll": partial(make_label_regularised_aae, prior=SwissRoll(CLASSES)),
}
