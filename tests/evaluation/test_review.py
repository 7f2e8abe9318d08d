"""What a review of the evaluation found: on every trainer and data of one's own, after errors, resumed and averaged."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_gans import EMA, GAAN, Evaluation, Images, InputError, Uniform
from lightning_gans.evaluation import records
from lightning_gans.evaluation.features.classifiers import Classifier
from lightning_gans.evaluation.features.find import find_network
from lightning_gans.evaluation.samples.quantise import quantise
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.samples.drawing import evaluating, samples
from tests.evaluation.tiny import Noise, Tiny
from tests.games.gaan import make_image_gaan
from tests.games.gan import make_gan
from tests.helpers import fit, make_trainer, on_ranks, same, saving, state

DISTANCES = ("fd", "kid", "is", "prdc")
TINY: dict[str, Any] = {"metrics": ["fd"], "features": "tests.evaluation.tiny.Tiny", "num_samples": 60}


def made(folder: Path, labels: Callable[[int], np.ndarray], shape: tuple[int, ...] = (8, 8)) -> Images:
    """300 training and 130 test images of noise."""
    random = np.random.default_rng(3)
    arrays: dict[str, Any] = {"classes": list("0123456789")}
    for split, size in (("train", 300), ("test", 130)):
        arrays[f"{split}_images"] = random.integers(60, 200, (size, *shape), dtype=np.uint8)
        arrays[f"{split}_labels"] = labels(size)
    np.savez(folder / "noise.npz", **arrays)
    data = Images(str(folder / "noise.npz"), root=str(folder), batch_size=20)
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return made(tmp_path_factory.mktemp("noise"), lambda n: np.arange(n) % 10)


def evaluator(data: Images, metrics: tuple[Any, ...] = ("fd",), num_samples: int = 600, **settings: Any) -> Evaluator:
    real = RealSet(data, **{"num_real": 120, "network": Tiny(), **settings})
    return Evaluator(real, metrics, num_samples=num_samples)


def lively(**settings: Any) -> GAAN:
    """Whose first images are not all grey."""
    game = make_image_gaan(**settings)
    with torch.no_grad():
        for parameter in game.generator.parameters():
            parameter.mul_(12)
    return game


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


class Encoding(Noise):
    """No LightningModule."""

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: Any = None) -> Tensor:
        return images.flatten(1)

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        images = z.view(-1, 1, 8, 8) * self.spread
        return images if self.made is None else self.made(images)


# What holds


@pytest.mark.parametrize("precision", ["32-true", "bf16-true", "bf16-mixed", "16-mixed", "64-true"])
def test_training_is_the_same_with_every_metric_and_both_weights_in_any_precision(
    data: Images, tmp_path: Path, precision: str
) -> None:
    def trained(*watching: Callback) -> dict[str, Any]:
        average = EMA(0.5)
        fit(game := lively(), 3, data, callbacks=[average, *watching], precision=precision, default_root_dir=tmp_path)
        return {"game": state(game), "average": average.state_dict()["average"]}

    metrics = [*DISTANCES, "reconstruction"]
    watching = Evaluation(**{**TINY, "metrics": metrics}, every_n_steps=1, weights="both")  # type: ignore[arg-type]
    assert same(trained(watching), trained())
    assert len(lines(tmp_path)) == 3
    assert {"fd_tiny", "is_tiny_ema", "recall_tiny", "reconstruction_mse_ema"} <= {*lines(tmp_path)[0]}


def test_a_test_of_the_checkpoint_gives_the_very_numbers_of_the_end_of_training(data: Images, tmp_path: Path) -> None:
    settings = {**TINY, "metrics": [*DISTANCES, "reconstruction"]}
    kept = saving(tmp_path, 3)
    kept["callbacks"].append(Evaluation(**settings))
    fit(lively(), 3, data, default_root_dir=tmp_path, **kept)
    trainer = make_trainer(callbacks=[Evaluation(**settings)], default_root_dir=tmp_path)
    trainer.test(lively(), datamodule=data, ckpt_path=tmp_path / "step=3.ckpt", verbose=False)
    at_end, tested = lines(tmp_path)
    assert at_end | {"stage": "test", "seconds": 0} == tested | {"seconds": 0}


def test_an_interrupted_measurement_of_the_average_leaves_the_raw_weights(data: Images, tmp_path: Path) -> None:
    fit(left_alone := lively(), 2, data)
    game, found, asked = lively(), {}, 0
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


class Brightest(nn.Module):
    """A classifier by the brightest of the first ten pixels."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).float()

    def logits(self, features: Tensor) -> Tensor:
        return features[:, :10]


