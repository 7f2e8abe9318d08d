"""Every experiment in configs/: it parses, says what it is, and trains."""

from __future__ import annotations

import importlib
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from lightning_gans import Images, paper_modules
from lightning_gans.capture import CapturedStep
from lightning_gans.cli import main
from lightning_gans.game import Game
from lightning_gans.operations import CheckedGraph
from tests.data.test_celeba import lay_out

CONFIGS = sorted(  # of experiments
    file
    for file in (Path(__file__).parents[1] / "configs").glob("*.yaml")
    if not file.stem.startswith(("classifier_", "text_encoder_"))
)
NEEDS_NO_FILES = re.compile(r"(grid|ring)\d+|swissroll|digits")
STEPS = 4  # two eager ones, and two through what stands in for a graph

# Why the steps of some experiments cannot be captured as a graph, or what is random inside
_SGD = "SGD, the optimizer of the discriminator, cannot be captured; use Adam"
_WAITS = "it reads the value of a tensor, which waits for the device"
NOT_CAPTURED = {
    **dict.fromkeys(("gan_mnist", "gan_cifar10", "gan_conv_cifar10", "gan_tfd", "conditional_gan_mnist"), _SGD),
    "semi_supervised_aae_printed_mnist": "SGD, the optimizer of the autoencoder, cannot be captured; use Adam",
    **dict.fromkeys((f"vae_gan_{data}" for data in ("grid25", "mnist", "celeba", "cifar10")), _WAITS),
    **dict.fromkeys(("dan_2s_mnist", "dan_s_mnist", "wgan_mnist", "wgan_celeba"), "what a step does depends on its number"),
}
NOISE_LAYERS = re.compile(  # or dropout
    r"aegan_(?!grid25)|(gan|aae)_anime|semi_supervised_aae_svhn|(md|reg_)gan_mnist$|"
    r"(conditional_|semi_supervised_)?ali_(?!toy|grid25)|feature_matching"
)

pytestmark = pytest.mark.filterwarnings("ignore")
each_config = pytest.mark.parametrize("config", CONFIGS, ids=lambda file: file.stem)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lightning"])
    monkeypatch.setattr(sys, "path", [*sys.path])


