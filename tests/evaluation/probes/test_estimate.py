"""Means with their spread."""

from __future__ import annotations

import pytest
import torch

from lightning_gans.evaluation.probes.estimate import Estimate


def test_an_estimate_is_of_mean_and_population_deviation():
    estimate = Estimate.of(torch.tensor([1.0, 1.0, 4.0, 4.0], dtype=torch.bfloat16))
    assert (estimate.mean, estimate.std, estimate.n) == (2.5, 1.5, 4)
    assert estimate.standard_error == 0.75
    assert estimate.spread == pytest.approx(2.94)
