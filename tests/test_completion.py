"""Every model on every data in one line, and modules of one's own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from lightning_gans import Images
from lightning_gans.cli import main
from lightning_gans.completion import complete
from tests.papers.test_papers import CLASSES

pytestmark = pytest.mark.filterwarnings("ignore")

QUIET = {
    "trainer.accelerator": "cpu",
    "trainer.devices": 1,
    "trainer.max_steps": 2,
    "trainer.enable_progress_bar": "false",
    "trainer.enable_model_summary": "false",
    "evaluation.num_samples": 50,
    "pictures.num_images": 4,
    "pictures.num_points": 50,
    "pictures.kinds": "[samples]",
    "evaluation.modes": "null",
    "data.batch_size": 4,
}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lightning"])
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """24 greyscale images of 48x56 in two classes."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 48, 56), dtype=np.uint8)
    for number, image in enumerate(pixels):
        (tmp_path / "photographs" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "photographs" / "ab"[number % 2] / f"{number}.png")
    return str(tmp_path / "photographs")


def run(command: str, *options: str, **settings: Any) -> None:
    given = {**QUIET, **{name.replace("__", "."): value for name, value in settings.items()}}
    main([command, *options, *(f"--{name}={value}" for name, value in given.items())])


def config() -> dict[str, Any]:
    (file,) = Path("runs").glob("*/version_0/config.yaml")
    return yaml.safe_load(file.read_text())


# Of a generator that is there
AFTERWARDS = {"InverseMapping": "GAN", "PostHocALI": "GAN", "StyleEncoder": "GANCLS"}


@pytest.mark.parametrize("dataset", ["ring8", "digits", "folder"])
@pytest.mark.parametrize("model", [name for name in CLASSES if not name.endswith("Printed") and name not in AFTERWARDS])
def test_every_model_trains_on_every_data_in_one_line(model: str, dataset: str, request: pytest.FixtureRequest) -> None:
    where = request.getfixturevalue("folder") if dataset == "folder" else dataset
    learns = getattr(CLASSES[model], "learns_labels", False)
    labels: dict[str, Any] = {"data__labelled": {"ring8": 16, "digits": 20, "folder": 4}[dataset]} if learns else {}
    if CLASSES[model].conditional and dataset == "ring8":
        labels = {"data__condition": "labels"}
    run("fit", "--model", model, data__dataset=where, data__image_size="null", data__crop="null", **labels)
    (stored,) = Path("runs").glob("*/version_0/checkpoints/last.ckpt")
    state = torch.load(stored, weights_only=True)["state_dict"]
    assert all(tensor.isfinite().all() for tensor in state.values())
    networks = config()["model"]["init_args"]
    assert networks["generator"]["class_path"].startswith("lightning_gans.")
    assert list(Path("runs").glob("*/version_0/pictures/samples_*.png"))


