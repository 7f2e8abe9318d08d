"""What the loggers are given, read back from what they wrote: one x-axis, one config, one place, one run."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_gans.cli import main
from tests.running import wandb_file
from tests.test_cli import SMALL, in_folder, last, records, the_run

wandb = pytest.importorskip("wandb")
STEPS = ["--trainer.max_steps=4", "--trainer.log_every_n_steps=2", "--evaluation.every_n_steps=2"]
WANDB = {"class_path": "lightning.pytorch.loggers.WandbLogger", "init_args": {"offline": True}}
TENSORBOARD = {"class_path": "lightning.pytorch.loggers.TensorBoardLogger", "init_args": {"save_dir": "tensorboard"}}

pytestmark = pytest.mark.filterwarnings("ignore")


@dataclass
class Logged:
    """A run of four steps with several loggers, and its test."""

    run: Path
    fitted: dict[str, Any]
    tested: dict[str, Any]
    folder: Path


def has_tensorboard() -> bool:
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    folder = tmp_path_factory.mktemp("logged")
    loggers = [WANDB, *([TENSORBOARD] if has_tensorboard() else [])]
    with in_folder(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_SILENT", "true")
        patch.delenv("WANDB_DIR", raising=False)
        try:
            main(["fit", "--model=GAN", *SMALL, *STEPS, f"--trainer.logger={json.dumps(loggers)}"])
            wandb.finish()
            run = the_run(folder)
            main(["test", *SMALL, f"--ckpt_path={last(run)}", f"--trainer.logger={json.dumps([WANDB])}"])
        finally:
            wandb.finish()
    return Logged(run, *written(run), folder)


def written(run: Path) -> list[dict[str, Any]]:
    """What W&B's own process has written of the training and of the test, in this order; it may be behind."""
    folders = sorted(run.glob("wandb/offline-run-*"))
    assert len(folders) == 2
    for _ in range(300):
        read = [wandb_file.read(folder) for folder in folders]
        if all("id" in each and each["summary"] for each in read):
            break
        time.sleep(0.1)
    return read


def test_metrics_are_in_the_runs_folder_whatever_other_loggers_there_are(logged: Logged) -> None:
    with open(logged.run / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["step"]) for row in rows} == {2, 4}
    for name in ("loss/generator", "loss/discriminator", "eval/modes", "pace/images_seen", "pace/steps_per_second"):
        assert [int(row["step"]) for row in rows if row[name]] == [2, 4], name
    assert [float(row["pace/images_seen"]) for row in rows if row["pace/images_seen"]] == [256, 512]
    assert all(float(row["memory/process_gib"]) > 0 for row in rows if row["memory/process_gib"])
    assert [(record["stage"], record["step"]) for record in records(logged.run)] == [("fit", 2), ("fit", 4), ("test", 4)]


def test_every_logger_counts_as_the_records_do(logged: Logged) -> None:
    steps = {row["trainer/global_step"] for row in logged.fitted["history"] if "trainer/global_step" in row}
    assert steps == {2, 4}
    (picture,) = (row for row in logged.fitted["history"] if "samples/width" in row)
    assert picture["trainer/global_step"] == 4


def test_a_run_is_told_what_it_is_and_what_it_is_with(logged: Logged) -> None:
    fitted = logged.fitted
    assert fitted["name"] == "gan_grid25 seed 0 version_0"
    assert fitted["group"].startswith("gan_grid25-")
    assert fitted["tags"] == {"GAN", "grid25"}
    assert fitted["job_type"] == "fit"


def test_the_config_as_it_was_built_is_logged_once(logged: Logged) -> None:
    config = logged.fitted["config"]
    assert config["config"]["model"]["init_args"]["generator"]["class_path"] == "lightning_gans.MLP"
    assert config["config"] == yaml.safe_load((logged.run / "config.yaml").read_text())
    built = json.loads((logged.run / "run.json").read_text())
    assert config["built"] == {key: built[key] for key in config["built"]}
    assert built["parameters"]["generator"] > 1000
    assert built["protocol"]["num_samples"] == 200
    assert {"version"} <= built["code"].keys()
    assert (built["status"], built["step"]) == ("finished", 4)
    assert "generator" not in config, "what Lightning logs of its own says the same again"


def test_best_and_last_are_in_the_summary_with_their_direction(logged: Logged) -> None:
    summary, metrics = logged.fitted["summary"], logged.fitted["metrics"]
    kept = json.loads((logged.run / "evaluation.json").read_text())
    for name in ("registered", "tv_true"):
        assert summary[f"best/{name}"] == kept["best"][name]["value"]
        assert summary[f"last/{name}"] == kept["last"][name]["value"]
    assert metrics["eval/registered"].summary.max
    assert metrics["eval/tv_true"].summary.min
    assert metrics["eval/registered"].step_metric == "trainer/global_step"


def test_a_test_goes_into_the_run_that_it_belongs_to(logged: Logged) -> None:
    assert logged.tested["id"] == logged.fitted["id"]
    assert logged.tested["project"] == logged.fitted["project"]
    (row,) = (row for row in logged.tested["history"] if "test/registered" in row)
    assert row["trainer/global_step"] == 4


@pytest.mark.skipif(not has_tensorboard(), reason="tensorboard is not installed")
def test_tensorboard_has_losses_measures_pictures_and_settings(logged: Logged) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = {file.parent for file in (logged.folder / "tensorboard").rglob("events.*")}
    events = EventAccumulator(str(folder)).Reload()
    for name in ("loss/generator", "eval/modes"):
        assert [event.step for event in events.Scalars(name)] == [2, 4]
    assert [event.step for event in events.Images("samples")] == [4]
    plugin = events.summary_metadata["_hparams_/session_start_info"].plugin_data
    assert b"model.init_args.discriminator_scale" in plugin.content
    assert events.Scalars("best/tv_true")[-1].step == 4
