"""Classes of images as they are counted of a model; of points see counts and the callback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lightning_gans import Images
from lightning_gans.evaluation.features.classifiers import Classifier
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.samples.drawing import samples
from lightning_gans.evaluation.samples.quantise import quantise
from tests.evaluation.tiny import Noise, noise_images


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return noise_images(tmp_path_factory.mktemp("noise"))


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


class Brightest(nn.Module):
    """A classifier by the brightest of the first ten pixels."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).float()

    def logits(self, features: Tensor) -> Tensor:
        return features[:, :10]


def test_three_digits_of_an_image_are_one_mode(tmp_path: Path) -> None:
    data = noise_images(tmp_path, lambda n: np.arange(n) % 10, (8, 8, 3))
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
