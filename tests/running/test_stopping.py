"""A run that is told to end: its status, what it leaves, and that it goes on from there as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lightning_gans.cli import main
from lightning_gans.game import Game
from tests.test_cli import SMALL, assert_same_parameters, last, the_run

FIT = ["fit", "--model=GAN", *SMALL, "--evaluation.modes=null", "--pictures.kinds=[]", "--trainer.max_steps=6"]

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Trains, sends itself signals in the middle of its third batch, and gives the status it ends with."""

    def train(*numbers: signal.Signals) -> int:
        step = Game.whole_step

        def interrupted(self: Game, batch: object) -> None:
            step(self, batch)  # type: ignore[arg-type]
            if self.global_step == 2:
                for number in numbers:
                    os.kill(os.getpid(), number)

        with monkeypatch.context() as patch:
            patch.setattr(Game, "whole_step", interrupted)
            with pytest.raises(SystemExit) as stopped:
                main(FIT)
        assert isinstance(stopped.value.code, int)
        return stopped.value.code

    return train


def test_sigterm_ends_with_its_status_and_a_checkpoint_to_go_on_from(folder: Path, told: Callable[..., int]) -> None:
    assert told(signal.SIGTERM) == 143
    run = the_run(folder)
    assert torch.load(last(run), weights_only=True)["global_step"] == 3
    kept = json.loads((run / "run.json").read_text())
    assert (kept["status"], kept["step"]) == ("stopped", 3)
    main(["fit", f"--ckpt_path={last(run)}"])
    main(FIT)
    assert_same_parameters(last(the_run(folder, 1)), last(the_run(folder, 2)))
    assert json.loads((the_run(folder, 1) / "run.json").read_text())["went_on_from"] == str(last(run))


def test_ctrl_c_ends_after_its_batch_and_says_how_to_go_on(
    folder: Path, told: Callable[..., int], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = signal.getsignal(signal.SIGINT)
    with caplog.at_level("INFO"):
        assert told(signal.SIGINT) == 130
    said = capsys.readouterr().err + caplog.text
    assert "stopped at step 3; to go on: lightning fit --ckpt_path runs/gan_grid25/version_0/checkpoints/last.ckpt" in said
    assert torch.load(last(the_run(folder)), weights_only=True)["global_step"] == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_it_at_once(folder: Path, told: Callable[..., int]) -> None:
    assert told(signal.SIGINT, signal.SIGINT) == 130
    assert not list(folder.rglob("*.ckpt"))
