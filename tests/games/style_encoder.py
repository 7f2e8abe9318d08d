"""Small encoders of what a generator of texts leaves to its latents."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch

from lightning_gans import MLP, StyleEncoder, Uniform
from lightning_gans.resuming import StartFrom
from tests.games import GRID
from tests.games.gan_cls import make_gan_cls, make_text_encoder


@cache
def trained_generator() -> StartFrom:
    """The generator of a run, here one as it was drawn."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    torch.save({"state_dict": make_gan_cls().state_dict(), "global_step": 0, "epoch": 0}, folder / "last.ckpt")
    return StartFrom(str(folder / "last.ckpt"), ("generator", "text_encoder"))


def make_style_encoder(**settings: Any) -> StyleEncoder:
    generator = make_gan_cls().generator
    torch.manual_seed(5)
    networks = {"encoder": MLP(2, 2, (16,)), "generator": generator, "text_encoder": make_text_encoder()}
    return StyleEncoder(**{**networks, **GRID, "prior": Uniform(2), "start_from": trained_generator(), **settings})


GAMES = {"style_encoder": make_style_encoder}
