"""``lightning dashboard sweep``: a file whose command line trains, and refusals before anything is written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_gans import InputError
from lightning_gans.__main__ import main as lightning
from lightning_gans.commands.dashboard import main
from lightning_gans.dashboards.sweeps import Parameter
from tests.running import wandb_file
from tests.test_cli import SMALL

GAN = ["--model=GAN", "--data.dataset", "grid25", "--model.optimizer=lightning_gans.Adam"]
RATE = "model.optimizer.lr=log:1e-5..1e-3"


def made(*arguments: str) -> dict[str, Any]:
    """The file."""
    main(["sweep", *arguments])
    return yaml.safe_load(Path("sweep.yaml").read_text())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b=1,2.5,x", {"values": [1, 2.5, "x"]}),
        ("--a=1e-4,true,[64, 32]", {"values": [1e-4, True, [64, 32]]}),
        ("a=1e-5..0.5", {"distribution": "uniform", "min": 1e-5, "max": 0.5}),
        ("a=log:1e-5..1e-3", {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-3}),
        ("a=-2..5", {"distribution": "int_uniform", "min": -2, "max": 5}),
        ("a=log:16..256", {"distribution": "q_log_uniform_values", "min": 16, "max": 256}),
    ],
)
def test_parameters_are_values_or_ranges(text: str, expected: dict[str, Any]) -> None:
    assert Parameter.read(text).entry() == expected


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What ``lightning fit`` is taken to make of its options: to ask it takes a second."""
    known: dict[str, Any] = {
        "evaluation": {"metrics": None, "features": "inception", "every_n_steps": None},
        "trainer": {"logger": None},
    }
    monkeypatch.setattr("lightning_gans.dashboards.sweeps.resolved", lambda options: known)
    return known


def test_the_goal_is_the_measures_own_direction(folder: Path, config: dict[str, Any]) -> None:
    values = ["--parameter", "model.discriminator_steps=1,2", "seed_everything=0,1"]
    grid = made(*GAN, "--metric", "modes", *values)
    assert (grid["method"], grid["metric"]) == ("grid", {"name": "eval/modes", "goal": "maximize"})
    assert grid["parameters"]["seed_everything"] == {"values": [0, 1]}
    config["evaluation"]["every_n_steps"] = 100
    more = ["--runs", "5", "--hyperband", "3", "--project", "p", "--entity", "e"]
    searched = made(*GAN, "--metric", "tv_true", "--parameter", RATE, *more)
    assert (searched["method"], searched["metric"]) == ("bayes", {"name": "eval/tv_true", "goal": "minimize"})
    assert searched["early_terminate"] == {"type": "hyperband", "min_iter": 3}
    assert (searched["run_cap"], searched["project"], searched["entity"]) == (5, "p", "e")
    assert not {"early_terminate", "run_cap", "project", "entity"} & grid.keys()