@pytest.mark.parametrize("model", AFTERWARDS)
def test_inference_is_learned_for_the_generator_of_another_run(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    labels = {"data__condition": "labels"} if AFTERWARDS[model] == "GANCLS" else {}
    run("fit", "--model", AFTERWARDS[model], data__dataset="ring8", **labels)
    with pytest.raises(SystemExit):
        run("fit", "--model", model, data__dataset="ring8", **labels)
    assert "the generator is a trained one that stays as it is; set model.start_from.checkpoint" in capsys.readouterr().err
    (source,) = Path("runs").glob("*/version_0/checkpoints/last.ckpt")
    start = {"model__start_from__checkpoint": source, "model__start_from__networks": "[generator]"}
    run("fit", "--model", model, data__dataset="ring8", **start, **labels)
    (after,) = {*Path("runs").glob("*/version_0/checkpoints/last.ckpt")} - {source}
    trained, there = (torch.load(file, weights_only=True)["state_dict"] for file in (after, source))
    generator = [name for name in there if name.startswith("generator.")]
    assert generator
    assert all(torch.equal(trained[name], there[name]) for name in generator)


def completed(*args: str) -> dict[str, Any]:
    added = complete(["fit", *args])[1 + len(args) :]
    return {name.removeprefix("--model."): yaml.safe_load(value) for name, _, value in (each.partition("=") for each in added)}


@pytest.mark.parametrize(
    ("name", "network"), [("SemiSupervisedALI", "joint_discriminator"), ("FeatureMatching", "discriminator")]
)
def test_a_discriminator_of_classes_has_as_many_outputs(name: str, network: str) -> None:
    spec = completed("--model", name, "--data.dataset=digits", "--data.labelled=100")[network]["init_args"]
    assert spec.get("joint", {}).get("init_args", spec)["outputs"] == 10


def test_a_code_has_as_many_outputs_as_its_law_takes() -> None:
    parts = {
        "noise": {"class_path": "lightning_gans.Normal", "init_args": {"dim": 3}},
        "kind": {"class_path": "lightning_gans.Categorical", "init_args": {"classes": 5}},
        "petal": {"class_path": "lightning_gans.MixtureOfGaussians", "init_args": {"components": 7}},
    }
    prior = yaml.safe_dump({"class_path": "lightning_gans.Product", "init_args": {"parts": parts}}, default_flow_style=True)
    heads = completed("--model", "InfoGAN", "--data.dataset=ring8", f"--model.prior={prior}")["discriminator"]["init_args"][
        "heads"
    ]
    assert {name: head["init_args"]["outputs"] for name, head in heads.items()} == {"real": 1, "kind": 5, "petal": 4}


def test_what_is_given_is_left_alone() -> None:
    mine = '{"class_path": "lightning_gans.MLP", "init_args": {"inputs": 2, "outputs": 2}}'
    settings = completed("--model", "GAAN", "--data.dataset=ring8", "--model.encoder", mine, "--model.data_scale=9")
    assert settings.keys() == {"generator", "discriminator", "prior"}
    assert completed("--model", "Nobody", "--data.dataset=ring8") == {}
    assert complete(["seeds", "--model", "GAAN"]) == ["seeds", "--model", "GAAN"]


def test_networks_fit_the_prior_that_is_given() -> None:
    settings = completed("--model", "GAN", "--data.dataset", "digits", "--model.prior", "Uniform", "--model.prior.dim=7")
    assert settings["generator"]["init_args"]["latent_dim"] == 7
    assert "prior" not in settings


def test_settings_of_a_config_count(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "model: {class_path: lightning_gans.GAN, init_args: {prior: {class_path: Normal, init_args: {dim: 5}}}}\n"
        "data: {dataset: ring8}\n"
    )
    settings = completed("--config", "mine.yaml")
    assert settings["generator"]["init_args"]["inputs"] == 5
    data = Images("ring8")
    data.setup("fit")
    assert settings["data_scale"] == data.extent


@pytest.mark.parametrize("model", ["VAE", "VAEGAN"])
def test_a_stochastic_encoder_gives_twice_the_numbers(model: str) -> None:
    settings = completed("--model", model, "--data.dataset", "digits")
    assert settings["encoder"]["init_args"]["outputs"] == 2 * settings["prior"]["init_args"]["dim"]


def test_data_that_are_not_there_are_said_before_anything_else(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "--model", "GAN", "--data.dataset", "nowhere"])
    assert stopped.value.code == 2
    assert "there is no dataset 'nowhere'" in capsys.readouterr().err


# Modules of one's own


def own(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parent / "my_papers.py", tmp_path / "my_papers.py")


@pytest.mark.parametrize("dataset", ["ring8", "digits"])
def test_a_small_ali_of_ones_own_trains_samples_reconstructs_and_is_measured(tmp_path: Path, dataset: str) -> None:
    own(tmp_path)
    measured = {"evaluation__modes": "gaan"} if dataset == "ring8" else {"evaluation__metrics": "[reconstruction]"}
    run("fit", "--model", "my_papers.TinyALI", data__dataset=dataset, pictures__kinds="[samples, reconstructions]", **measured)
    folder = next(Path("runs").glob("*/version_0"))
    assert list(folder.glob("pictures/samples_*.png"))
    assert list(folder.glob("pictures/reconstructions_*.png"))
    name = "modes" if dataset == "ring8" else "reconstruction_mse"
    assert f'"{name}"' in (folder / "evaluation.jsonl").read_text()
    run("predict", "--trust", "--ckpt_path", str(folder / "checkpoints" / "last.ckpt"), data__num_predict=5)


def test_a_small_conditional_gan_of_ones_own_trains_samples_and_is_measured(tmp_path: Path) -> None:
    own(tmp_path)
    run("fit", "--model", "my_papers.TinyConditionalGAN", data__dataset="digits")
    networks = config()["model"]["init_args"]
    assert networks["generator"]["class_path"] == "lightning_gans.Conditioned"
    assert networks["generator"]["init_args"]["condition"]["init_args"]["classes"] == 10
    folder = next(Path("runs").glob("*/version_0"))
    assert list(folder.glob("pictures/samples_*.png"))
    run("predict", "--trust", "--ckpt_path", str(folder / "checkpoints" / "last.ckpt"), data__num_predict=5)


def test_a_conditional_model_on_data_without_conditions_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own(tmp_path)
    with pytest.raises(SystemExit):
        run("fit", "--model", "my_papers.TinyConditionalGAN", data__dataset="swissroll")
    said = capsys.readouterr().err
    assert "conditional, but swissroll comes with no labels or other conditions; set data.condition to labels" in said
