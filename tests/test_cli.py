"""The ``lightning`` command from end to end: what it leaves behind, and which setting wins."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch.optim.optimizer import register_optimizer_step_post_hook

from lightning_gans.cli import main

SMALL = [
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--evaluation.num_samples=200",
    "--pictures.num_images=4",
    "--pictures.num_points=100",
]
SHORT = ["--trainer.max_steps=2", "--trainer.log_every_n_steps=1"]
FIT = ["fit", *SMALL, *SHORT]
DIGITS = Path(__file__).parents[1] / "configs" / "gaan_digits.yaml"
MY_PAPER = '''
"""A game of one's own."""

from torch.optim import SGD

from lightning_gans import MLP, Game, Uniform
from lightning_gans.losses import mean_squared_error


class MyGame(Game):
    """Moves the samples to the data."""

    def __init__(self, width: int = 8):
        super().__init__(optimizer=lambda p: SGD(p, lr=0.1))
        self.prior, self.generator = Uniform(2), MLP(2, 2, hidden=(width,))

    def players(self):
        return {"generator": [self.generator]}

    def step(self, batch):
        self.minimize("generator", self.loss, self.noise_like(batch), batch.images)

    def loss(self, z, x):
        return mean_squared_error(self.generator(z), x)
'''

pytestmark = pytest.mark.filterwarnings("ignore")


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """The command is run there, and leaves the process as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["lightning"])
        patch.setattr(sys, "path", [*sys.path])
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a GAAN on points with lambda_r 0.3, after two steps."""
    folder = tmp_path_factory.mktemp("trained")
    with in_folder(folder):
        main([*FIT, "--model=GAAN", "--model.lambda_r=0.3", "--data.batch_size=64"])
    return the_run(folder)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a GAAN on digits, after two steps."""
    folder = tmp_path_factory.mktemp("drawn")
    with in_folder(folder):
        main(["fit", f"--config={DIGITS}", *SMALL, *SHORT])
    return the_run(folder)


@pytest.fixture
def printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[list[str]], dict[str, Any]]:
    """What ``--print_config`` says; it writes nothing."""

    def print_config(arguments: list[str]) -> dict[str, Any]:
        before = list(folder.rglob("*"))
        with pytest.raises(SystemExit) as stopped:
            main([*arguments, "--print_config"])
        assert stopped.value.code == 0
        assert list(folder.rglob("*")) == before
        return yaml.safe_load(capsys.readouterr().out)

    return print_config


def the_run(folder: Path, version: int = 0) -> Path:
    """The run's folder, there being one model and one dataset."""
    (found,) = folder.glob(f"runs/*/version_{version}")
    return found


def last(run: Path) -> Path:
    """The run's last checkpoint."""
    return run / "checkpoints" / "last.ckpt"


def records(run: Path) -> list[dict[str, Any]]:
    """What was measured."""
    return [json.loads(line) for line in (run / "evaluation.jsonl").read_text().splitlines()]


def logged(run: Path, column: str, file_name: str = "metrics.csv") -> dict[int, float]:
    """A column of metrics.csv by step."""
    with open(run / file_name, newline="") as file:
        return {int(row["step"]): float(row[column]) for row in csv.DictReader(file) if row.get(column)}


def assert_shows_something(picture: Path) -> None:
    assert np.asarray(Image.open(picture).convert("L")).std() > 0, picture.name


# fit


def test_fit_leaves_config_checkpoints_losses_measures_and_pictures(trained: Path) -> None:
    assert yaml.safe_load((trained / "config.yaml").read_text())["model"]["init_args"]["lambda_r"] == 0.3
    assert torch.load(last(trained), weights_only=True)["global_step"] == 2
    for player in ("autoencoder", "discriminator", "generator"):
        assert list(logged(trained, f"loss/{player}")) == [1, 2]
    (record,) = records(trained)
    assert (record["stage"], record["step"], record["model"], record["dataset"]) == ("fit", 2, "GAAN", "grid25")
    pictures = sorted(trained.glob("pictures/*.png"))
    assert [picture.name for picture in pictures] == [
        "codes_0000002.png",
        "latent_map.png",
        "reconstructions_0000002.png",
        "samples_0000002.png",
    ]
    for picture in pictures:
        assert_shows_something(picture)


def test_fit_on_images_leaves_samples_and_reconstructions(drawn: Path) -> None:
    pictures = sorted(drawn.glob("pictures/*.png"))
    assert [picture.name for picture in pictures] == [
        "density.png",
        "interpolations.png",
        "neighbours.png",
        "reconstructions_0000002.png",
        "samples_0000002.png",
    ]
    for picture in pictures:
        assert_shows_something(picture)


def test_runs_get_folders_of_their_own(folder: Path) -> None:
    for version in (0, 1):
        main([*FIT, "--model=GAN"])
        assert last(the_run(folder, version)).is_file()


def test_the_saved_config_runs_again_to_the_same_parameters(trained: Path, folder: Path) -> None:
    main(["fit", f"--config={trained / 'config.yaml'}"])
    again = the_run(folder)
    assert (again / "config.yaml").read_text() == (trained / "config.yaml").read_text()
    assert_same_parameters(last(again), last(trained))


def test_a_resumed_run_goes_on_as_if_nothing_had_happened(trained: Path, folder: Path) -> None:
    more = ["fit", f"--config={trained / 'config.yaml'}", "--trainer.max_steps=4"]
    main([*more, f"--ckpt_path={last(trained)}"])
    main(more)
    resumed, straight = the_run(folder, 0), the_run(folder, 1)
    assert_same_parameters(last(resumed), last(straight))
    assert list(logged(resumed, "loss/generator")) == [3, 4]
    assert logged(resumed, "loss/generator").items() <= logged(straight, "loss/generator").items()


def assert_same_parameters(one: Path, other: Path) -> None:
    states = [torch.load(file, weights_only=True)["state_dict"] for file in (one, other)]
    torch.testing.assert_close(*states, rtol=0, atol=0)


@pytest.mark.parametrize("bound", [0.05, None])
def test_the_trainers_clipping_reaches_the_game(bound: float | None, folder: Path) -> None:
    norms: list[float] = []

    def measure(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        gradients = [p.grad.flatten() for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.cat(gradients).norm()))

    hook = register_optimizer_step_post_hook(measure)
    try:
        main([*FIT, "--model=GAAN", *([f"--trainer.gradient_clip_val={bound}"] if bound else [])])
    finally:
        hook.remove()
    norms = norms[-2 * 3 :]  # before them every optimiser was tried
    assert max(norms) == pytest.approx(bound, rel=1e-3) if bound else max(norms) > 0.06


def test_a_loss_that_is_not_finite_ends_with_status_1_and_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*FIT, "--model=GAN", "--model.optimizer=lightning_gans.Adam", "--model.optimizer.lr=1e17"])
    assert stopped.value.code == 1
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lightning: error: ")]
    assert re.search(r"loss of the \w+ is not finite at step \d", sentence)
    assert not list(folder.rglob("*.ckpt"))


# Which model


@pytest.mark.parametrize("name", ["GAN", "lightning_gans.GAN", "lightning_gans.papers.gan.GAN"])
def test_a_model_goes_by_each_of_its_names(name: str, printed: Callable[[list[str]], dict[str, Any]]) -> None:
    model = printed([*FIT, f"--model={name}"])["model"]
    assert model["class_path"] in ("lightning_gans.GAN", "lightning_gans.papers.gan.GAN")
    assert model["init_args"]["discriminator_scale"] == 0.5


def test_a_game_in_a_file_of_the_users_own_is_trained_measured_and_drawn(folder: Path) -> None:
    (folder / "game_of_mine.py").write_text(MY_PAPER)
    main([*FIT, "--model=game_of_mine.MyGame", "--model.width=16", "--trainer.callbacks=lightning_gans.EMA"])
    run = the_run(folder)
    assert yaml.safe_load((run / "config.yaml").read_text())["model"]["init_args"]["width"] == 16
    assert records(run)[0]["model"] == "MyGame"
    assert_shows_something(run / "pictures" / "samples_0000002.png")
    main(["test", *SMALL, "--trust", f"--ckpt_path={last(run)}"])
    fitted, tested = records(run)
    assert tested["registered"] == fitted["registered"]


# Which setting


def test_later_configs_win_and_the_command_line_beats_them(
    folder: Path, printed: Callable[[list[str]], dict[str, Any]]
) -> None:
    (folder / "first.yaml").write_text(
        "model: {class_path: GAN, init_args: {loss: lsgan}}\ndata: {batch_size: 7, num_predict: 7}"
    )
    (folder / "second.yaml").write_text("data: {batch_size: 8}\ntrainer: {max_steps: 8}")
    both = ["fit", "--config=first.yaml", "--config=second.yaml"]
    settings = printed(both)
    assert settings["model"]["init_args"]["loss"] == "lsgan"
    assert (settings["data"]["batch_size"], settings["data"]["num_predict"]) == (8, 7)
    settings = printed([*both, "--data.batch_size=9", "--model.loss=hinge"])
    assert (settings["data"]["batch_size"], settings["trainer"]["max_steps"]) == (9, 8)
    assert settings["model"]["init_args"]["loss"] == "hinge"


OTHER_ROWS = '[{"channels": 8, "norm": null}, {"channels": 2, "activation": "sigmoid"}]'


@pytest.mark.parametrize("by", ["a config that goes over it", "the command line"])
def test_rows_that_are_given_again_have_nothing_of_the_old_ones(
    by: str, folder: Path, printed: Callable[[list[str]], dict[str, Any]]
) -> None:
    rows = "[{channels: 16, activation: relu, norm: batch}, {channels: 2, activation: sigmoid}]"
    generator = f"{{class_path: lightning_gans.LayerTable, init_args: {{input_shape: 2, layers: {rows}}}}}"
    others = "discriminator: {class_path: lightning_gans.MLP, init_args: {inputs: 2, outputs: 1}}, prior: Uniform"
    (folder / "first.yaml").write_text(f"model: {{class_path: GAN, init_args: {{generator: {generator}, {others}}}}}")
    (folder / "second.yaml").write_text(f"model: {{init_args: {{generator: {{init_args: {{layers: {OTHER_ROWS}}}}}}}}}")
    again = {"a config that goes over it": "--config=second.yaml", "the command line": f"--model.generator.layers={OTHER_ROWS}"}
    settings = printed(["fit", "--config=first.yaml", again[by], "--data.dataset=grid25"])["model"]["init_args"]
    first, last = settings["generator"]["init_args"]["layers"]
    assert (first["channels"], first["norm"], first["activation"]) == (8, None, None)
    assert last["activation"] == "sigmoid"
    assert settings["generator"]["init_args"]["input_shape"] == 2


def test_single_players_get_optimizers_of_their_own(folder: Path) -> None:
    optimizer = "{class_path: torch.optim.SGD, init_args: {lr: 0.5}}"
    main([*FIT, "--model=GAN", f"--model.optimizers={{generator: {optimizer}}}", "--model.scheduler=null"])
    discriminator, generator = torch.load(last(the_run(folder)), weights_only=True)["optimizer_states"]
    assert generator["param_groups"][0]["lr"] == 0.5
    assert "betas" not in generator["param_groups"][0]
    assert discriminator["param_groups"][0]["betas"] == (0.5, 0.999)


# validate, test and predict


@pytest.mark.parametrize("stage", ["validate", "test"])
def test_a_checkpoint_alone_restores_its_config_and_measures_the_same(stage: str, trained: Path, folder: Path) -> None:
    main([stage, *SMALL, f"--ckpt_path={last(trained)}", "--trainer.default_root_dir=runs"])
    run = the_run(folder)
    settings = yaml.safe_load((run / f"config_{stage}.yaml").read_text())
    assert settings["model"]["init_args"]["lambda_r"] == 0.3
    assert settings["data"]["batch_size"] == 64
    (record,), (fitted,) = records(run), records(trained)
    assert record["stage"] == stage
    told = ("step", "modes", "registered", "tv_true", "noise_seed", "num_samples")
    assert {key: record[key] for key in told} == {key: fitted[key] for key in told}


def test_the_command_line_beats_the_checkpoint_and_says_so(trained: Path, folder: Path) -> None:
    with pytest.warns(UserWarning, match=r"lambda_r was 0\.3 in the checkpoint, this run goes on with 0\.5"):
        main(["test", *SMALL, f"--ckpt_path={last(trained)}", "--model.lambda_r=0.5", "--trainer.default_root_dir=runs"])
    settings = yaml.safe_load((the_run(folder) / "config_test.yaml").read_text())
    assert settings["model"]["init_args"]["lambda_r"] == 0.5


def test_predict_writes_images(drawn: Path, folder: Path) -> None:
    main(["predict", *SMALL, f"--ckpt_path={last(drawn)}", "--data.num_predict=3", "--trainer.default_root_dir=runs"])
    images = sorted((the_run(folder) / "samples" / "step=2").glob("*.png"))
    assert [image.name for image in images] == ["000000.png", "000001.png", "000002.png"]
    for image in images:
        assert_shows_something(image)
    assert len({image.read_bytes() for image in images}) == 3


def test_predict_draws_points(trained: Path, folder: Path) -> None:
    main(["predict", *SMALL, f"--ckpt_path={last(trained)}", "--trainer.default_root_dir=runs"])
    (picture,) = (the_run(folder) / "samples" / "step=2").iterdir()
    assert_shows_something(picture)


# Before anything heavy is imported


@pytest.mark.parametrize("arguments", [["--version"], [], ["--help"]], ids=["version", "nothing", "help"])
def test_it_answers_without_importing_torch(arguments: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "lightning_gans", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "lightning_gans" in imported
    assert imported.isdisjoint({"torch", "lightning", "numpy", "yaml"})
    assert done.stdout.startswith("lightning-gans ")
    assert ("usage: lightning" in done.stdout) == (arguments != ["--version"])


# Several devices


@pytest.mark.slow
def test_two_processes_train_one_model_through_the_console_script(folder: Path) -> None:
    script = Path(sys.executable).with_name("lightning")
    arguments = [*FIT, "--model=GAAN", "--trainer.devices=2", "--trainer.max_steps=4", "--seed_everything=3"]
    done = subprocess.run([script, *arguments], cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "Starting with 2 processes" in done.stderr
    run = the_run(folder)
    assert list(folder.glob("runs/*/*")) == [run], "one folder for both"
    assert len(records(run)) == 1
    assert torch.load(last(run), weights_only=True)["global_step"] == 4
    with in_folder(folder):
        main([*arguments, "--trainer.devices=1"])
    for step, loss in logged(the_run(folder, 1), "loss/autoencoder").items():
        assert logged(run, "loss/autoencoder")[step] == pytest.approx(loss, rel=1e-3)
