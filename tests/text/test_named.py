"""Encoders by name: below the root of the command's data, so that a config and a checkpoint serve whatever root."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_gans import InputError
from lightning_gans.cli import main
from lightning_gans.commands import figure
from lightning_gans.text import load_text_encoder
from lightning_gans.text.loading import named_below
from lightning_gans.text.recipes import TEXT_RECIPES, named_path, text_encoder_path
from lightning_gans.text.training import train_text_encoder
from tests.test_cli import FIT, SMALL, in_folder
from tests.text.test_training import SHORT, lay_out

pytestmark = pytest.mark.filterwarnings("ignore")


def spec(name: str, **init_args: Any) -> dict[str, Any]:
    return {"class_path": f"lightning_gans.{name}", "init_args": init_args}


def told(network: dict[str, Any]) -> dict[str, Any]:
    return spec("Conditioned", network=network, condition=spec("AttributeCondition", columns=16))


CONFIG = {
    "model": spec(
        "GANCLS",
        generator=told(spec("MLP", inputs=18, outputs=[3, 8, 8], hidden=[8], output="tanh")),
        discriminator=told(spec("MLP", inputs=[19, 8, 8], outputs=1, hidden=[8])),
        prior=spec("Normal", dim=2),
        text_encoder=spec("load_text_encoder", path="char_cnn_rnn_anime"),
    ),
    "data": {"dataset": "anime", "image_size": 8, "condition": "captions", "batch_size": 32},
}


class Pixels(torch.nn.Module):
    """The mean colour, for a distance that takes no time."""

    name, key, dim, identity = "pixels", "fd_pixels", 3, "none"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.float().mean((2, 3))

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        return features


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a run with the data in ``first``, which were then moved to ``second``; no text encoder was there before."""
    folder = tmp_path_factory.mktemp("trained")
    lay_out(folder / "first")
    (folder / "small.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    with in_folder(folder), pytest.MonkeyPatch.context() as patch:
        patch.setitem(TEXT_RECIPES, "anime", SHORT)
        main([*FIT, "--config=small.yaml", "--data.root=first"])
        assert text_encoder_path("anime", "first").is_file()
        (folder / "first").rename(folder / "second")
        yield folder


def test_a_run_has_the_name_and_makes_nothing_beside_its_root(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} == {"small.yaml", "second", "runs"}
    (written,) = trained.rglob("config.yaml")
    settings = yaml.safe_load(written.read_text())["model"]["init_args"]["text_encoder"]["init_args"]
    assert settings == {"path": "char_cnn_rnn_anime", "min_score": None}


@pytest.mark.parametrize("command", ["test", "predict", "figure", "fit"])
def test_a_checkpoint_serves_another_root(command: str, trained: Path) -> None:
    checkpoint = next(trained.rglob("last.ckpt"))
    with in_folder(trained):
        if command == "figure":
            args = ["captions", f"--ckpt_path={checkpoint}", "--text=red hair", f"--out={trained / 'runs' / 'it.png'}"]
            figure.main([*args, "--data.root=second"])
            assert (trained / "runs" / "it.png").is_file()
        else:
            few = {"predict": ["--data.num_predict=4"], "fit": ["--trainer.max_steps=3"]}
            few["test"] = ["--evaluation.metrics=[fd]", "--evaluation.features=tests.text.test_named.Pixels"]
            main([command, *SMALL, f"--ckpt_path={checkpoint}", "--data.root=second", *few[command]])
    assert not (trained / "data").exists()


def test_without_its_root_the_sentence_is_about_that(trained: Path) -> None:
    with in_folder(trained), pytest.raises(SystemExit) as stopped:
        main([*FIT, "--config=small.yaml", "--data.root=third"])
    assert stopped.value.code == 2


def test_a_name_is_looked_for_below_the_root_and_a_path_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert named_path("mine", "root") == Path("root/text_encoders/mine.pt")
    for path in ("mine.pt", "some/mine", "./mine.npz", str(tmp_path / "mine")):
        assert named_path(path, "root") == Path(path)
    (tmp_path / "root" / "text_encoders" / "mine").mkdir(parents=True)
    assert named_path("mine", "root") == Path("root/text_encoders/mine")
    (tmp_path / "mine").mkdir()
    assert named_path("mine", "root") == Path("mine"), "what is there"


def test_a_name_without_a_command_is_below_data_and_the_root_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path / "made")
    file = train_text_encoder(replace(SHORT, min_score=0), tmp_path / "made", device="cpu")
    monkeypatch.chdir(tmp_path)
    with named_below("made"):
        assert load_text_encoder("char_cnn_rnn_anime").fingerprint == torch.load(file, weights_only=True)["sha256"]
    said = r"there is no text encoder data/text_encoders/char_cnn_rnn_anim\.pt \(did you mean char_cnn_rnn_anime\?\)"
    (tmp_path / "data" / "text_encoders").mkdir(parents=True)
    shutil.copy(file, tmp_path / "data" / "text_encoders")
    with pytest.raises(InputError, match=said):
        load_text_encoder("char_cnn_rnn_anim")