def test_three_digits_of_an_image_are_one_mode(tmp_path: Path) -> None:
    data = made(tmp_path, lambda n: np.arange(n) % 10, (8, 8, 3))
    data.name = "mnist1k"
    classifier: Any = Brightest()
    model = Noise(0.9)
    model.sample = lambda n, condition, generator: torch.rand(n, 3, 8, 8, generator=generator) * 2 - 1  # type: ignore
    found = Evaluator(RealSet(data), ("modes",), classifier, num_samples=700).measure(model)
    images = torch.cat([quantise(some) for some in samples(model, 700, 0)])
    digits = [classifier.logits(classifier(images[:, c : c + 1])).argmax(1) for c in range(3)]
    counts = torch.bincount(100 * digits[0] + 10 * digits[1] + digits[2], minlength=1000).double()
    assert found["modes"] == (counts > 0).sum() > 1
    assert found["kl"] == pytest.approx(float(torch.special.xlogy(counts / 700, counts / 0.7).sum()))


def test_kernel_distance_and_neighbourhoods_are_those_of_the_definitions(data: Images) -> None:
    measuring, model = evaluator(data, DISTANCES, 120), Noise()
    found = measuring.measure(model)
    asked = torch.cat([c for c in model.conditions if c is not None])
    fakes = torch.cat([quantise(some) for some in samples(model, 120, 0, condition=lambda numbers: asked)])
    a, b = Tiny()(quantise(data.real("test", measuring.real.rows))).double(), Tiny()(fakes).double()
    n, m = len(a), len(b)
    kernel = lambda x, y: (x @ y.T / 8 + 1) ** 3  # noqa: E731
    within = [(kernel(x, x).sum() - kernel(x, x).trace()) / (len(x) * (len(x) - 1)) for x in (a, b)]
    assert found["kid_tiny"] == pytest.approx(float(sum(within) - 2 * kernel(a, b).sum() / (n * m)), rel=1e-4)
    cross, of_real, of_fake = torch.cdist(a, b), *(torch.cdist(x, x).sort(1).values for x in (a, b))
    assert found["precision_tiny"] == pytest.approx(float((cross <= of_real[:, 3:4]).any(0).double().mean()))
    assert found["recall_tiny"] == pytest.approx(float((cross <= of_fake[:, 3]).any(1).double().mean()))
    assert found["density_tiny"] == pytest.approx(float((cross < of_real[:, 5:6]).sum() / (5 * m)))
    assert found["coverage_tiny"] == pytest.approx(float((cross.amin(1) < of_real[:, 5]).double().mean()))


def test_deviations_and_sizes_have_no_best(data: Images) -> None:
    best = records.best_and_last({}, 1, evaluator(data, ("kid", "is")).measure(Noise()))["best"]
    assert {*best} == {"kid_tiny", "is_tiny"}


def test_reconstructions_need_no_lightning_module(data: Images) -> None:
    assert "reconstruction_mse" in evaluator(data, ("reconstruction",), network=None).measure(Encoding(1.0))


# Defects


def test_the_end_of_training_is_measured_on_the_device_of_the_training(data: Images, tmp_path: Path) -> None:
    game, moved, seen = lively(), [], []
    away, sample = game.cpu, game.sample
    game.cpu = lambda: moved.append(True) or away()  # type: ignore
    game.sample = lambda *a, **k: seen.append(bool(moved)) or sample(*a, **k)  # type: ignore
    fit(game, 2, data, callbacks=[Evaluation(**TINY)], default_root_dir=tmp_path)
    assert seen == [False]


def test_random_streams_are_put_back_after_an_error() -> None:
    stream = torch.get_rng_state()

    def draw() -> None:
        with evaluating(nn.ReLU()):
            raise ArithmeticError(torch.rand(3))

    with pytest.raises(ArithmeticError):
        draw()
    assert torch.equal(torch.get_rng_state(), stream)


