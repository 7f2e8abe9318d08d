"""What is refused, and what is shared, when an evaluator is made."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lightning_gans import Evaluation, Images, InputError
from lightning_gans.evaluation.features.classifiers import Classifier
from tests.evaluation.tiny import noise_images


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return noise_images(tmp_path_factory.mktemp("noise"))


TINY: dict[str, Any] = {"metrics": ["fd"], "features": "tests.evaluation.tiny.Tiny", "num_samples": 60}


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


def test_the_classifier_of_the_features_is_that_of_the_modes(data: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(*args: Any) -> Classifier:
        torch.manual_seed(0)
        return Classifier("lenet", "noise", data.classes, (1, 8, 8)).eval()

    monkeypatch.setattr("lightning_gans.evaluation.features.find.classifier_for", loaded)
    measuring = Evaluation(["fd", "modes"], features="classifier").evaluator(data)
    assert measuring.classifier is measuring.network


@pytest.mark.parametrize("settings", [{"metrics": ["nonsense"]}, {"num_real": 0}, {"batch_size": -1}])
def test_impossible_settings_are_refused_by_name(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        Evaluation(**settings)
