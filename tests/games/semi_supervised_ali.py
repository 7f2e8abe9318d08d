"""Small ALIs that learn the modes as classes, of a few labels."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, PairNetwork, SemiSupervisedALI
from tests.games.ali import make_ali, pairs

CLASSES = 25


def make_semi_supervised_ali(**settings: Any) -> SemiSupervisedALI:
    torch.manual_seed(3)
    game = make_ali(SemiSupervisedALI, **{"joint_discriminator": pairs(outputs=CLASSES), **settings})
    assert isinstance(game, SemiSupervisedALI)
    return game


def make_normed_semi_supervised_ali(**settings: Any) -> SemiSupervisedALI:
    """With batch norm in the discriminator, which is over all that goes through it at once."""
    torch.manual_seed(3)
    normed = PairNetwork(MLP(4, CLASSES, (16,), norm="batch"))
    return make_semi_supervised_ali(**{"joint_discriminator": normed, **settings})


GAMES = {
    "semi_supervised_ali": make_semi_supervised_ali,
    "semi_supervised_ali alternating": partial(make_semi_supervised_ali, simultaneous=False),
    "semi_supervised_ali, pairs apart": partial(make_semi_supervised_ali, one_pass=False),
}
