"""Errors of reconstructions: against formulas, and refused where they would be no number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from lightning_gans import Images, InputError
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.samples.quantise import quantise
from tests.evaluation.tiny import Encoding, Tiny, noise_images
from tests.games.gaan import make_image_gaan


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return noise_images(tmp_path_factory.mktemp("noise"))


def evaluator(data: Images, metrics: tuple[Any, ...] = ("fd",), **settings: Any) -> Evaluator:
    ours = {key: settings.pop(key) for key in ("num_samples", "seed") if key in settings}
    real = RealSet(data, **{"num_real": 120, "network": Tiny(), **settings})
    return Evaluator(real, metrics, **{"num_samples": 1100, **ours})


def distance(a: Tensor, b: Tensor) -> float:
    """The Fréchet distance by the textbook."""
    (mean_a, cov_a), (mean_b, cov_b) = ((x.double().mean(0).numpy(), np.cov(x.double().numpy().T)) for x in (a, b))
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root))


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


def test_reconstructions_need_no_lightning_module(data: Images) -> None:
    assert "reconstruction_mse" in evaluator(data, ("reconstruction",), network=None).measure(Encoding(1.0))


@pytest.mark.parametrize("made", [lambda x: x * torch.nan, lambda x: x.expand(-1, 3, -1, -1)], ids=["nan", "shape"])
def test_reconstructions_that_are_no_images_are_a_sentence(data: Images, made: Any) -> None:
    model = Encoding(made=made)
    model.dtype = torch.float32
    with pytest.raises(InputError):
        evaluator(data, ("reconstruction",), network=None).measure(model)
