"""Which checkpoints there are and what they hold, and callbacks that watch a measure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint

from lightning_gans import Evaluation, Images
from lightning_gans.running.checkpoints import BestCheckpoint, Checkpoints
from lightning_gans.running.monitors import put_right
from tests.games.gan import make_gan
from tests.helpers import fit

DATA = {"held_out": 49_872, "batch_size": 32}  # four batches an epoch


def train(folder: Path, *callbacks: Any, steps: int = 6, **settings: Any) -> Any:
    measuring = Evaluation(every_n_steps=settings.pop("every", 2), num_samples=200, modes="ali")
    return fit(
        make_gan(),
        steps,
        Images("grid25", **DATA),
        callbacks=[measuring, *callbacks],
        enable_checkpointing=any(isinstance(each, ModelCheckpoint) for each in callbacks),
        default_root_dir=folder,
        **settings,
    )


def steps_in(folder: Path) -> dict[str, int]:
    return {file.name: torch.load(file, weights_only=True)["global_step"] for file in folder.rglob("*.ckpt")}


def test_the_last_state_is_stored_once_under_two_names(tmp_path: Path) -> None:
    train(tmp_path, Checkpoints())
    assert steps_in(tmp_path) == {"last.ckpt": 6, "step=6.ckpt": 6}
    checkpoints = tmp_path / "checkpoints"
    assert (checkpoints / "last.ckpt").samefile(checkpoints / "step=6.ckpt")
    assert sorted(file.name for file in checkpoints.iterdir()) == ["last.ckpt", "step=6.ckpt"]


def test_the_last_name_never_hangs_in_the_air(tmp_path: Path) -> None:
    (tmp_path / "step=1.ckpt").write_bytes(b"1")
    trainer = train(tmp_path / "run", steps=1)
    Checkpoints._link_checkpoint(trainer, str(tmp_path / "step=1.ckpt"), str(tmp_path / "last.ckpt"))
    (tmp_path / "step=1.ckpt").unlink()
    assert (tmp_path / "last.ckpt").read_bytes() == b"1"


def test_checkpoints_come_by_time_within_an_epoch(tmp_path: Path) -> None:
    found: list[dict[str, int]] = []

    class Look(Checkpoints):
        def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
            super().on_train_batch_end(trainer, *args)
            found.append(steps_in(tmp_path))

    train(tmp_path, Look(every_n_minutes=1e-9), steps=3)
    assert found == [{"last.ckpt": step, f"step={step}.ckpt": step} for step in (1, 2, 3)]


def test_the_best_is_what_was_measured_and_the_known_direction_is_used(tmp_path: Path) -> None:
    keep = put_right(ModelCheckpoint(tmp_path / "best", "{step}", monitor="registered"))
    assert isinstance(keep, BestCheckpoint)
    assert keep.mode == "max"
    train(tmp_path, keep, Checkpoints(), steps=7)
    best = json.loads((tmp_path / "evaluation.json").read_text())["best"]["registered"]
    assert steps_in(tmp_path / "best") == {f"step={best['step']}.ckpt": best["step"]}
    assert float(keep.best_model_score) == best["value"]  # type: ignore[arg-type]
    assert steps_in(tmp_path / "checkpoints")["last.ckpt"] == 7


@pytest.mark.parametrize(
    ("monitor", "mode"), [("fd_lenet_mnist", "min"), ("eval/modes", "max"), ("tv_true", "min"), ("recall", "max")]
)
def test_measures_know_which_way_is_better(monitor: str, mode: str) -> None:
    assert put_right(ModelCheckpoint(monitor=monitor, mode="min")).mode == mode  # type: ignore[attr-defined]
    stop = put_right(EarlyStopping(monitor, mode="max", min_delta=0.5, patience=7))
    assert (stop.mode, stop.patience, abs(stop.min_delta)) == (mode, 7, 0.5)  # type: ignore[attr-defined]


def test_others_are_left_as_they_are() -> None:
    for callback in (ModelCheckpoint(monitor="loss/generator", mode="max"), LearningRateMonitor(), Checkpoints()):
        assert put_right(callback) is callback
    assert put_right(EarlyStopping("loss/generator", mode="max")).mode == "max"  # type: ignore[attr-defined]


def test_stopping_early_waits_for_its_first_value_and_counts_measurements(tmp_path: Path) -> None:
    trainer = train(tmp_path, put_right(EarlyStopping("registered", patience=1, min_delta=1e6)), steps=30, every=6)
    assert trainer.global_step == 12, "the second measurement is no better"


def test_a_value_that_never_comes_is_said_and_no_traceback(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"loss/nobody, by which the run was to stop early, was never logged; logged were "):
        assert train(tmp_path, put_right(EarlyStopping("loss/nobody")), steps=6, every=100).global_step == 6
