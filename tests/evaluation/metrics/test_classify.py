"""Errors of a model's own classes: counted by hand, over all of a split, and refused or left out where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import EMA, Evaluation, Images, InputError
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.real.images import RealSet
from tests.evaluation.tiny import Noise, noise_images, noise_of_three_classes
from tests.games.feature_matching import make_feature_matching
from tests.helpers import fit, grid_for


class Telling(Noise):
    """Takes the first pixels for scores; no LightningModule."""

    def classify(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :10]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return noise_images(tmp_path_factory.mktemp("noise"))


@pytest.mark.parametrize("split", ["test", "train"])
def test_all_samples_of_the_split_count_whatever_else_is_compared(data: Images, split: str) -> None:
    found = Evaluator(RealSet(data, split, num_real=7), ("classify",), num_samples=2).measure(Telling())
    labels = data.labels(split)
    assert labels is not None
    wrong = [int(image.flatten()[:10].argmax()) != int(y) for image, y in zip(data.real(split), labels, strict=True)]
    assert len(wrong) == {"test": 130, "train": 300}[split]
    assert found == {"classify_error": pytest.approx(sum(wrong) / len(wrong))}


def test_models_that_do_not_classify_have_none(data: Images) -> None:
    assert Evaluator(RealSet(data, num_real=7), ("classify",)).measure(Noise()) == {}


def test_data_without_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"evaluation\.metrics names classify, but noise has no labels; leave it out"):
        Evaluation(["classify"]).evaluator(noise_of_three_classes(tmp_path, labels=False))


@pytest.mark.parametrize("weights", ["raw", "ema"])
def test_a_training_records_the_error_of_the_weights_that_are_asked_for(tmp_path: Path, weights: Any) -> None:
    game, callback = make_feature_matching(), Evaluation(["classify"], modes=None, weights=weights)
    average = EMA(0.9)
    fit(game, 20, data := grid_for(game), callbacks=[average, callback], default_root_dir=tmp_path)
    labels = data.labels("test")
    assert labels is not None
    assert average.average is not None
    D = (average.average.module if weights == "ema" else game.discriminator).eval()
    error = float((D(game.normalize(data.real("test"))).argmax(1) != labels).double().mean())
    assert callback._last == {"classify_error": pytest.approx(error)}
    assert 0 < error < 1


def test_it_is_said_where_the_model_does_not_classify(tmp_path: Path) -> None:
    from tests.games.gan import make_gan

    with pytest.warns(UserWarning, match="classify is not measured, for the model does not classify"):
        fit(make_gan(), 1, callbacks=[Evaluation(["classify", "modes"], num_samples=50)], default_root_dir=tmp_path)
    assert torch.is_grad_enabled()
