"""Sizes of networks that cannot be: one sentence names the argument, whatever network it is of."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from lightning_gans import networks
from lightning_gans.errors import InputError
from lightning_gans.networks import (
    MLP,
    ALIDiscriminator,
    ALIEncoder,
    ALIGenerator,
    AttributeCondition,
    LabelCondition,
    Layer,
    LayerTable,
    Packed,
)

ROWS = [(3, 2, 4), (3, 1, 4)]
REQUIRED: dict[type, dict[str, Any]] = {
    ALIEncoder: {"image_shape": (1, 7, 7), "outputs": 4, "rows": ROWS},
    ALIGenerator: {"latent_dim": 4, "channels": 1, "rows": ROWS},
    ALIDiscriminator: {
        "image_shape": (1, 7, 7),
        "latent_dim": 4,
        "rows": ROWS,
        "z_widths": (4,),
        "joint_widths": (4,),
    },
    AttributeCondition: {"columns": 3},
    LabelCondition: {"classes": 3},
    Layer: {"channels": 3},
    LayerTable: {"input_shape": 2, "layers": [Layer(3)]},
    Packed: {"network": MLP()},
}
MAY_BE_NONE = {"layers"}  # thin layers of AEGAN's latent discriminator; rows of a table have a sentence of their own


def sizes() -> Iterator[tuple[type, str, Any]]:
    """Every size that a constructor takes, and what it is by default."""
    for name in networks.__all__:
        kind = getattr(networks, name)
        if not isinstance(kind, type):
            continue
        for argument, parameter in inspect.signature(kind).parameters.items():
            usual = REQUIRED.get(kind, {}).get(argument, parameter.default)
            whole = type(usual) is int and usual > 0
            row = isinstance(usual, tuple) and all(type(size) is int for size in usual)
            if (whole or row) and argument not in MAY_BE_NONE:
                yield kind, argument, usual


@pytest.mark.parametrize(("kind", "argument", "usual"), [*sizes()], ids=lambda value: getattr(value, "__name__", str(value)))
@pytest.mark.parametrize("size", [0, -2])
def test_a_size_below_one_is_named(kind: type, argument: str, usual: Any, size: int) -> None:
    given = (*usual[:-1], size) if isinstance(usual, tuple) else size
    with pytest.raises(InputError, match=argument):
        kind(**{**REQUIRED.get(kind, {}), argument: given})


def test_the_sentence_says_what_it_is_and_what_it_must_be() -> None:
    with pytest.raises(InputError, match=r"hidden of MLP is \[8, 0\], but sizes must be at least 1; set hidden"):
        MLP(hidden=(8, 0))


def test_a_network_may_have_no_hidden_layer() -> None:
    assert [*MLP(hidden=()).stages] == ["output"]
