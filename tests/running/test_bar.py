"""How far a run is, on a terminal of 80 columns and in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_gans import Evaluation, Images
from lightning_gans.running import bar
from lightning_gans.running.bar import WholeRun, fitting, steps_of
from tests.games.gan import make_gan
from tests.helpers import fit, make_trainer

TEN_BATCHES = {"limit_train_batches": 5, "max_epochs": 2}


def train(callback: WholeRun, folder: Path, **settings: int) -> None:
    measuring = Evaluation(every_n_steps=2, num_samples=100)
    settings = {"max_steps": 6, "log_every_n_steps": 2, **settings}
    fit(make_gan(), callbacks=[measuring, callback], enable_progress_bar=True, default_root_dir=folder, **settings)


def test_a_bar_of_the_whole_run_is_no_wider_than_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bar, "is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    train(WholeRun(refresh_rate=1), tmp_path, max_steps=-1, **TEN_BATCHES)
    out, err = capsys.readouterr()
    frames = [frame for line in (out + err).splitlines() for frame in line.split("\r") if "/10" in frame]
    assert len(frames) >= 5
    assert max(map(len, frames)) <= 80
    assert "10/10 100%" in frames[-1]
    assert any("modes=" in frame and "<" in frame for frame in frames)
    assert sum(line.startswith("step 4: modes ") for line in out.replace("\r", "\n").splitlines()) == 1


def test_in_a_file_there_is_a_line_every_so_often(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(WholeRun(every_n_seconds=0), tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "\r" in line or "%|" in line] == []
    (half,) = (line for line in lines if line.startswith("step 3 of 6 (50 %), "))
    assert " steps/s, " in half
    assert " left, " in half
    assert ", modes " in half
    assert any(line.startswith("step 6 of 6 (100 %), ") for line in lines)


def test_lines_are_as_rare_as_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(WholeRun(every_n_seconds=1000), tmp_path)
    assert sum("steps/s" in line for line in capsys.readouterr().out.splitlines()) == 1, "the last"


@pytest.mark.parametrize(
    ("settings", "steps"),
    [({"max_steps": 7}, 7), ({"max_steps": 100, **TEN_BATCHES}, 10), ({"max_steps": -1, "max_epochs": -1}, None)],
)
def test_the_steps_of_a_run(settings: dict[str, int], steps: int | None) -> None:
    class Ask(WholeRun):
        def on_train_start(self, trainer, *args):  # type: ignore[no-untyped-def]
            found.append(steps_of(trainer))
            trainer.should_stop = True

        def on_train_batch_end(self, *args):  # type: ignore[no-untyped-def]
            pass

        on_train_end = on_train_batch_end

    found: list[int | None] = []
    trainer = make_trainer(**{**settings, "callbacks": [Ask()], "enable_progress_bar": True})
    trainer.fit(make_gan(), datamodule=Images("grid25", batch_size=32))
    assert found == [steps]


def test_what_does_not_fit_is_left_out_whole() -> None:
    assert fitting({"modes": "24", "registered": "1800", "g": "0.7"}, 26) == "modes=24, registered=1800"
    assert fitting({"modes": "24"}, 5) == ""
