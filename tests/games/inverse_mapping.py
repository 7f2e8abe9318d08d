"""Small encoders that are learned after the generator."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch

from lightning_gans import MLP, InverseMapping, Normal
from lightning_gans.resuming import StartFrom
from tests.games import GRID


def make_generator() -> MLP:
    """Always the same."""
    torch.manual_seed(11)
    return MLP(2, 2, (16,), output="sigmoid")


@cache
def trained_generator() -> StartFrom:
    """The generator of a run, here one as it was drawn."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    kept = {f"generator.{name}": value for name, value in make_generator().state_dict().items()}
    torch.save({"state_dict": kept, "global_step": 0, "epoch": 0}, folder / "last.ckpt")
    return StartFrom(str(folder / "last.ckpt"), ("generator",))


def make_inverse_mapping(**settings: Any) -> InverseMapping:
    networks = {"generator": make_generator(), "encoder": MLP(2, 2, (16,)), "prior": Normal(2)}
    return InverseMapping(**{**networks, **GRID, "start_from": trained_generator(), **settings})


def make_gaussian_inverse_mapping(**settings: Any) -> InverseMapping:
    torch.manual_seed(4)
    return make_inverse_mapping(**{"encoder": MLP(2, 4, (16,)), "posterior": "gaussian", **settings})


GAMES = {
    "inverse_mapping": make_inverse_mapping,
    "inverse_mapping, gaussian": make_gaussian_inverse_mapping,
}
