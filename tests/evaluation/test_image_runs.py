"""When images are measured in a run, on every trainer and data of one's own, and that training does not notice."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_gans import EMA, Evaluation, Images, InputError, Uniform
from tests.evaluation.tiny import lively_gaan, noise_images
from tests.games.gan import make_gan
from tests.helpers import fit, make_trainer, same, state

TINY: dict[str, Any] = {"metrics": ["fd"], "features": "tests.evaluation.tiny.Tiny", "num_samples": 60}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return noise_images(tmp_path_factory.mktemp("noise"))


def lines(folder: Path) -> list[dict[str, Any]]:
    file = folder / "evaluation.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


class Own(LightningModule):
    """A model of a user's, which draws from torch's own streams."""

    def __init__(self, made: Callable[[Tensor], Tensor] = lambda images: images) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.generator, self.prior, self.made = nn.Linear(4, 64), Uniform(4), made

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.generator(torch.randn(8, 4)).square().mean()

    def validation_step(self, batch: Any, batch_idx: int) -> None: ...

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.generator(z).view(-1, 1, 8, 8).tanh()

    def sample(self, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        return self.made(self.decode(self.prior.sample(n)))


class Plain(LightningDataModule):
    """Loaders and no more."""

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(torch.zeros(40, 4), 8)  # type: ignore[arg-type]

    val_dataloader = train_dataloader


class Described(Plain):
    """Which says of itself what ``Images`` does."""

    def __init__(self, data: Images) -> None:
        super().__init__()
        for name in ("name", "shape", "classes", "size", "real", "labels", "conditions", "fingerprint", "root"):
            setattr(self, name, getattr(data, name))


@pytest.mark.parametrize("precision", ["32-true", "bf16-true", "bf16-mixed", "16-mixed", "64-true"])
def test_training_is_the_same_with_every_metric_and_both_weights_in_any_precision(
    data: Images, tmp_path: Path, precision: str
) -> None:
    def trained(*watching: Callback) -> dict[str, Any]:
        average = EMA(0.5)
        fit(game := lively_gaan(), 3, data, callbacks=[average, *watching], precision=precision, default_root_dir=tmp_path)
        return {"game": state(game), "average": average.state_dict()["average"]}

    metrics = ["fd", "kid", "is", "prdc", "reconstruction"]
    watching = Evaluation(**{**TINY, "metrics": metrics}, every_n_steps=1, weights="both")  # type: ignore[arg-type]
    assert same(trained(watching), trained())
    assert len(lines(tmp_path)) == 3
    assert {"fd_tiny", "is_tiny_ema", "recall_tiny", "reconstruction_mse_ema"} <= {*lines(tmp_path)[0]}


def test_an_interrupted_measurement_of_the_average_leaves_the_raw_weights(data: Images, tmp_path: Path) -> None:
    fit(left_alone := lively_gaan(), 2, data)
    game, found, asked = lively_gaan(), {}, 0
    sample = game.sample

    def interrupted(*args: Any, **kwargs: Any) -> Tensor:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise KeyboardInterrupt
        return sample(*args, **kwargs)

    class Listen(Callback):
        def on_exception(self, trainer: Any, pl_module: LightningModule, exception: BaseException) -> None:
            found.update(state(pl_module), training=pl_module.training)

    game.sample = interrupted  # type: ignore[method-assign]
    callbacks = [EMA(0.5), Evaluation(**TINY, every_n_steps=2, weights="both"), Listen()]
    with pytest.raises(SystemExit):
        fit(game, 4, data, callbacks=callbacks, default_root_dir=tmp_path)
    assert found.pop("training")
    assert same(found, state(left_alone))


def test_the_end_of_training_is_measured_on_the_device_of_the_training(data: Images, tmp_path: Path) -> None:
    game, moved, seen = lively_gaan(), [], []
    away, sample = game.cpu, game.sample
    game.cpu = lambda: moved.append(True) or away()  # type: ignore
    game.sample = lambda *a, **k: seen.append(bool(moved)) or sample(*a, **k)  # type: ignore
    fit(game, 2, data, callbacks=[Evaluation(**TINY)], default_root_dir=tmp_path)
    assert seen == [False]


def test_training_is_the_same_where_samples_cannot_be_measured(data: Images, tmp_path: Path) -> None:
    states = []
    for watching in ([], [Evaluation(**TINY, every_n_steps=2)]):
        torch.manual_seed(0)
        make_trainer(6, callbacks=watching, default_root_dir=tmp_path).fit(own := Own(torch.zeros_like), datamodule=data)
        states.append(state(own))
    assert same(*states)


@pytest.mark.parametrize("wrong", [False, True])
def test_the_validation_loop_of_a_training_measures_nothing(data: Images, tmp_path: Path, wrong: bool) -> None:
    own = Own(torch.zeros_like) if wrong else Own()
    trainer = make_trainer(10, callbacks=[Evaluation(**TINY, every_n_steps=4)], default_root_dir=tmp_path)
    trainer.fit(own, datamodule=Described(data))
    assert [(record["stage"], record["step"]) for record in lines(tmp_path)] == (
        [] if wrong else [("fit", n) for n in (4, 8, 10)]
    )


@pytest.mark.parametrize("case", ["points", "own data", "no encoder"])
def test_it_is_said_that_what_was_asked_for_is_not_measured(data: Images, tmp_path: Path, case: str) -> None:
    asked = Evaluation(**{**TINY, "metrics": ["reconstruction"] if case == "no encoder" else ["fd"]})
    datamodule = {"points": Images("grid25", batch_size=32), "own data": Plain(), "no encoder": data}[case]
    trainer = make_trainer(1, callbacks=[asked], default_root_dir=tmp_path)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            trainer.fit(make_gan() if case == "points" else Own(), datamodule=datamodule)
            said = [str(warning.message) for warning in warned]
        except InputError as error:
            said = [str(error)]
    assert any("evaluation.metrics" in sentence for sentence in said)


def test_a_monitor_that_nothing_will_be_measured_for_is_refused(data: Images, tmp_path: Path) -> None:
    keep = ModelCheckpoint(tmp_path, monitor="fd_tiny")
    with pytest.raises(InputError, match="every_n_steps"):
        fit(lively_gaan(), 2, data, callbacks=[Evaluation(**TINY), keep], enable_checkpointing=True, default_root_dir=tmp_path)


def test_training_is_the_same_with_it_and_without(data, tmp_path):
    fit(without := lively_gaan(), 4, data)
    fit(with_it := lively_gaan(), 4, data, callbacks=[Evaluation(**TINY, every_n_steps=2)], default_root_dir=tmp_path)
    assert same(state(with_it), state(without))


def test_samples_that_are_no_images_yet_do_not_stop_a_training(data, tmp_path):
    game = lively_gaan()
    game.sample = lambda n, condition=None, generator=None: torch.zeros(n, 1, 8, 8)  # type: ignore[method-assign]
    with pytest.warns(UserWarning, match=r"step 2 is not measured: every image is of one colour"):
        fit(game, 4, data, callbacks=[Evaluation(**TINY, every_n_steps=2)], default_root_dir=tmp_path)
    assert not (tmp_path / "evaluation.jsonl").exists()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"metrics": ["fid"], "features": "tests.evaluation.tiny.Tiny"}, "asks for fid, but the distance .* is fd_tiny"),
        ({"metrics": ["fd"], "features": "tests.evaluation.tiny.Called"}, "without 'fid' in it"),
        ({"metrics": ["fd"], "features": "no.such.Thing"}, r"evaluation\.features is 'no\.such\.Thing'"),
        ({"metrics": ["fd"], "features": "tests.evaluation.tiny.Noise"}, "must have name, key"),
        ({"metrics": ["modes"]}, "no classifier recipe for 'noise'"),
        ({"metrics": ["fd"]}, "Inception"),
        ({"metrics": ["fd"], "real": "valid", "features": "tests.evaluation.tiny.Tiny"}, "not valid; set data.held_out"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_training(data, tmp_path, monkeypatch, settings, sentence):
    monkeypatch.delenv("LIGHTNING_GANS_INCEPTION_WEIGHTS", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    game = lively_gaan()
    before = state(game)
    with pytest.raises(InputError, match=sentence):
        fit(game, 4, data, callbacks=[Evaluation(**settings)], default_root_dir=tmp_path)
    assert same(state(game), before)
