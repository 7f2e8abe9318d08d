"""Small AAEs that learn the modes as classes, of a few labels."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import AAE, SemiSupervisedAAE
from tests.games.clustering_aae import make_clustering_aae, make_reducing_aae, parts

CLASSES = 25


def make_semi_supervised_aae(**settings: Any) -> AAE:
    torch.manual_seed(9)
    return make_clustering_aae(SemiSupervisedAAE, **{**parts(CLASSES), **settings})


GAMES = {
    "semi_supervised_aae": make_semi_supervised_aae,
    "semi_supervised_aae in two dimensions": partial(make_reducing_aae, SemiSupervisedAAE, CLASSES),
}
