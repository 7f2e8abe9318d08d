"""Models that the explorer is tried on: of digits, trained for two steps by the command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_gans.cli import main as lightning
from lightning_gans.explore import Explorer
from lightning_gans.restore import restore

QUIET = [f"--trainer.{name}=false" for name in ("enable_progress_bar", "enable_model_summary", "logger")]
SHORT = ["--trainer.max_steps=2", "--trainer.accelerator=cpu", "--pictures.kinds=[]", "--evaluation.metrics=[]"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the checkpoint of a model by its class."""
    made: dict[str, Path] = {}

    def train(model: str) -> Path:
        if model not in made:
            folder = tmp_path_factory.mktemp(model)
            options = ["--data.dataset=digits", f"--data.root={folder}", f"--trainer.default_root_dir={folder}"]
            argv, sys.argv = sys.argv, ["lightning"]
            try:
                lightning(["fit", f"--model={model}", *options, *QUIET, *SHORT])
            finally:
                sys.argv = argv
            (made[model],) = folder.rglob("last.ckpt")
        return made[model]

    return train


@pytest.fixture(scope="session")
def explorer(trained: Callable[[str], Path]) -> Callable[..., Explorer]:
    """Gives the explorer of a model by its class, always the same."""
    made: dict[str, Explorer] = {}

    def explore(model: str) -> Explorer:
        if model not in made:
            module, data, _, step = restore(trained(model), ["--trainer.accelerator=cpu"])
            made[model] = Explorer(module, data, step=step)
        return made[model]

    return explore
