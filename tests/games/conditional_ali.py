"""Small conditional ALIs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from lightning_gans import MLP, AttributeCondition, ConditionalALI, Conditioned, LabelCondition
from tests.games.ali import make_ali, pairs

CLASSES = 25


def make_conditional_ali(embedding: Any = "embedded", **settings: Any) -> ConditionalALI:
    """Of points and the number of their mode, as three numbers."""
    torch.manual_seed(3)
    width = 3 if embedding is not None else CLASSES
    of = (lambda: AttributeCondition(3)) if embedding is not None else (lambda: LabelCondition(CLASSES))
    networks = {
        "encoder": Conditioned(MLP(2 + width, 4, (16,)), of()),
        "generator": Conditioned(MLP(2 + width, 2, (16,), output="sigmoid"), of()),
        "joint_discriminator": Conditioned(pairs(more=width), of()),
        "embedding": LabelCondition(CLASSES, 3, init_scale=0.5) if embedding == "embedded" else embedding,
    }
    game = make_ali(ConditionalALI, **{**networks, **settings})
    assert isinstance(game, ConditionalALI)
    return game


GAMES = {
    "conditional_ali": make_conditional_ali,
    "conditional_ali, labels as they are": partial(make_conditional_ali, embedding=None),
}
