"""What is measured of images: against formulas, on any number of ranks, and refused where it would be no number."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from lightning_gans import EMA, GAAN, SAE, Evaluation, Images, InputError
from lightning_gans.evaluation.features.classifiers import Classifier
from lightning_gans.evaluation.samples.quantise import quantise
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.records import best_and_last, is_better
from lightning_gans.evaluation.samples.drawing import samples
from tests.evaluation.tiny import Noise, Tiny
from tests.games.gaan import make_image_gaan
from tests.helpers import fit, on_ranks, same, saving, state

ALL = ("fd", "kid", "is", "prdc")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """300 training and 130 test images of noise, 8x8 grey, of 10 classes."""
    return made_data(tmp_path_factory.mktemp("noise"))


def made_data(folder: Path) -> Images:
    random = np.random.default_rng(3)
    arrays: dict[str, Any] = {"classes": list("0123456789")}
    for split, size in (("train", 300), ("test", 130)):
        arrays[f"{split}_images"] = random.integers(60, 200, (size, 8, 8), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(size) % 10
    np.savez(folder / "noise.npz", **arrays)
    data = Images(str(folder / "noise.npz"), root=str(folder), batch_size=20)
    data.prepare_data()
    data.setup("fit")
    return data


def evaluator(data: Images, metrics: tuple[Any, ...] = ("fd",), **settings: Any) -> Evaluator:
    ours = {key: settings.pop(key) for key in ("num_samples", "seed") if key in settings}
    real = RealSet(data, network=Tiny(), **{"num_real": 120, **settings})
    return Evaluator(real, metrics, **{"num_samples": 1100, **ours})


def distance(a: Tensor, b: Tensor) -> float:
    """The Fréchet distance by the textbook."""
    (mean_a, cov_a), (mean_b, cov_b) = ((x.double().mean(0).numpy(), np.cov(x.double().numpy().T)) for x in (a, b))
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root))


def test_the_distance_is_that_of_the_features_of_the_samples_and_of_the_chosen_real_images(data):
    measuring = evaluator(data)
    model = Noise()
    fakes = torch.cat([quantise(some) for some in samples(model, 1100, 0, condition=measuring.condition)])
    real = quantise(data.real("test", measuring.real.rows))
    assert (len(fakes), len(real)) == (1100, 120)
    assert measuring.measure(model)["fd_tiny"] == pytest.approx(distance(Tiny()(real), Tiny()(fakes)), rel=1e-6)


def test_every_measure_has_its_name_and_the_features_it_is_of(data):
    found = evaluator(data, ALL).measure(Noise())
    assert {"fd_tiny", "kid_tiny", "is_tiny", "precision_tiny", "recall_tiny", "density_tiny", "coverage_tiny"} <= {*found}
    assert not any("fid" in name for name in found)
    assert all(np.isfinite(value) for value in found.values())
    assert 1 <= found["is_tiny"] <= 3


def test_better_samples_measure_better(data):
    near, far = (evaluator(data, ALL).measure(Noise(spread)) for spread in (0.55, 1.0))
    assert near["fd_tiny"] < far["fd_tiny"]
    assert near["kid_tiny"] < far["kid_tiny"]
    assert near["precision_tiny"] > far["precision_tiny"]


def test_a_conditional_model_is_given_what_belongs_to_the_real_images_by_their_number(data):
    measuring, model = evaluator(data, num_samples=700), Noise()
    measuring.measure(model)
    given = torch.cat([condition for condition in model.conditions if condition is not None])
    assert torch.equal(given, measuring.condition(torch.arange(700)))
    real = data.labels("test")[measuring.real.rows]
    assert torch.equal(given[:600].bincount(), 5 * real.bincount())
    assert len(given[:20].unique()) > 5


def test_the_seed_of_the_noise_decides(data):
    first, again, other = (evaluator(data, seed=seed).measure(Noise()) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda x: x * torch.nan, "NaN or infinite"),
        (lambda x: x * 255, "scale what the generator returns"),
        (lambda x: x * 0, "of one colour"),
        (lambda x: (x + 1) / 2, "as if in"),
        (lambda x: x.flatten(1), "where floating images"),
        (lambda x: x[..., :4], r"gives images \(1, 8, 4\), but noise has \(1, 8, 8\)"),
        (lambda x: x.expand(-1, 3, -1, -1), r"gives images \(3, 8, 8\)"),
    ],
)
def test_what_is_no_image_is_a_sentence_and_no_number(data, made, sentence):
    model = Noise(0.9, made)
    with pytest.raises(InputError, match=sentence):
        evaluator(data).measure(model)
    assert model.training


def test_classes_are_counted_by_the_classifier_beside_those_of_the_real_images(data):
    torch.manual_seed(0)
    classifier = Classifier("lenet", "noise", data.classes, (1, 8, 8)).eval()
    measuring = Evaluator(RealSet(data), ("modes",), classifier, num_samples=500)
    found = measuring.measure(model := Noise())
    images = quantise(next(samples(model, 500, 0, condition=measuring.condition)))
    share = torch.bincount(classifier.logits(classifier(images)).argmax(1), minlength=10).double() / 500
    assert found["modes"] == (share > 0).sum()
    assert found["tv"] == pytest.approx(float((share - 0.1).abs().sum() / 2))
    assert found["kl"] == pytest.approx(float(torch.special.xlogy(share, 10 * share).sum()))


def test_the_classifier_of_the_features_is_asked_once(data):
    torch.manual_seed(0)
    classifier = Classifier("lenet", "noise", data.classes, (1, 8, 8)).eval()
    both = Evaluator(RealSet(data, network=classifier), ("fd", "modes"), classifier, num_samples=500)
    counted = Evaluator(RealSet(data), ("modes",), classifier, num_samples=500)
    assert both.measure(Noise())["kl"] == counted.measure(Noise())["kl"]


def test_reconstructions_are_measured_by_pixel_and_by_feature(data):
    game = make_image_gaan()
    found = evaluator(data, ("reconstruction",)).measure(game)
    game.eval()
    with torch.no_grad():
        real = data.real("test", evaluator(data).real.rows)
        again = game.decode(game.encode(real))
        before, after = Tiny()(quantise(real)), Tiny()(quantise(again))
    unit = torch.nn.functional.normalize
    assert {*found} == {"reconstruction_mse", "reconstruction_distance_tiny", "reconstruction_fd_tiny"}
    assert found["reconstruction_mse"] == pytest.approx(float((again - real).square().mean()), rel=1e-5)
    assert found["reconstruction_distance_tiny"] == pytest.approx(
        float((unit(before) - unit(after)).square().sum(1).mean()), rel=1e-5
    )
    assert found["reconstruction_fd_tiny"] == pytest.approx(distance(before, after), rel=1e-5)


def test_without_a_prior_of_its_own_a_model_gets_reconstruction_scores_only(data):
    model = Noise()
    model.prior.empirical = True
    assert {*evaluator(data).measure(model)} == {"reconstruction_fd_tiny"}


def test_points_that_come_from_points_are_reconstructions_too() -> None:
    (points := Images("grid25")).setup("fit")
    measuring = Evaluation(["modes", "diversity"], num_samples=200).evaluator(points)
    game = SAE()
    assert all(name.startswith("reconstruction_") for name in measuring.measure(game))


def test_real_statistics_are_kept_for_the_next_run_and_for_nothing_else(data, tmp_path):
    def network_calls(**settings: Any) -> int:
        measuring = evaluator(data, cache=tmp_path, num_samples=500, **settings)
        measuring.measure(Noise())
        return sum(measuring.network.seen) - 500

    assert network_calls() == 120
    assert network_calls() == 0
    assert network_calls(num_real=50) == 50
    assert network_calls(split="train") == 120
    assert len(list(tmp_path.glob("*.npz"))) == 3


@pytest.mark.parametrize("world", [2, 4])
def test_any_number_of_ranks_gives_the_same_numbers_even_with_nothing_to_do(data, tmp_path, world):
    def work(rank: int) -> None:
        found: dict[str, Any] = {"all": evaluator(data, ALL).measure(Noise())}
        broken = Noise(made=lambda images: images * torch.nan if rank == 0 else images)
        try:
            evaluator(data).measure(broken)
        except InputError as error:
            found["broken"] = str(error)
        (tmp_path / f"{rank}.json").write_text(json.dumps(found))

    alone = evaluator(data, ALL).measure(Noise())
    on_ranks(work, tmp_path, world)
    for rank in range(world):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found["all"] == pytest.approx(alone, rel=1e-6)
        assert "NaN" in found["broken"]


# In a run


def lively_gaan() -> GAAN:
    """Whose first images are not all grey."""
    game = make_image_gaan()
    with torch.no_grad():
        for parameter in game.generator.parameters():
            parameter.mul_(12)
    return game


TINY = {"metrics": ["fd", "reconstruction"], "features": "tests.evaluation.tiny.Tiny", "num_samples": 60}


def run(data: Images, folder: Path, max_steps: int = 4, **settings: Any) -> list[dict[str, Any]]:
    """The records of a training on images."""
    callbacks = [Evaluation(**{**TINY, **settings})] + [EMA(0.5)] * ("weights" in settings)
    fit(lively_gaan(), max_steps, data, callbacks=callbacks, default_root_dir=folder)
    return [json.loads(line) for line in (folder / "evaluation.jsonl").read_text().splitlines()]


def test_training_is_the_same_with_it_and_without(data, tmp_path):
    fit(without := lively_gaan(), 4, data)
    fit(with_it := lively_gaan(), 4, data, callbacks=[Evaluation(**TINY, every_n_steps=2)], default_root_dir=tmp_path)
    assert same(state(with_it), state(without))


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


@pytest.mark.parametrize(
    ("name", "higher"),
    [("modes", 1), ("is_tiny", 1), ("precision", 1), ("fid", 0), ("kl", 0), ("reconstruction_mse", 0), ("tv_true", 0)],
)
def test_it_is_known_which_way_a_measure_gets_better(name, higher):
    assert is_better(name, 2, 1) == bool(higher)
    step = best_and_last(best_and_last({}, 1, {name: 1.0, f"{name}_std": 3.0, f"{name}_std_tiny": 3.0}), 2, {name: 2.0})
    assert step["best"] == {name: {"value": 2.0 if higher else 1.0, "step": 2 if higher else 1}}


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


@pytest.mark.parametrize("settings", [{"metrics": ["nonsense"]}, {"num_real": 0}, {"batch_size": -1}])
def test_impossible_settings_are_refused_by_name(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        Evaluation(**settings)
