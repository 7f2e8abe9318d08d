"""Settings of the trainer that change what a run leaves behind, and what the command says and does not keep to itself."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from lightning_gans.cli import main
from tests.test_cli import SMALL, assert_same_parameters, in_folder, last, logged, records, the_run

QUICK = [*SMALL, "--evaluation.modes=null", "--pictures.kinds=[]", "--trainer.max_steps=2"]
WITH_BAR = [argument for argument in QUICK if "progress_bar" not in argument]

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a GAN on points, after two steps."""
    folder = tmp_path_factory.mktemp("trained")
    with in_folder(folder):
        main(["fit", "--model=GAN", *QUICK])
    return the_run(folder)


@pytest.fixture
def copied(trained: Path, folder: Path) -> Path:
    """The same run, where the command is run."""
    return Path(shutil.copytree(trained, folder / "runs" / trained.parent.name / trained.name))


def test_what_its_weights_are_put_to_is_in_the_folder_of_the_run(copied: Path, folder: Path) -> None:
    kept = {file: file.read_bytes() for file in copied.rglob("*") if file.is_file() and "tfevents" not in file.name}
    for stage in ("validate", "test", "test", "predict", "predict"):
        main([stage, f"--ckpt_path={last(copied)}", "--evaluation.modes=gaan", "--data.num_predict=3"])
    assert [record["stage"] for record in records(copied)] == ["validate", "test", "test"]
    assert {path.name for path in (copied / "samples").iterdir()} == {"step=2", "step=2-v1"}
    for stage in ("validate", "test"):
        values = logged(copied, f"{stage}/registered", f"metrics_{stage}.csv")
        assert values == {2: records(copied)[1]["registered"]}
        assert (copied / f"config_{stage}.yaml").is_file()
    assert [path for path, content in kept.items() if path.read_bytes() != content] == []
    assert [*folder.glob("runs/*/*")] == [copied]


def test_another_root_is_another_place(copied: Path, folder: Path) -> None:
    main(["predict", f"--ckpt_path={last(copied)}", "--data.num_predict=3", "--trainer.default_root_dir=elsewhere"])
    assert [*(folder / "elsewhere").rglob("points_*.png")]
    assert not (copied / "samples").exists()


def test_a_run_that_was_given_a_root_is_still_one_place(folder: Path) -> None:
    main(["fit", "--model=GAN", *QUICK, "--trainer.default_root_dir=mine", "--trainer.logger=false"])
    (run,) = folder.glob("mine/*/*")
    main(["predict", f"--ckpt_path={last(run)}", "--data.num_predict=3"])
    assert [*folder.glob("*/*/*")] == [run]
    assert [*run.rglob("samples/step=2/*.png")]


def test_a_run_that_cannot_be_written_says_where_else(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **how: str(path) != str(copied) and plain(path, mode, **how))
    with pytest.raises(SystemExit):
        main(["test", f"--ckpt_path={last(copied)}"])
    assert f"the log directory {copied} cannot be written; set trainer.default_root_dir elsewhere" in capsys.readouterr().err


def test_fast_dev_run_leaves_nothing(folder: Path) -> None:
    main(["fit", "--model=GAN", *SMALL, "--trainer.fast_dev_run=2"])
    assert list(folder.iterdir()) == []


def test_barebones_trains_and_keeps_its_settings(folder: Path, recwarn: pytest.WarningsRecorder) -> None:
    bare = ["--trainer.accelerator=cpu", "--trainer.devices=1", "--trainer.max_steps=2", "--trainer.barebones=true"]
    main(["fit", "--model=GAN", *bare, "--evaluation.num_samples=50", "--pictures.num_points=50"])
    assert (the_run(folder) / "config.yaml").is_file()
    assert not list(folder.rglob("*.ckpt"))
    assert [path.name for path in folder.iterdir()] == ["runs"]
    assert not [warning for warning in recwarn if "self.log" in str(warning.message)]


