"""What commands get out of a checkpoint: the model with its raw or its averaged weights."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gans import InputError
from lightning_gans.cli import main as train
from lightning_gans.commands.figure import main as figure
from lightning_gans.commands.probe import main as probe
from lightning_gans.evaluation.probes.densities import density_kl_1d
from lightning_gans.evaluation.samples.drawing import samples
from lightning_gans.restore import restore

CONFIG = Path(__file__).parents[1] / "configs" / "gaan_digits.yaml"
CPU = "--trainer.accelerator=cpu"

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The checkpoint of a GAAN on digits whose average is of weights that are all 0; commands run in its folder."""
    folder = tmp_path_factory.mktemp("trained")
    quiet = [f"--trainer.{name}=false" for name in ("enable_progress_bar", "enable_model_summary", "logger")]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["lightning"])
        patch.setattr(sys, "path", [*sys.path])
        short = ["--trainer.max_steps=2", "--data.batch_size=500", "--pictures.kinds=[]", "--evaluation.metrics=[]"]
        train(["fit", f"--config={CONFIG}", "--trainer.callbacks=lightning_gans.EMA", CPU, *quiet, *short])
        (checkpoint,) = folder.rglob("last.ckpt")
        stored = torch.load(checkpoint, weights_only=True)
        for name, value in stored["callbacks"]["EMA"]["average"].items():
            stored["callbacks"]["EMA"]["average"][name] = torch.zeros_like(value) if value.is_floating_point() else value
        torch.save(stored, checkpoint)
        yield checkpoint


def test_the_average_is_that_of_the_generators_parameters_and_no_other(trained: Path) -> None:
    raw, averaged = (restore(trained, [CPU], weights)[0] for weights in ("raw", "ema"))  # type: ignore[arg-type]
    stored = torch.load(trained, weights_only=True)["state_dict"]
    parameters = {f"generator.{name}" for name, _ in raw.generator.named_parameters()}
    assert all(torch.equal(value, stored[name]) for name, value in raw.state_dict().items())
    for name, value in averaged.state_dict().items():
        assert torch.equal(value, torch.zeros_like(value) if name in parameters else stored[name])


def test_figures_are_of_the_weights_asked_for(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def spread(name: str) -> float:
        pixels = np.asarray(Image.open(trained.with_name(name)).convert("L")).astype(float)[-200:-20, 20:220]
        return float(pixels.std())

    for options in ([], ["--weights", "ema"]):
        figure(["samples", f"--ckpt_path={trained}", CPU, *options])
    assert "last_samples.png" in (said := capsys.readouterr().out)
    assert "last_samples_ema.png" in said
    assert spread("last_samples_ema.png") == 0, "a sigmoid of 0 is as grey as what is around the images"
    assert spread("last_samples.png") > 0.5


def test_probes_are_of_the_weights_asked_for_and_say_so(trained: Path) -> None:
    probe(["density", f"--ckpt_path={trained}", "--weights=ema", "--num_samples=300", CPU])
    line = json.loads((trained.parents[1] / "probes.jsonl").read_text().splitlines()[-1])
    model, data, *_ = restore(trained, [CPU], "ema")
    made = torch.cat([*samples(model, 300, 0, condition=lambda numbers: None)]).detach()  # type: ignore[arg-type]
    assert line["weights"] == "ema"
    assert line["kl"] == pytest.approx(density_kl_1d(data.real("train"), made).kl)
    assert abs(float(made.abs().max())) < 1e-6


def test_a_checkpoint_without_an_average_is_refused(trained: Path, tmp_path: Path) -> None:
    stored = torch.load(trained, weights_only=True)
    for number, callbacks in enumerate(({}, {"EMA": {}})):
        torch.save({**stored, "callbacks": callbacks}, file := tmp_path / f"{number}.ckpt")
        restore(file, [CPU])
        with pytest.raises(InputError, match=r"\.ckpt has no averaged weights; give --weights raw, or train with"):
            figure(["samples", f"--ckpt_path={file}", "--weights=ema", CPU])