@pytest.mark.filterwarnings("ignore")
def test_the_command_that_an_agent_builds_trains_and_logs_what_is_searched_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process: to import everything in one of its own would take longer than all the rest."""
    wandb = pytest.importorskip("wandb")
    utils = pytest.importorskip("wandb.sdk.launch.sweeps.utils")
    short = ["--trainer.max_steps=2", "--pictures.kinds=[samples]"]
    sweep = made(*GAN, *SMALL, *short, "--metric", "modes", "--parameter", RATE, "data.batch_size=16,32")
    dealt = {"model.optimizer.lr": {"value": 0.00003}, "data.batch_size": {"value": 32}}
    given = utils.create_sweep_command_args({"args": dealt}) | {"env": ["/usr/bin/env"], "interpreter": ["python"]}
    words = [str(word) for word in utils.create_sweep_command(sweep["command"])]
    line = [arg for word in words for arg in (given[word[2:-1]] if word.startswith("${") else [word])]
    assert line[:4] == ["/usr/bin/env", "python", "-m", "lightning_gans"]
    assert "--model.optimizer.lr=3e-05" in line
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setattr(sys, "argv", line[3:])
    try:
        lightning()
    finally:
        wandb.finish()
    run = folder / "runs" / "gan_grid25" / "version_0"
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["model"]["init_args"]["optimizer"]["init_args"]["lr"] == 0.00003
    assert config["data"]["batch_size"] == 32
    (written,) = run.glob("wandb/offline-run-*")
    assert any(sweep["metric"]["name"] in row for row in wandb_file.read(written)["history"])


def test_a_logger_of_ones_own_for_wandb_is_kept(folder: Path, config: dict[str, Any]) -> None:
    arguments = [*GAN, "--metric", "modes", "--parameter", RATE]
    assert made(*arguments)["command"][5:] == [*GAN, "--trainer.logger=WandbLogger", "${args}"]
    config["trainer"]["logger"] = [{"class_path": "lightning.pytorch.loggers.WandbLogger"}]
    assert made(*arguments)["command"][5:] == [*GAN, "${args}"]
    config["trainer"]["logger"] = {"class_path": "lightning.pytorch.loggers.CSVLogger"}
    with pytest.raises(InputError, match=r"leave trainer.logger out, or make WandbLogger one of them"):
        made(*arguments)


@pytest.mark.parametrize(
    ("metric", "taken", "features", "sentence"),
    [
        ("fid", ["fd"], "inception", None),
        ("fid", None, "inception", r"do not measure fid; give --evaluation.metrics '\[fd\]' as well"),
        ("modes", ["fd"], "classifier", r"do not measure modes; give --evaluation.metrics '\[modes\]' as well"),
        ("fd_lenet_digits", ["fd"], "classifier", None),
        ("fd_lenet_digits", ["fd"], "mine.pt", None),
        ("fd_lenet_digits", ["fd"], "inception", "these runs measure by inception, which fd_lenet_digits is not"),
        ("fid", ["fd"], "classifier", "these runs measure by classifier, which fid is not"),
        ("kid_ema", ["kid"], "inception", None),
        ("fd_inception768", ["fd"], "inception768", None),
        ("recall_lenet_mnist", ["fd", "prdc"], "classifier", None),
    ],
)
def test_only_what_the_runs_measure_is_searched_for(
    folder: Path, config: dict[str, Any], metric: str, taken: list[str] | None, features: str, sentence: str | None
) -> None:
    config["evaluation"] |= {"metrics": taken, "features": features}
    if sentence is None:
        made(*GAN, "--metric", metric, "--parameter", RATE)
        return
    with pytest.raises(InputError, match=sentence):
        made(*GAN, "--metric", metric, "--parameter", RATE)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--metric", "modus", "--parameter", RATE], r"modus is no measure \(did you mean modes\?\)"),
        (["--metric", "modes", "--parameter", "data.batch_size"], "'data.batch_size', but must be like KEY=a,b,c or"),
        (["--metric", "modes", "--parameter", "a=]"], "a has ']', but must be like KEY=a,b,c or"),
        (["--metric", "modes", "--parameter", "a=1,null"], "a has null"),
        (["--metric", "modes", "--parameter", "a=5..2"], "a runs from 5 to 2; give a range that rises$"),
        (["--metric", "modes", "--parameter", "a=log:0..2"], "a runs from 0 to 2; give a range that rises above zero"),
        (["--metric", "modes", "--parameter", "a=1", "a=2"], "--parameter a is there twice"),
        (["--metric", "modes", "--parameter", RATE, "--method", "grid"], "lr is a range; give some as .*lr=a,b,c"),
        (["--metric", "modes", "--parameter", RATE, "--hyperband", "2"], "give --evaluation.every_n_steps as well"),
        (["--metric", "modes", "--parameter", RATE, "--runs", "0"], "--runs"),
        (["--metric", "modes", "--parameter", RATE, "--out", "/dev/null/x.yaml"], "/dev/null/x.yaml cannot be written"),
    ],
)
def test_what_cannot_be_searched_is_one_sentence_and_no_file(
    folder: Path, config: dict[str, Any], arguments: list[str], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        main(["sweep", *GAN, *arguments])
    assert [*folder.iterdir()] == []


def test_what_fit_would_refuse_in_every_run_is_refused_now(folder: Path) -> None:
    for parameter, sentence in (
        ("model.discriminator_step=1,2", "discriminator_step' is not accepted .*did you mean discriminator_steps"),
        ("data.batch_size=16,-3", "batch_size is -3"),
    ):
        with pytest.raises(InputError, match=sentence):
            main(["sweep", *GAN, "--metric", "modes", "--parameter", parameter])
    with pytest.raises(InputError, match=r"there is no config gan_grid52 .*did you mean gan_grid25"):
        main(["sweep", "--config", "gan_grid52", "--metric", "modes", "--parameter", RATE])
    assert [*folder.iterdir()] == []
