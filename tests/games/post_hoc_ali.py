"""Small ALIs with a generator that was there before."""

from __future__ import annotations

from typing import Any

from lightning_gans import PostHocALI
from tests.games.ali import make_ali
from tests.games.inverse_mapping import make_generator, trained_generator


def make_post_hoc_ali(**settings: Any) -> PostHocALI:
    game = make_ali(PostHocALI, **{"generator": make_generator(), "start_from": trained_generator(), **settings})
    assert isinstance(game, PostHocALI)
    return game


GAMES = {"post_hoc_ali": make_post_hoc_ali}
