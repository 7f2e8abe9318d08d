"""What an evaluation leaves of a run on images: records, the best, checkpoints, averages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_gans import EMA, Evaluation, Images, InputError
from tests.evaluation.tiny import Tiny, lively_gaan, noise_images
from tests.helpers import fit, make_trainer, saving

TINY: dict[str, Any] = {"metrics": ["fd"], "features": "tests.evaluation.tiny.Tiny", "num_samples": 60}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return noise_images(tmp_path_factory.mktemp("noise"))


def lines(folder: Path) -> list[dict[str, Any]]:
    file = folder / "evaluation.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def run(data: Images, folder: Path, max_steps: int = 4, **settings: Any) -> list[dict[str, Any]]:
    """The records of a training on images."""
    callbacks = [Evaluation(**{**TINY, "metrics": ["fd", "reconstruction"], **settings})] + [EMA(0.5)] * ("weights" in settings)
    fit(lively_gaan(), max_steps, data, callbacks=callbacks, default_root_dir=folder)
    return [json.loads(line) for line in (folder / "evaluation.jsonl").read_text().splitlines()]


def test_a_record_says_all_that_the_numbers_depend_on(data, tmp_path):
    (record,) = run(data, tmp_path, num_real=90, seed=4, real="train")
    expected = {"stage": "fit", "step": 4, "dataset": "noise", "n_real": 90, "num_samples": 60, "split": "train"}
    expected |= {"features": "tiny", "sha256": Tiny().identity, "noise_seed": 4, "weights": "raw", "tf32": False}
    assert {key: record[key] for key in expected} == expected
    assert record["versions"]["torch"] == torch.__version__
    assert {"fd_tiny", "reconstruction_mse"} <= {*record}
    assert (tmp_path / "noise" / "statistics").is_dir() or list(Path(data.root).glob("statistics/*.npz"))


def test_the_best_and_the_last_are_kept(data, tmp_path):
    records = run(data, tmp_path, 6, every_n_steps=2)
    kept = json.loads((tmp_path / "evaluation.json").read_text())
    best = min(records, key=lambda record: record["fd_tiny"])
    assert kept["best"]["fd_tiny"] == {"value": best["fd_tiny"], "step": best["step"]}
    assert kept["last"]["fd_tiny"] == {"value": records[-1]["fd_tiny"], "step": 6}


def test_both_weights_are_measured_under_their_names(data, tmp_path):
    (record,) = run(data, tmp_path, weights="both")
    assert record["fd_tiny"] != record["fd_tiny_ema"]
    (averaged,) = run(data, tmp_path / "ema", weights="ema")
    assert averaged["fd_tiny"] == record["fd_tiny_ema"]


def test_checkpoints_can_be_kept_by_a_measure(data, tmp_path):
    from lightning.pytorch.callbacks import ModelCheckpoint

    keep = ModelCheckpoint(tmp_path, "{step}", monitor="fd_tiny", every_n_train_steps=2, save_top_k=1)
    callbacks = [Evaluation(**TINY, every_n_steps=2), keep]
    fit(lively_gaan(), 6, data, callbacks=callbacks, enable_checkpointing=True, default_root_dir=tmp_path)
    kept = json.loads((tmp_path / "evaluation.json").read_text())["best"]["fd_tiny"]
    assert keep.best_model_score == pytest.approx(kept["value"])
    assert Path(keep.best_model_path).stem == f"step={kept['step']}"


def test_nothing_of_it_is_in_checkpoints(data, tmp_path):
    settings = saving(tmp_path, 4)
    settings["callbacks"].append(Evaluation(**TINY))
    fit(lively_gaan(), 4, data, default_root_dir=tmp_path, **settings)
    stored = torch.load(tmp_path / "step=4.ckpt", weights_only=True)
    assert not re.search("tiny|evaluator", json.dumps([*stored["state_dict"], *stored["callbacks"]]).lower())


def test_the_precision_of_the_trainer_stays_in_the_record(
    data: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = Tiny()
    genuine.key = "fid"
    monkeypatch.setattr("lightning_gans.evaluation.settings.find_network", lambda *args: genuine)
    fit(lively_gaan(), 1, data, callbacks=[Evaluation(["prdc"], num_samples=60)], default_root_dir=tmp_path)
    (record,) = lines(tmp_path)
    assert record["precision"] <= 1
    assert "32-true" in record.values()


def test_the_last_numbers_are_shown_whenever_they_were_measured(data: Images, tmp_path: Path, capsys: Any) -> None:
    fit(lively_gaan(), 4, data, callbacks=[Evaluation(**TINY, every_n_steps=2)], default_root_dir=tmp_path)
    assert "fd_tiny" in capsys.readouterr().out


@pytest.mark.parametrize("weights_only", [False, True])
def test_a_record_of_a_test_has_the_step_of_the_weights(data: Images, tmp_path: Path, weights_only: bool) -> None:
    keep = ModelCheckpoint(tmp_path, "kept", save_weights_only=True)
    trainer = fit(
        game := lively_gaan(),
        5,
        data,
        callbacks=[Evaluation(**TINY), keep],
        enable_checkpointing=True,
        default_root_dir=tmp_path,
    )
    if weights_only:
        trainer = make_trainer(callbacks=[Evaluation(**TINY)], default_root_dir=tmp_path)
    trainer.test(game, datamodule=data, ckpt_path=tmp_path / "kept.ckpt" if weights_only else None, verbose=False)
    assert [record["step"] for record in lines(tmp_path)] == [5, 5]


def test_the_best_of_before_a_resumption_is_kept(data: Images, tmp_path: Path) -> None:
    keep = saving(tmp_path / "one" / "checkpoints", 4)
    keep["callbacks"].append(Evaluation(**TINY, every_n_steps=2))
    fit(lively_gaan(), 4, data, default_root_dir=tmp_path / "one", **keep)
    (tmp_path / "one" / "evaluation.json").write_text(json.dumps({"best": {"fd_tiny": {"value": 0.1, "step": 2}}, "last": {}}))
    resumed = [Evaluation(**TINY, every_n_steps=2)]
    checkpoint = tmp_path / "one" / "checkpoints" / "step=4.ckpt"
    fit(lively_gaan(), 6, data, checkpoint, callbacks=resumed, default_root_dir=tmp_path / "two")
    assert json.loads((tmp_path / "two" / "evaluation.json").read_text())["best"]["fd_tiny"]["step"] == 2


def test_the_best_of_another_run_in_the_same_folder_is_not(data: Images, tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps({"best": {"fd_tiny": {"value": 0.1, "step": 900}}, "last": {}}))
    fit(lively_gaan(), 2, data, callbacks=[Evaluation(**TINY)], default_root_dir=tmp_path)
    assert json.loads((tmp_path / "evaluation.json").read_text())["best"]["fd_tiny"]["step"] == 2


def test_a_test_of_the_checkpoint_gives_the_very_numbers_of_the_end_of_training(data: Images, tmp_path: Path) -> None:
    settings = {**TINY, "metrics": ["fd", "kid", "is", "prdc", "reconstruction"]}
    kept = saving(tmp_path, 3)
    kept["callbacks"].append(Evaluation(**settings))
    fit(lively_gaan(), 3, data, default_root_dir=tmp_path, **kept)
    trainer = make_trainer(callbacks=[Evaluation(**settings)], default_root_dir=tmp_path)
    trainer.test(lively_gaan(), datamodule=data, ckpt_path=tmp_path / "step=3.ckpt", verbose=False)
    at_end, tested = lines(tmp_path)
    assert at_end | {"stage": "test", "seconds": 0} == tested | {"seconds": 0}


def test_the_average_is_measured_where_the_raw_weights_cannot_be(data: Images, tmp_path: Path) -> None:
    game, asked = lively_gaan(), []
    sample = game.sample
    game.sample = lambda *a, **k: sample(*a, **k) * (torch.nan if not asked and not asked.append(1) else 1)  # type: ignore
    fit(game, 1, data, callbacks=[EMA(0.5), Evaluation(**TINY, weights="both")], default_root_dir=tmp_path)
    assert [name for record in lines(tmp_path) for name in record if name.startswith("fd")] == ["fd_tiny_ema"]


def test_the_average_of_a_checkpoint_without_one_is_refused(data: Images, tmp_path: Path) -> None:
    fit(lively_gaan(), 2, data, default_root_dir=tmp_path, **saving(tmp_path, 2))
    trainer = make_trainer(callbacks=[EMA(0.5), Evaluation(**TINY, weights="ema")], default_root_dir=tmp_path)
    with pytest.raises(InputError, match="average"):
        trainer.test(lively_gaan(), datamodule=data, ckpt_path=tmp_path / "step=2.ckpt", verbose=False)
