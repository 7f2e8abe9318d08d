"""What of a constructor's arguments is stored in checkpoints."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from lightning_gans import Game
from lightning_gans.hyperparameters import _is_plain, _not_plain
from lightning_gans.networks import Network
from lightning_gans.papers.gan import GAN


@pytest.mark.parametrize(
    "hint",
    [
        *(bool, int, float, str, type(None), float | None, Literal["a", "b"], Literal["a"] | None),
        *(tuple[float, float], tuple[int, ...], list[str], tuple[float, float] | None),
        *(dict[str, float], dict[str, float | None]),
    ],
)
def test_plain_types_are_stored(hint: Any) -> None:
    assert _is_plain(hint)


@pytest.mark.parametrize(
    "hint", [None, Any, Network, Network | None, list[Network], dict[str, Network], object, tuple[Network, int]]
)
def test_other_types_are_not(hint: Any) -> None:
    assert not _is_plain(hint)


def test_the_constructors_of_all_bases_are_looked_at() -> None:
    class Heir(GAN):
        def __init__(self, extra: Network, weight: float, choice: Literal["a"] | None = None, untyped=1, **gan: Any) -> None:  # type: ignore[no-untyped-def]
            super().__init__(**gan)

    found = set(_not_plain(Heir))
    assert {"extra", "untyped", "gan", "generator", "discriminator", "prior", "optimizer", "optimizers", "scheduler"} <= found
    assert found.isdisjoint(
        {"weight", "choice", "loss", "discriminator_steps", "data_scale", "data_range", "gradient_clip_val"}
    )
    assert "start_from" in found
    assert set(_not_plain(Game)) < found
