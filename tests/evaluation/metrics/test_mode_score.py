"""The MODE score: by its definition, as measured of a model, and refused where it does not apply."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import Evaluation, Images, InputError, evaluate
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.metrics.inception_score import inception_score
from lightning_gans.evaluation.metrics.mode_score import mode_score
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.samples.drawing import samples
from lightning_gans.evaluation.samples.quantise import quantise
from tests.evaluation.metrics.draws import features
from tests.evaluation.tiny import Noise, Tiny, noise_of_three_classes


def kl(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p / q).log()).sum()


@pytest.mark.parametrize("reference", [[1.0, 1.0, 1.0], [60.0, 30.0, 10.0]])
def test_the_mode_score_is_what_its_definition_says(reference: list[float]) -> None:
    logits = features(50, 3, scale=2.0)
    p, train = logits.double().softmax(1), torch.tensor(reference).double() / sum(reference)
    marginal = p.mean(0)
    told_apart = torch.stack([kl(one, train) for one in p]).mean()
    found = mode_score(logits, torch.tensor(reference))
    assert found["mode_score"] == pytest.approx(float((told_apart - kl(marginal, train)).exp()), rel=1e-12)
    assert found["mode_score_reversed"] == pytest.approx(float((told_apart - kl(train, marginal)).exp()), rel=1e-12)


def test_the_mode_score_as_printed_is_the_inception_score_whatever_the_training_data() -> None:
    logits = features(200, 10, scale=3.0)
    for reference in (torch.ones(10), torch.arange(1, 11)):
        assert mode_score(logits, reference)["mode_score"] == pytest.approx(inception_score(logits, splits=1)["is"], rel=1e-9)


SURE = 200 * torch.eye(4)


@pytest.mark.parametrize(
    ("logits", "score", "turned_round"),
    [
        (SURE.repeat(5, 1), 4.0, 4.0),
        (SURE[:1].repeat(20, 1), 1.0, 0.0),  # one mode of four
        (SURE[:2].repeat(10, 1), 2.0, 0.0),  # two
        (torch.zeros(20, 4), 1.0, 1.0),  # no idea
        (SURE[[0, 0, 1, 2, 3]], math.exp(-(0.4 * math.log(0.4) + 0.6 * math.log(0.2))), 4 * 1.6**0.25 * 0.8**0.75),
    ],
)
def test_mode_scores_that_are_known(logits: Tensor, score: float, turned_round: float) -> None:
    found = mode_score(logits, torch.full((4,), 25))
    assert found["mode_score"] == pytest.approx(score, rel=1e-6)
    assert found["mode_score_reversed"] == pytest.approx(turned_round, rel=1e-6, abs=1e-12)


def test_the_mode_score_is_biased_downwards_by_about_what_is_said() -> None:
    random = torch.Generator().manual_seed(0)
    draws = [SURE[torch.randint(4, (50,), generator=random)] for _ in range(2000)]
    logs = torch.tensor([math.log(mode_score(one, torch.ones(4))["mode_score"]) for one in draws])
    assert math.log(4) - logs.mean() == pytest.approx(3 / 100, rel=0.05)


def test_the_mode_score_refuses_other_classes_and_one_without_training_images() -> None:
    with pytest.raises(InputError, match=r"4 classes of training images .* with 3 of logits"):
        mode_score(features(5, 3), torch.ones(4))
    with pytest.raises(InputError, match="no training image is of class 1"):
        mode_score(features(5, 3), torch.tensor([4, 0, 1]))


# As measured of a model


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return noise_of_three_classes(tmp_path_factory.mktemp("noise"))


def evaluator(data: Images, *metrics: Any, network: Any = None) -> Evaluator:
    return Evaluator(RealSet(data, num_real=90, network=network or Tiny()), metrics, num_samples=1100)


def test_the_mode_score_is_that_of_the_networks_logits_and_of_the_labels_of_training_images(data: Images) -> None:
    measuring, model = evaluator(data, "mode_score"), Noise()
    fakes = torch.cat([quantise(some) for some in samples(model, 1100, 0, condition=measuring.condition)])
    counts = torch.bincount(data.labels("train"))  # type: ignore[arg-type]
    assert counts.tolist() == [100, 50, 50]
    expected = mode_score(Tiny().logits(Tiny()(fakes)), counts)
    assert measuring.measure(model) == {f"{name}_tiny": pytest.approx(value, rel=1e-6) for name, value in expected.items()}


def measures(data: Any, **settings: Any) -> Evaluator:
    return Evaluation(**{"metrics": ["mode_score"], "features": "tests.evaluation.tiny.Tiny", **settings}).evaluator(data)


def test_a_mode_score_needs_labels_and_a_classifier_of_these_classes(data: Images, tmp_path: Path) -> None:
    measures(data)
    unlabelled = noise_of_three_classes(tmp_path, labels=False)
    with pytest.raises(InputError, match=r"mode_score, which needs a class for every image of noise"):
        measures(unlabelled)
    data = noise_of_three_classes(tmp_path)
    data.opened.description = replace(data.opened.description, classes=("a", "b", "c", "d"))
    with pytest.raises(InputError, match=r"needs a classifier of the 4 classes of noise; set evaluation\.features"):
        measures(data)


def test_images_of_ones_own_have_their_classes_counted(data: Images, tmp_path: Path) -> None:
    images, labels = data.real("test"), data.labels("test")
    settings: dict[str, Any] = {"features": "tests.evaluation.tiny.Tiny", "num_samples": 500}
    found = evaluate(Noise(), (images, labels), ["mode_score"], **settings)
    assert 1 <= found["mode_score_tiny"] <= 3
    with pytest.raises(InputError, match=r"needs a class for every image"):
        evaluate(Noise(), images, ["mode_score"], **settings)
