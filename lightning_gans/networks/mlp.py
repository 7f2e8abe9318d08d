"""Multi-layer perceptrons, for points and for flat images."""

from __future__ import annotations

import math
from typing import Literal

from torch import nn

from lightning_gans.networks.layers import (
    Activation,
    Initialisation,
    Maxout,
    Network,
    Norm,
    Output,
    activation,
    check_sizes,
    initialise,
    normalisation,
)


class MLP(Network):
    """Linear layers with an activation after every hidden one.

    Args:
        inputs: numbers a sample, or an image shape ``(C, H, W)`` that is flattened.
        outputs: numbers a sample, or an image shape that is made of them.
        hidden: widths of the hidden layers.
        activation: after every hidden layer; ``maxout`` takes the largest of ``pieces`` numbers for each unit.
        output: after the last layer; none leaves logits.
        pieces: for ``maxout``.
        dropout: probability of dropping a hidden unit.
        input_dropout: probability of dropping an input.
        init: see ``lightning_gans.networks.initialise``.
        init_scale: for the inits that have one.
        norm: before each activation: ``batch``, ``layer`` (over the units) or none.
    """

    def __init__(
        self,
        inputs: int | tuple[int, ...] = 2,
        outputs: int | tuple[int, ...] = 2,
        hidden: tuple[int, ...] = (128, 128, 128),
        activation: Activation | Literal["maxout"] = "relu",
        output: Output | None = None,
        pieces: int = 5,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        init: Initialisation = "he_normal",
        init_scale: float = 0.02,
        norm: Norm | None = None,
    ) -> None:
        check_sizes(self, inputs=inputs, outputs=outputs, hidden=hidden, pieces=pieces)
        stages: dict[str, nn.Module] = {}
        width = inputs if isinstance(inputs, int) else math.prod(inputs)
        if not isinstance(inputs, int):
            stages["flatten"] = nn.Flatten()
        if input_dropout:
            stages["input_dropout"] = nn.Dropout(input_dropout)
        for number, units in enumerate(hidden, 1):
            stages[f"hidden{number}"] = _hidden(width, units, activation, pieces, dropout, norm)
            width = units
        if isinstance(outputs, int):
            stages["output"] = nn.Linear(width, outputs)
        else:
            stages["output"] = nn.Sequential(nn.Linear(width, math.prod(outputs)), nn.Unflatten(1, tuple(outputs)))
        super().__init__(stages, output)
        initialise(self, init, init_scale)


def _hidden(
    inputs: int, units: int, name: Activation | Literal["maxout"], pieces: int, dropout: float, norm: Norm | None
) -> nn.Sequential:
    outputs = units * pieces if name == "maxout" else units
    finish = Maxout(pieces) if name == "maxout" else activation(name)
    layers = [nn.Linear(inputs, outputs), *normalisation(norm, outputs, flat=True), finish]
    return nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []))
