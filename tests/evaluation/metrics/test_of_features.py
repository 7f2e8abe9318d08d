"""What every function of features keeps to: streams, least numbers of samples, one network."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch

from lightning_gans.errors import InputError
from lightning_gans.evaluation.metrics.diversity import diversity
from lightning_gans.evaluation.metrics.inception_score import inception_score
from lightning_gans.evaluation.metrics.kid import kid
from lightning_gans.evaluation.metrics.mode_score import mode_score
from lightning_gans.evaluation.metrics.prdc import prdc
from tests.evaluation.metrics.draws import features


def test_random_streams_are_not_touched_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    def draw() -> tuple[float, float, float]:
        return torch.rand(()).item(), np.random.rand(), random.random()

    def measure() -> list[dict[str, float]]:
        real, fake = features(50), features(50, seed=1)
        scores = [inception_score(real), mode_score(real, torch.ones(16)), {"diversity": diversity(real)}]
        return [kid(real, fake, subsets=3, subset_size=20), prdc(real, fake), *scores]

    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(5)
    expected = draw()
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(5)
    first = measure()
    assert draw() == expected
    assert measure() == first
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("metric", "n", "least"),
    [
        (kid, 1, 2),
        (prdc, 5, 6),
        (lambda real, fake: inception_score(fake), 9, 10),
        (lambda real, fake: mode_score(fake, torch.ones(16)), 0, 1),
        (lambda real, fake: diversity(fake), 1, 2),
    ],
    ids=["kid", "prdc", "inception score", "mode score", "diversity"],
)
def test_too_few_samples_bad_numbers_and_shapes_are_refused(metric, n: int, least: int) -> None:  # type: ignore[no-untyped-def]
    enough = features(40)
    metric(enough[:least], enough[:least])
    with pytest.raises(InputError, match=f"of {n}, and {least} or more"):
        metric(enough, enough[:n])
    with pytest.raises(InputError, match="NaN or infinite"):
        metric(enough, enough.where(enough < 2, math.nan))
    with pytest.raises(InputError, match=r"not \(N, D\)"):
        metric(enough, enough[:, 0])


@pytest.mark.parametrize("metric", [kid, prdc])
def test_features_of_different_networks_are_refused(metric) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="of 16 and of 1 dimensions"):
        metric(features(40), features(40, 1))
