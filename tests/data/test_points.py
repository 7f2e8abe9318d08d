"""The embedded mixtures: where their modes are, how wide, how many points in each."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lightning_gans.data.source import Points, Request, find_source
from lightning_gans.errors import InputError


def make(name: str) -> Points:
    source = find_source(Request(name, Path("nowhere")))
    assert isinstance(source, Points)
    return source


def test_grid25_has_2000_points_in_each_of_25_modes_2_apart():
    source = make("grid25")
    points, labels = source.points("train")
    assert points.shape == (50_000, 2)
    assert sorted(map(tuple, source.centres.tolist())) == [(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)]
    assert np.bincount(labels).tolist() == [2000] * 25
    nearest = ((points[:, None] - source.centres) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == labels).all()


@pytest.mark.parametrize(
    ("name", "std", "radius", "modes"),
    [("grid25", 0.05, None, 25), ("grid9", 0.05, None, 9), ("ring8", 0.02, 2, 8), ("ring3", 0.02, 2, 3)],
)
def test_points_are_normal_around_their_centres(name, std, radius, modes):
    source = make(name)
    points, labels = source.points("train")
    assert source.std == std
    assert source.centres.shape == (modes, 2)
    assert np.ptp(np.bincount(labels, minlength=modes)) <= 1
    offsets = (points - source.centres[labels]).flatten() / std
    assert offsets.std() == pytest.approx(1, rel=0.02)
    assert stats.kstest(offsets, stats.norm.cdf).pvalue > 0.01
    if radius:
        np.testing.assert_allclose(np.linalg.norm(source.centres, axis=1), radius, rtol=1e-6)


@pytest.mark.parametrize("name", ["ring8", "ring3"])
def test_the_centres_of_a_ring_are_evenly_spaced(name):
    centres = make(name).centres
    gaps = np.linalg.norm(centres - np.roll(centres, 1, axis=0), axis=1)
    np.testing.assert_allclose(gaps, 4 * np.sin(np.pi / len(centres)), rtol=1e-5)


def test_swissroll_is_a_noisy_spiral_without_modes():
    source = make("swissroll")
    points, labels = source.points("train")
    assert source.centres is None
    assert source.std is None
    angle = np.arctan2(points[:, 1], points[:, 0])
    radius = np.linalg.norm(points, axis=1)
    off_the_spiral = (radius - angle + np.pi) % (2 * np.pi) - np.pi  # the roll is r = angle
    assert np.abs(off_the_spiral).max() < 1.5
    assert off_the_spiral.std() == pytest.approx(0.25, rel=0.05)
    assert np.bincount(labels).tolist() == [5000] * 10
    assert stats.spearmanr(labels, radius).statistic > 0.98


@pytest.mark.parametrize("name", ["grid25", "ring8", "swissroll"])
def test_points_are_the_same_every_time_and_differ_between_splits(name, monkeypatch):
    train, labels = make(name).points("train")
    monkeypatch.setenv("PL_GLOBAL_SEED", "99")
    again, labels_again = make(name).points("train")
    test, test_labels = make(name).points("test")
    assert np.array_equal(train, again)
    assert np.array_equal(labels, labels_again)
    assert len(test) == len(test_labels) == 10_000
    assert not np.isin(test[:, 0], train[:, 0]).all()
    assert (train.dtype, labels.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("name", ["grid7", "grid0", "ring0"])
def test_an_impossible_number_of_modes_is_refused_with_one_that_works(name):
    with pytest.raises(InputError, match=r"grid25|ring8"):
        make(name)
