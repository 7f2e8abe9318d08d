"""MODE score and diversity as they are measured of a model: named, the same on all ranks, refused where they do not apply."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_gans import Evaluation, Images, InputError, evaluate
from lightning_gans.evaluation.features.classifiers import Classifier
from lightning_gans.evaluation.feature_metrics import mode_score
from lightning_gans.evaluation.samples.quantise import quantise
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.records import is_better, is_measure
from lightning_gans.evaluation.samples.drawing import samples
from tests.evaluation.tiny import Noise, Tiny
from tests.games.mdgan import make_mdgan
from tests.helpers import fit, on_ranks

CLASSES = ("a", "b", "c")
POINTS: dict[str, Any] = {"metrics": ["modes", "diversity"], "num_samples": 700}


def made_data(folder: Path, labels: bool = True) -> Images:
    """Grey noise of 8x8; class a is as frequent as b and c together."""
    random = np.random.default_rng(3)
    arrays: dict[str, Any] = {"classes": list(CLASSES)} if labels else {}
    for split, size in (("train", 200), ("test", 120)):
        arrays[f"{split}_images"] = random.integers(60, 200, (size, 8, 8), dtype=np.uint8)
        if labels:
            arrays[f"{split}_labels"] = np.maximum(np.arange(size) % 4 - 1, 0)
    np.savez(folder / "noise.npz", **arrays)
    data = Images(str(folder / "noise.npz"), root=str(folder), batch_size=20)
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return made_data(tmp_path_factory.mktemp("noise"))


def evaluator(data: Images, *metrics: Any, network: Any = None) -> Evaluator:
    return Evaluator(RealSet(data, num_real=90, network=network or Tiny()), metrics, num_samples=1100)


def spread(points: Tensor) -> float:
    return float(torch.pdist(points.double()).mean())


def test_diversity_is_that_of_the_features_over_that_of_the_real_ones(data: Images) -> None:
    measuring, model = evaluator(data, "diversity"), Noise()
    fakes = torch.cat([quantise(some) for some in samples(model, 1100, 0, condition=measuring.condition)])
    expected = spread(Tiny()(fakes)) / spread(Tiny()(quantise(data.real("test", measuring.real.rows))))
    assert measuring.measure(model) == {"diversity_tiny": pytest.approx(expected, rel=1e-9)}
    assert measuring.measure(model) == {"diversity_tiny": pytest.approx(expected, rel=1e-9)}  # with the real one kept


def test_diversity_falls_as_samples_become_alike(data: Images) -> None:
    def mixed(share: float) -> Noise:
        one = torch.rand(1, 1, 8, 8) - 0.5
        return Noise(made=lambda images: share * images + (1 - share) * one)

    found = [evaluator(data, "diversity").measure(mixed(share))["diversity_tiny"] for share in (1.0, 0.5, 0.1, 0.0)]
    assert found[0] > 0.9
    assert found == sorted(found, reverse=True)
    assert found[-1] < 1e-6


def test_the_mode_score_is_that_of_the_networks_logits_and_of_the_labels_of_training_images(data: Images) -> None:
    measuring, model = evaluator(data, "mode_score"), Noise()
    fakes = torch.cat([quantise(some) for some in samples(model, 1100, 0, condition=measuring.condition)])
    counts = torch.bincount(data.labels("train"))  # type: ignore[arg-type]
    assert counts.tolist() == [100, 50, 50]
    expected = mode_score(Tiny().logits(Tiny()(fakes)), counts)
    assert measuring.measure(model) == {f"{name}_tiny": pytest.approx(value, rel=1e-6) for name, value in expected.items()}


@pytest.mark.parametrize("world", [2, 4])
def test_any_number_of_ranks_gives_the_same_numbers(data: Images, tmp_path: Path, world: int) -> None:
    grid = Images("grid25")
    grid.prepare_data()
    grid.setup("fit")

    def measured() -> dict[str, float]:
        points = Evaluation(**POINTS).evaluator(grid).measure(make_mdgan())
        return evaluator(data, "mode_score", "diversity").measure(Noise()) | points

    def work(rank: int) -> None:
        (tmp_path / f"{rank}.json").write_text(json.dumps(measured()))

    alone = measured()
    assert {"mode_score_tiny", "mode_score_reversed_tiny", "diversity_tiny", "diversity", "modes"} <= {*alone}
    on_ranks(work, tmp_path, world)
    for rank in range(world):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == pytest.approx(alone, rel=1e-9)


# Points


def test_diversity_of_points_is_that_of_their_coordinates() -> None:
    data = Images("grid25")
    found = evaluate(lambda n: 2.0 * torch.ones(n, 2), data, ["diversity"], num_samples=900)
    assert found == {"diversity": pytest.approx(0.0, abs=1e-9)}

    def drawn(n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, 2, generator=generator)

    real = RealSet(data, num_real=900)
    settings: dict[str, Any] = {"num_samples": 900, "modes": "gaan"}
    found = evaluate(drawn, data, ["diversity"], **settings)
    made = torch.cat(list(samples(_Drawing(drawn), 900, 0)))
    assert found["diversity"] == pytest.approx(spread(made) / spread(data.real("test", real.rows)), rel=1e-6)
    assert {*evaluate(drawn, data, ["diversity", "modes"], **settings)} > {"diversity", "modes"}


class _Drawing(torch.nn.Module):
    """A function of (n, generator) as a model."""

    def __init__(self, draw: Any) -> None:
        super().__init__()
        self.prior, self.draw = None, draw

    def sample(self, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        return self.draw(n, generator)

    decode = sample


def test_a_run_logs_it_beside_the_modes(tmp_path: Path) -> None:
    fit(make_mdgan(), 4, callbacks=[Evaluation(**POINTS, every_n_steps=2)], default_root_dir=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "evaluation.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    assert all(0 < line["diversity"] < 2 and "modes" in line for line in lines)
    assert json.loads((tmp_path / "evaluation.json").read_text())["last"]["diversity"]["step"] == 4


@pytest.mark.parametrize("name", ["diversity", "diversity_lenet_mnist", "mode_score_lenet_mnist", "reconstruction_diversity"])
def test_more_is_better_and_checkpoints_may_be_kept_by_it(name: str) -> None:
    assert is_measure(name)
    assert is_better(name, 2, 1)


# What does not apply


def measures(data: Any, **settings: Any) -> Evaluator:
    return Evaluation(**{"metrics": ["mode_score"], "features": "tests.evaluation.tiny.Tiny", **settings}).evaluator(data)


def test_a_mode_score_needs_labels_and_a_classifier_of_these_classes(data: Images, tmp_path: Path) -> None:
    measures(data)
    unlabelled = made_data(tmp_path, labels=False)
    with pytest.raises(InputError, match=r"mode_score, which needs a class for every image of noise"):
        measures(unlabelled)
    data = made_data(tmp_path)
    data.classes = ("a", "b", "c", "d")
    with pytest.raises(InputError, match=r"needs a classifier of the 4 classes of noise; set evaluation\.features"):
        measures(data)


def test_images_of_ones_own_have_their_classes_counted(data: Images, tmp_path: Path) -> None:
    images, labels = data.real("test"), data.labels("test")
    settings: dict[str, Any] = {"features": "tests.evaluation.tiny.Tiny", "num_samples": 500}
    found = evaluate(Noise(), (images, labels), ["mode_score"], **settings)
    assert 1 <= found["mode_score_tiny"] <= 3
    with pytest.raises(InputError, match=r"needs a class for every image"):
        evaluate(Noise(), images, ["mode_score"], **settings)


def test_a_classifier_is_asked_for_its_own_logits(data: Images) -> None:
    torch.manual_seed(0)
    classifier = Classifier("lenet", "noise", CLASSES, (1, 8, 8)).eval()
    found = evaluator(data, "mode_score", "diversity", network=classifier).measure(Noise())
    assert {*found} == {"mode_score_lenet_noise", "mode_score_reversed_lenet_noise", "diversity_lenet_noise"}


def test_real_samples_that_are_all_the_same_are_no_measure() -> None:
    same = torch.full((20, 1, 8, 8), -0.5)
    with pytest.raises(InputError, match=r"all real samples are the same"):
        evaluate(Noise(), same, ["diversity"], features="tests.evaluation.tiny.Tiny", num_samples=500)


@pytest.mark.parametrize("metric", ["mode_score", "diversity"])
def test_too_few_samples_are_refused_beforehand(data: Images, metric: str) -> None:
    with pytest.raises(InputError, match=r"num_samples is 1"):
        measures(data, metrics=[metric], num_samples=1)
