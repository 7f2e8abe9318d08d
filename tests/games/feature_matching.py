"""Small games of feature matching that learn the modes as classes, of a few labels."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, FeatureMatching, Layer, LayerTable, Uniform
from tests.games import GRID
from tests.games.semi_supervised_ali import CLASSES


def make_feature_matching(**settings: Any) -> FeatureMatching:
    torch.manual_seed(1)
    networks = {
        "generator": MLP(2, 2, (16,), output="sigmoid"),
        "discriminator": MLP(2, CLASSES, (16, 8)),
        "prior": Uniform(2),
    }
    return FeatureMatching(**{**networks, **GRID, **settings})


def make_weight_normed(**settings: Any) -> FeatureMatching:
    """As the authors' networks for MNIST, without noise: weight norm that is started by the data."""
    torch.manual_seed(1)
    normed: dict[str, Any] = {"weight_norm": "fixed", "start_std": 0.3, "activation": "relu"}
    output = Layer(CLASSES, weight_norm="trained", start_std=0.1)
    networks = {
        "generator": LayerTable(2, [Layer(16, activation="softplus"), Layer(2, weight_norm="trained", activation="sigmoid")]),
        "discriminator": LayerTable(2, [Layer(16, **normed), Layer(8, **normed), output], init_scale=0.1),
    }
    return make_feature_matching(**{**networks, **settings})


GAMES = {
    "feature_matching": make_feature_matching,
    "feature_matching, squared": partial(make_feature_matching, distance="squared", fresh_batch=False),
    "feature_matching of weight-normed networks": make_weight_normed,
}
