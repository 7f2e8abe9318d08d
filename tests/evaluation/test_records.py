"""Which way measures get better, and what the best of them is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_gans.evaluation import records
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.records import best_and_last, is_better, is_measure
from tests.evaluation.tiny import Noise, Tiny, noise_images


@pytest.mark.parametrize(
    ("name", "higher"),
    [("modes", 1), ("is_tiny", 1), ("precision", 1), ("fid", 0), ("kl", 0), ("reconstruction_mse", 0), ("tv_true", 0)],
)
def test_it_is_known_which_way_a_measure_gets_better(name, higher):
    assert is_better(name, 2, 1) == bool(higher)
    step = best_and_last(best_and_last({}, 1, {name: 1.0, f"{name}_std": 3.0, f"{name}_std_tiny": 3.0}), 2, {name: 2.0})
    assert step["best"] == {name: {"value": 2.0 if higher else 1.0, "step": 2 if higher else 1}}


def test_deviations_and_sizes_have_no_best(tmp_path: Path) -> None:
    real = RealSet(noise_images(tmp_path), num_real=120, network=Tiny())
    best = records.best_and_last({}, 1, Evaluator(real, ("kid", "is"), num_samples=600).measure(Noise()))["best"]
    assert {*best} == {"kid_tiny", "is_tiny"}


@pytest.mark.parametrize("name", ["diversity", "diversity_lenet_mnist", "mode_score_lenet_mnist", "reconstruction_diversity"])
def test_more_is_better_and_checkpoints_may_be_kept_by_it(name: str) -> None:
    assert is_measure(name)
    assert is_better(name, 2, 1)


def test_averaged_weights_have_the_floor_of_their_measure() -> None:
    floor = {"modes": 25.0, "tv_true": 0.1}
    found = {name: records.name_of_floor(name, floor) for name in ("modes", "modes_ema", "modes_ali", "kid")}
    assert found == {"modes": "modes", "modes_ema": "modes", "modes_ali": None, "kid": None}
    assert (records.floor_of("tv_true_ema", floor), records.floor_of("kid", floor)) == (0.1, None)