def printed(config: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The config with every default filled in."""
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "--config", str(config), "--print_config"])
    assert stopped.value.code == 0
    return yaml.safe_load(capsys.readouterr().out)


def values(settings: dict[str, Any], *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value of nested settings with its path."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from values(value, *path, key)
        else:
            yield (*path, key), value


def image_shape(settings: dict[str, Any]) -> list[int]:
    """(C, H, W) as the networks have it."""
    if settings["data"]["dataset"] == "mnist1k":
        return [3, 28, 28]
    names = ("image_shape", "input_shape", "inputs", "outputs")
    return next(v for path, v in values(settings["model"]) if path[-1] in names and isinstance(v, list) and len(v) == 3)


def thin(part: Any) -> None:
    """Make hidden layers of more than 128 units or channels that no other setting depends on 64 wide."""
    if isinstance(part, list):
        for each in part:
            thin(each)
    if not isinstance(part, dict):
        return
    for each in part.values():
        thin(each)
    if part.get("class_path") == "lightning_gans.MLP" and "hidden" in part["init_args"]:
        part["init_args"]["hidden"] = [min(width, 64) for width in part["init_args"]["hidden"]]
    if part.get("class_path") == "lightning_gans.LayerTable":
        for row in part["init_args"]["layers"][:-1]:
            if "image" in row:
                channels, *sides = row["image"]
                assert row["channels"] == math.prod(row["image"])
                row["image"] = [min(channels, 64), *sides]
                row["channels"] = math.prod(row["image"])
            elif row["channels"] > 128:
                row["channels"] = 64 * (row.get("pieces", 2) if row.get("activation") == "maxout" else 1)


def made_images(file: Path, shape: list[int], labelled: bool = False) -> Path:
    """10 images of noise in an .npz, with labels each of a class of its own."""
    channels, height, width = shape
    pixels = np.random.default_rng(0).integers(0, 256, (10, height, width, channels), dtype=np.uint8)
    np.savez(file, images=pixels.squeeze(-1) if channels == 1 else pixels, **({"labels": np.arange(10)} if labelled else {}))
    return file


def made_faces(root: Path) -> None:
    """10 faces with 40 attributes, as CelebA has them."""
    rows = [
        f"{number + 1:06d}.jpg " + " ".join("1" if (number >> bit % 4) % 2 else "-1" for bit in range(40))
        for number in range(10)
    ]
    names = " ".join(f"attribute{column}" for column in range(40))
    lay_out(root, count=10, attributes="\n".join(["10", names, *rows]) + "\n")


def made_captions(folder: Path, shape: list[int]) -> Path:
    """20 images of noise with a caption each, in ten classes."""
    channels, height, width = shape
    pixels = np.random.default_rng(0).integers(0, 256, (20, height, width, channels), dtype=np.uint8)
    folder.mkdir(parents=True)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number}.png")
    rows = [f"{number}.png,hair like number {number},{number % 10}" for number in range(20)]
    (folder / "captions.csv").write_text("\n".join(["image,caption,class", *rows]))
    return folder


def small_text_encoder(model: dict[str, Any]) -> None:
    """Instead of one that is trained first, which is said of its file, one as wide that is not."""
    stored = model["init_args"]["text_encoder"]
    if stored["class_path"] != "lightning_gans.load_text_encoder":
        return
    assert re.fullmatch(r"char_cnn_rnn_\w+", stored["init_args"]["path"]), "below data.root"
    width = model["init_args"]["generator"]["init_args"]["condition"]["init_args"]["columns"]
    of = {"width": width, "channels": [4, 4, 4], "length": 48}
    model["init_args"]["text_encoder"] = {"class_path": "lightning_gans.CharCNNRNN", "init_args": of}


def test_there_are_configs() -> None:
    assert CONFIGS


def test_every_paper_has_a_config() -> None:
    games = {
        name
        for module in paper_modules()
        for name, item in vars(importlib.import_module(module)).items()
        if isinstance(item, type) and issubclass(item, Game) and item.__module__ == module
    }
    named = {yaml.safe_load(file.read_text())["model"]["class_path"].rpartition(".")[2] for file in CONFIGS}
    assert games - named == set()


@each_config
def test_it_is_short_and_says_what_it_is(config: Path) -> None:
    lines = config.read_text().splitlines()
    assert 10 <= len(lines) <= 45
    assert lines[0].startswith("# ")


@each_config
def test_it_parses_and_every_setting_in_it_arrives(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resolved = dict(values(printed(config, capsys)))
    for path, value in values(yaml.safe_load(config.read_text())):
        assert arrived(resolved[path], value), ".".join(path)


def arrived(found: Any, given: Any) -> bool:
    """Whether a value is there; of the rows of a table and of networks in a list, whether what they say is."""
    if isinstance(given, list) and isinstance(found, list) and len(found) == len(given):
        return all(arrived(*each) for each in zip(found, given, strict=True))
    if isinstance(given, dict) and isinstance(found, dict):
        return all(name in found and arrived(found[name], value) for name, value in given.items())
    return found == given


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> list[CapturedStep]:
    """Sends steps through what stands in for a graph on a processor, and fills with those of the run."""
    steps: list[CapturedStep] = []
    start = Game.on_train_start

    def started(game: Game) -> None:
        start(game)
        game._captured = CapturedStep(game, CheckedGraph)
        steps.append(game._captured)

    monkeypatch.setattr(Game, "on_train_start", started)
    return steps


@each_config
def test_it_trains_on_data_of_its_shape(config: Path, tmp_path: Path, captured: list[CapturedStep]) -> None:
    settings = yaml.safe_load(config.read_text())
    dataset = settings["data"]["dataset"]
    given = "Conditional" in settings["model"]["class_path"]
    if "text_encoder" in settings["model"]["init_args"]:
        small_text_encoder(settings["model"])
    if "captions" in (settings["data"].get("condition") or ""):
        folder = made_captions(tmp_path / "root" / dataset, image_shape(settings))
        dataset = "anime" if dataset == "anime" else str(folder)
    elif given and dataset == "celeba":
        made_faces(tmp_path / "root")
    elif not NEEDS_NO_FILES.fullmatch(dataset):
        dataset = str(made_images(tmp_path / "made.npz", image_shape(settings), given or "labelled" in settings["data"]))
    small = {
        "data.dataset": dataset,
        "data.crop": "null",
        "data.classes": "null",
        **({"data.held_out": 2} if settings["data"].get("held_out", 0) > 1 else {}),
        "data.train_split": "train",
        "data.labelled": 10 if "labelled" in settings["data"] else "null",
        "trainer.callbacks": "null",
        "evaluation.weights": "raw",
        "data.root": tmp_path / "root",
        "evaluation.metrics": "null",  # of noise there is no classifier
        "data.batch_size": 4 if "text_encoder" in settings["model"]["init_args"] else 2,  # of which some are of other classes
        "trainer.accelerator": "cpu",
        "trainer.devices": 1,
        "trainer.max_steps": STEPS,
        "trainer.max_epochs": 1,
        "trainer.enable_progress_bar": "false",
        "trainer.enable_model_summary": "false",
        "evaluation.num_samples": 10,
        "pictures.num_images": 4,
        "pictures.num_points": 10,
    }
    options = [f"--{key}={value}" for key, value in small.items()]
    thinner = tmp_path / config.name
    if "start_from" not in settings["model"]["init_args"]:  # whose networks are another run's
        thin(settings["model"])
    for name in {"first_critic_steps", "set_every"} & {*settings["model"]["init_args"]}:
        settings["model"]["init_args"][name] = 2
    thinner.write_text(yaml.safe_dump(settings))
    if source := settings["model"]["init_args"].get("start_from"):  # a run that must be there, by the config that makes it
        name = re.findall(r"Train .* first: lightning fit --config (\w+)", config.read_text())[0]
        before = yaml.safe_load(config.with_stem(name).read_text())
        if "text_encoder" in before["model"]["init_args"]:
            small_text_encoder(before["model"])
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(before))
        main(["fit", "--config", str(tmp_path / f"{name}.yaml"), *options])
        assert Path(source["checkpoint"]).is_file()
    main(["fit", "--config", str(thinner), *options])

    (run,) = {*tmp_path.glob("runs/*/version_0")} - {(tmp_path / source["checkpoint"]).parents[1] if source else None}
    stored = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert stored["global_step"] == STEPS
    assert all(value.isfinite().all() for value in stored["state_dict"].values())
    for optimizer in stored["optimizer_states"]:  # every player has moved
        assert optimizer["state"]
    assert list(run.glob(f"pictures/samples_{STEPS:07d}.png"))

    step = captured[-1]
    assert NOT_CAPTURED.get(config.stem, "") in step.eager
    assert bool(step.eager) == (config.stem in NOT_CAPTURED)
    if isinstance(step.graph, CheckedGraph):
        random = [hazard for hazard in step.graph.hazards if "random" in hazard]
        assert bool(random) == bool(NOISE_LAYERS.match(config.stem))
        assert step.graph.hazards == random


@pytest.mark.parametrize("config", sorted(CONFIGS[0].parent.glob("data/*.yaml")), ids=lambda file: file.stem)
def test_a_cut_of_a_folder_goes_under_an_experiment(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = yaml.safe_load(config.read_text())
    assert set(settings) == {"data"}
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "--config", str(CONFIGS[0]), "--config", str(config), "--print_config"])
    assert stopped.value.code == 0
    resolved = dict(values(yaml.safe_load(capsys.readouterr().out)))
    assert all(resolved[path] == value for path, value in values(settings))

    place = tmp_path / "data" / settings["data"]["dataset"]
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.suffix == ".npz":
        made_images(place, [1, 48, 48])
    else:
        for number, size in enumerate([(600, 700), (640, 512)]):
            (place / "train" / "a").mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size).save(place / "train" / "a" / f"{number}.jpg")
    data = Images(**settings["data"])
    data.prepare_data()
    data.setup("fit")
    side = settings["data"]["image_size"]
    assert data.shape == (settings["data"]["channels"], side, side)