def test_training_is_the_same_where_samples_cannot_be_measured(data: Images, tmp_path: Path) -> None:
    states = []
    for watching in ([], [Evaluation(**TINY, every_n_steps=2)]):
        torch.manual_seed(0)
        make_trainer(6, callbacks=watching, default_root_dir=tmp_path).fit(own := Own(torch.zeros_like), datamodule=data)
        states.append(state(own))
    assert same(*states)


class Drawing(Tiny):
    """Draws initial weights."""

    def __init__(self) -> None:
        super().__init__()
        nn.Linear(3, 3)


def test_random_streams_are_left_alone_by_a_feature_network_that_is_made(tmp_path: Path) -> None:
    stream = torch.get_rng_state()
    find_network("tests.evaluation.test_review.Drawing", "noise", tmp_path, "fp32", None, False)
    assert torch.equal(torch.get_rng_state(), stream)


@pytest.mark.parametrize("wrong", [False, True])
def test_the_validation_loop_of_a_training_measures_nothing(data: Images, tmp_path: Path, wrong: bool) -> None:
    own = Own(torch.zeros_like) if wrong else Own()
    trainer = make_trainer(10, callbacks=[Evaluation(**TINY, every_n_steps=4)], default_root_dir=tmp_path)
    trainer.fit(own, datamodule=Described(data))
    assert [(record["stage"], record["step"]) for record in lines(tmp_path)] == (
        [] if wrong else [("fit", n) for n in (4, 8, 10)]
    )


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"num_samples": 1}, "num_samples"),
        ({"num_real": 1}, "num_real"),
        ({"num_samples": 5, "metrics": ["is"]}, "num_samples"),
        ({"num_real": 3, "metrics": ["prdc"]}, "num_real"),
    ],
)
def test_sets_that_are_too_small_are_refused_before_training(data: Images, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        Evaluation(**{**TINY, **settings}).evaluator(data)


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


def test_the_precision_of_the_trainer_stays_in_the_record(
    data: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = Tiny()
    genuine.key = "fid"
    monkeypatch.setattr("lightning_gans.evaluation.callback.find_network", lambda *args: genuine)
    fit(lively(), 1, data, callbacks=[Evaluation(["prdc"], num_samples=60)], default_root_dir=tmp_path)
    (record,) = lines(tmp_path)
    assert record["precision"] <= 1
    assert "32-true" in record.values()


def test_the_last_numbers_are_shown_whenever_they_were_measured(data: Images, tmp_path: Path, capsys: Any) -> None:
    fit(lively(), 4, data, callbacks=[Evaluation(**TINY, every_n_steps=2)], default_root_dir=tmp_path)
    assert "fd_tiny" in capsys.readouterr().out


@pytest.mark.parametrize("weights_only", [False, True])
def test_a_record_of_a_test_has_the_step_of_the_weights(data: Images, tmp_path: Path, weights_only: bool) -> None:
    keep = ModelCheckpoint(tmp_path, "kept", save_weights_only=True)
    trainer = fit(
        game := lively(), 5, data, callbacks=[Evaluation(**TINY), keep], enable_checkpointing=True, default_root_dir=tmp_path
    )
    if weights_only:
        trainer = make_trainer(callbacks=[Evaluation(**TINY)], default_root_dir=tmp_path)
    trainer.test(game, datamodule=data, ckpt_path=tmp_path / "kept.ckpt" if weights_only else None, verbose=False)
    assert [record["step"] for record in lines(tmp_path)] == [5, 5]


@pytest.mark.parametrize(("n", "fair"), [(65, 6.5), (195, 19.5)])
def test_conditions_are_those_of_all_classes_alike_where_the_data_is_sorted(tmp_path: Path, n: int, fair: float) -> None:
    data = made(tmp_path, lambda size: np.sort(np.arange(size) % 10))
    evaluator(data, num_samples=n, num_real=130).measure(model := Noise())
    asked = torch.bincount(torch.cat([c for c in model.conditions if c is not None]), minlength=10)
    assert (asked - fair).abs().max() < 6


class FailsAlone(Tiny):
    def forward(self, images: Tensor) -> Tensor:
        if torch.distributed.is_initialized() and torch.distributed.get_rank() == 1:
            raise InputError("an image is damaged")
        return super().forward(images)


def test_a_rank_that_fails_at_the_real_images_does_not_fail_alone(data: Images, tmp_path: Path) -> None:
    def work(rank: int) -> None:
        try:
            evaluator(data, network=FailsAlone()).measure(Noise())
        except (InputError, RuntimeError) as error:
            (tmp_path / str(rank)).write_text(type(error).__name__)

    on_ranks(work, tmp_path, 2)
    assert [(tmp_path / str(rank)).read_text() for rank in (0, 1)] == ["InputError"] * 2


@pytest.mark.parametrize("made", [lambda x: x * torch.nan, lambda x: x.expand(-1, 3, -1, -1)], ids=["nan", "shape"])
def test_reconstructions_that_are_no_images_are_a_sentence(data: Images, made: Any) -> None:
    model = Encoding(made=made)
    model.dtype = torch.float32
    with pytest.raises(InputError):
        evaluator(data, ("reconstruction",), network=None).measure(model)


def test_the_classifier_of_the_features_is_that_of_the_modes(data: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(*args: Any) -> Classifier:
        torch.manual_seed(0)
        return Classifier("lenet", "noise", data.classes, (1, 8, 8)).eval()

    monkeypatch.setattr("lightning_gans.evaluation.features.find.classifier_for", loaded)
    measuring = Evaluation(["fd", "modes"], features="classifier").evaluator(data)
    assert measuring.classifier is measuring.network


def test_a_monitor_that_nothing_will_be_measured_for_is_refused(data: Images, tmp_path: Path) -> None:
    keep = ModelCheckpoint(tmp_path, monitor="fd_tiny")
    with pytest.raises(InputError, match="every_n_steps"):
        fit(lively(), 2, data, callbacks=[Evaluation(**TINY), keep], enable_checkpointing=True, default_root_dir=tmp_path)


def test_the_best_of_before_a_resumption_is_kept(data: Images, tmp_path: Path) -> None:
    keep = saving(tmp_path / "one" / "checkpoints", 4)
    keep["callbacks"].append(Evaluation(**TINY, every_n_steps=2))
    fit(lively(), 4, data, default_root_dir=tmp_path / "one", **keep)
    (tmp_path / "one" / "evaluation.json").write_text(json.dumps({"best": {"fd_tiny": {"value": 0.1, "step": 2}}, "last": {}}))
    resumed = [Evaluation(**TINY, every_n_steps=2)]
    checkpoint = tmp_path / "one" / "checkpoints" / "step=4.ckpt"
    fit(lively(), 6, data, checkpoint, callbacks=resumed, default_root_dir=tmp_path / "two")
    assert json.loads((tmp_path / "two" / "evaluation.json").read_text())["best"]["fd_tiny"]["step"] == 2


def test_the_best_of_another_run_in_the_same_folder_is_not(data: Images, tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps({"best": {"fd_tiny": {"value": 0.1, "step": 900}}, "last": {}}))
    fit(lively(), 2, data, callbacks=[Evaluation(**TINY)], default_root_dir=tmp_path)
    assert json.loads((tmp_path / "evaluation.json").read_text())["best"]["fd_tiny"]["step"] == 2


def test_the_average_is_measured_where_the_raw_weights_cannot_be(data: Images, tmp_path: Path) -> None:
    game, asked = lively(), []
    sample = game.sample
    game.sample = lambda *a, **k: sample(*a, **k) * (torch.nan if not asked and not asked.append(1) else 1)  # type: ignore
    fit(game, 1, data, callbacks=[EMA(0.5), Evaluation(**TINY, weights="both")], default_root_dir=tmp_path)
    assert [name for record in lines(tmp_path) for name in record if name.startswith("fd")] == ["fd_tiny_ema"]


def test_the_average_of_a_checkpoint_without_one_is_refused(data: Images, tmp_path: Path) -> None:
    fit(lively(), 2, data, default_root_dir=tmp_path, **saving(tmp_path, 2))
    trainer = make_trainer(callbacks=[EMA(0.5), Evaluation(**TINY, weights="ema")], default_root_dir=tmp_path)
    with pytest.raises(InputError, match="average"):
        trainer.test(lively(), datamodule=data, ckpt_path=tmp_path / "step=2.ckpt", verbose=False)
