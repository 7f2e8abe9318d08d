"""The Inception score beside torch-fidelity."""

from __future__ import annotations

import pytest
import torch
from torch_fidelity.metric_isc import isc_features_to_metric

from lightning_gans.evaluation.metrics.inception_score import inception_score
from tests.evaluation.metrics.draws import features


def test_the_inception_score_is_torch_fidelitys() -> None:
    logits = features(205, 10, scale=3.0)
    theirs = isc_features_to_metric(logits, splits=10, shuffle=True, rng_seed=2020)
    assert inception_score(logits)["is"] == pytest.approx(theirs["inception_score_mean"], rel=1e-9)
    assert inception_score(logits)["is_std"] == pytest.approx(theirs["inception_score_std"], rel=1e-9)
    assert inception_score(logits, seed=1) != inception_score(logits)


@pytest.mark.parametrize("scale", [50.0, 1e4])
def test_sure_and_even_predictions_score_the_number_of_classes(scale: float) -> None:
    even = scale * torch.eye(5).repeat(40, 1)
    assert inception_score(even, splits=1)["is"] == pytest.approx(5)
    assert inception_score(even[::5])["is"] == pytest.approx(1)  # one class
    assert inception_score(torch.zeros(40, 5))["is"] == pytest.approx(1)  # no idea