def test_without_loggers_files_are_in_the_runs_folder_and_ones_own_are_left_alone(folder: Path) -> None:
    (folder / "config.yaml").write_text("mine")
    main(["fit", "--model=GAN", *QUICK, "--trainer.logger=false"])
    assert (folder / "config.yaml").read_text() == "mine"
    assert last(the_run(folder)).is_file()
    assert not list(folder.rglob("metrics.csv"))


@pytest.mark.parametrize("bar", ["RichProgressBar", "TQDMProgressBar", "lightning_gans.running.bar.WholeRun"])
def test_any_progress_bar_of_lightnings_is_taken(bar: str, folder: Path) -> None:
    main(["fit", "--model=GAN", *WITH_BAR, f"--trainer.callbacks={bar}"])
    assert torch.load(last(the_run(folder)), weights_only=True)["global_step"] == 2


def test_the_config_of_a_resumed_run_runs_afresh(trained: Path, folder: Path) -> None:
    main(["fit", f"--ckpt_path={last(trained)}", "--trainer.max_steps=4"])
    resumed = the_run(folder)
    main(["fit", f"--config={resumed / 'config.yaml'}"])
    assert_same_parameters(last(the_run(folder, 1)), last(resumed))
    config = yaml.safe_load((resumed / "config.yaml").read_text())
    (folder / "goes_on.yaml").write_text(yaml.safe_dump({**config, "ckpt_path": str(last(trained))}))
    main(["fit", "--config=goes_on.yaml", "--ckpt_path=null"])
    assert json.loads((the_run(folder, 2) / "run.json").read_text())["went_on_from"] is None


def test_a_resume_with_nothing_left_to_train_says_so(trained: Path, folder: Path) -> None:
    with pytest.warns(UserWarning, match=r"nothing was trained: .*last\.ckpt is at step 2 and trainer\.max_steps is 2"):
        main(["fit", f"--ckpt_path={last(trained)}"])
    assert json.loads((the_run(folder) / "run.json").read_text())["status"] == "finished"


def test_settings_that_another_model_does_not_take_are_named(folder: Path) -> None:
    (folder / "mine.yaml").write_text("model: {class_path: GAAN, init_args: {lambda_r: 0.3, nonfinite: continue}}")
    with pytest.warns(UserWarning, match=r"GAN does not take lambda_r, which mine\.yaml sets for GAAN: left out"):
        main(["fit", "--config=mine.yaml", "--model=GAN", *QUICK])
    assert yaml.safe_load((the_run(folder) / "config.yaml").read_text())["model"]["init_args"]["nonfinite"] == "continue"


def test_other_data_and_other_batches_are_said(trained: Path, folder: Path) -> None:
    with pytest.warns(UserWarning, match="ring8") as said:
        main(["fit", f"--ckpt_path={last(trained)}", *QUICK, "--data.dataset=ring8", "--data.batch_size=64"])
    words = [str(warning.message) for warning in said]
    assert "data.dataset was grid25 in the checkpoint, this run goes on with ring8" in words
    assert "data.batch_size was 128 in the checkpoint, this run goes on with 64" in words


def test_a_stored_option_that_is_gone_names_the_file_and_the_way_out(
    trained: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = torch.load(last(trained), weights_only=True)
    config = yaml.safe_load(stored["config"])
    config["model"]["init_args"]["lambda_old"] = 3
    torch.save({**stored, "config": yaml.safe_dump(config)}, folder / "old.ckpt")
    with pytest.raises(SystemExit) as stopped:
        main(["test", "--ckpt_path=old.ckpt"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "old.ckpt was trained with settings that this version does not take" in said
    assert "lambda_old" in said
    assert "give it as --config beside --ckpt_path" in said
    with pytest.raises(SystemExit):
        main(["test", f"--ckpt_path={last(trained)}", "--model.lambda_new=3"])
    assert "was trained with settings" not in capsys.readouterr().err
