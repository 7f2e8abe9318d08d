"""Small AAEs that find clusters."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gans import AAE, MLP, Apart, Categorical, ClusterHeads, ClusteringAAE, Normal, Product
from tests.games.aae import make_aae

CLUSTERS, STYLE = 5, 2


def parts(classes: int = CLUSTERS) -> dict[str, Any]:
    """Networks and prior for so many classes."""
    return {
        "encoder": MLP(2, classes + STYLE, (16,)),
        "generator": MLP(classes + STYLE, 2, (16,), output="sigmoid"),
        "latent_discriminator": Apart([MLP(classes, 1, (16,)), MLP(STYLE, 1, (16,))], [classes, STYLE]),
        "prior": Product({"category": Categorical(classes), "style": Normal(STYLE)}),
    }


def make_clustering_aae(paper: type[AAE] = ClusteringAAE, **settings: Any) -> AAE:
    torch.manual_seed(7)
    return make_aae(paper, **{**parts(), **settings})


def make_gaussian_clustering_aae(**settings: Any) -> AAE:
    """With a style that is drawn."""
    torch.manual_seed(8)
    return make_clustering_aae(**{"encoder": MLP(2, CLUSTERS + 2 * STYLE, (16,)), "posterior": "gaussian", **settings})


def make_reducing_aae(paper: type[AAE] = ClusteringAAE, classes: int = CLUSTERS, **settings: Any) -> AAE:
    """With cluster heads in the plane."""
    torch.manual_seed(8)
    heads = ClusterHeads(MLP(STYLE, 2, (16,), output="sigmoid"), classes, STYLE)
    return make_aae(paper, **{**parts(classes), "generator": heads, **settings})


GAMES = {
    "clustering_aae": make_clustering_aae,
    "clustering_aae, gaussian posterior": make_gaussian_clustering_aae,
    "clustering_aae in two dimensions": make_reducing_aae,
}
