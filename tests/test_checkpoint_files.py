"""Checkpoints as files: written whole or not at all, read only as what they are."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

import lightning_gans
from lightning_gans import InputError, trust
from lightning_gans.checkpoint_files import CheckpointFiles
from lightning_gans.checkpoints import finite, load_checkpoint, stored_config
from tests.helpers import Duel, fit, saving

STATE = {"weight": torch.arange(2000.0)}
GOOD: dict[str, Any] = {"state_dict": STATE, "global_step": 3, "epoch": 0, "config": "model: {class_path: GAN}"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    CheckpointFiles().save_checkpoint(GOOD, tmp_path / "last.ckpt")
    return tmp_path / "last.ckpt"


def test_a_trainer_from_python_takes_it_as_a_plugin(tmp_path: Path) -> None:
    settings: Any = saving(tmp_path)
    trainer = fit(Duel(), 2, plugins=[lightning_gans.CheckpointFiles()], **settings)
    assert isinstance(trainer.strategy.checkpoint_io, CheckpointFiles)
    assert load_checkpoint(tmp_path / "step=2.ckpt")["global_step"] == 2


# Read


def test_what_was_written_is_read(file: Path) -> None:
    assert torch.equal(CheckpointFiles().load_checkpoint(file)["state_dict"]["weight"], STATE["weight"])


@pytest.mark.parametrize("share", [0.2, 0.35, 0.5, 0.65, 0.8])
def test_a_flipped_bit_is_noticed(file: Path, share: float) -> None:
    raw = bytearray(file.read_bytes())
    raw[int(share * len(raw))] ^= 4
    file.write_bytes(raw)
    with pytest.raises(InputError, match="not a checkpoint, or a damaged one"):
        load_checkpoint(file)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    **{f"no {name}": ({name: ...}, f"it has no {name}") for name in ("state_dict", "global_step", "epoch")},
    "a list of weights": ({"state_dict": [1]}, "its state_dict is a list"),
    "weights that are none": ({"state_dict": {"a": 1}}, "has more than tensors"),
    "a step in words": ({"global_step": "three"}, "its global_step is a str"),
    "no states": ({"optimizer_states": None}, "its optimizer_states is nothing"),
    "states in words": ({"optimizer_states": "x"}, "its optimizer_states is a str"),
    "a game in words": ({"game": "GAN"}, "its game is a str"),
    "a config as a list": ({"config": ["model"]}, "its config is a list"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_kind_of_content_is_named(change: str, tmp_path: Path) -> None:
    changed, sentence = CHANGES[change]
    torch.save({name: value for name, value in {**GOOD, **changed}.items() if value is not ...}, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match=sentence):
        load_checkpoint(tmp_path / "x.ckpt")


@pytest.mark.parametrize("content", [[1, 2], torch.ones(2), "text"])
def test_a_file_of_something_else_is_none(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match="is not a checkpoint"):
        load_checkpoint(tmp_path / "x.ckpt")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("", "holds no settings by name"),
        ("- 1", "holds no settings by name"),
        ("just words", "holds no settings by name"),
        ("model: [", "is not a YAML file"),
        ("model: 7", "has a int for model"),
        ("data: [1]", "has a list for data"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_a_stored_config_that_is_none_is_refused(config: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        stored_config({**GOOD, "config": config}, Path("x.ckpt"), [])
    trust.lift()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(bad: float) -> None:
    finite(STATE)
    with pytest.raises(InputError, match=r"weights of weight in x\.ckpt are NaN or infinite"):
        finite({"other": torch.ones(2, dtype=torch.int64), "weight": torch.tensor([1.0, bad])}, "x.ckpt")


# Written


def test_it_is_staged_beside_its_place(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder that is full, or not there, is no hindrance."""
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    CheckpointFiles().save_checkpoint({**GOOD, "global_step": 4}, file)
    assert load_checkpoint(file)["global_step"] == 4
    assert [*file.parent.iterdir()] == [file]


def test_whoever_is_killed_in_between_has_the_last_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        CheckpointFiles().save_checkpoint({**GOOD, "global_step": 4}, file)
    assert load_checkpoint(file)["global_step"] == 3


@pytest.mark.parametrize("wrapped", [False, True], ids=["the system's", "torch's"])
def test_a_full_disk_leaves_what_was_there(file: Path, wrapped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(content: Any, place: Any) -> None:
        place.write(b"half")
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            if wrapped:
                raise RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed") from error
            raise

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\); earlier files are as they"):
        CheckpointFiles().save_checkpoint(GOOD, file)
    monkeypatch.undo()
    assert load_checkpoint(file)["global_step"] == 3
    assert [*file.parent.iterdir()] == [file]


def test_what_a_killed_run_left_is_swept_up(file: Path) -> None:
    left = file.with_name(".step=3.ckpt.tmp")
    left.write_bytes(b"half")
    CheckpointFiles().save_checkpoint(GOOD, file)
    assert not left.exists()
