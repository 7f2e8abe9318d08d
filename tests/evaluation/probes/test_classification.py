"""Probes of frozen features against scikit-learn and closed forms."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from lightning_gans import ConvNet, InputError
from lightning_gans.evaluation.probes.classification import (
    balanced_draw,
    few_labels,
    knn_probe,
    linear_probe,
    pooled_features,
    svm_probe,
)
from tests.evaluation.probes.blobs import blobs

PIXELS, LABELS = load_digits(return_X_y=True)
PIXELS = PIXELS / 16
TRAIN, TEST = (PIXELS[:1400], LABELS[:1400]), (PIXELS[1400:], LABELS[1400:])


# Support vector machines


def test_draws_are_balanced_without_repetition_and_differ_by_every_part_of_their_key():
    labels = np.random.default_rng(0).integers(4, size=400)
    draw = balanced_draw(labels, 30, 0, "test", 0)
    assert np.bincount(labels[draw]).tolist() == [30] * 4
    assert len(set(draw)) == 120
    assert np.array_equal(draw, balanced_draw(labels, 30, 0, "test", 0))
    for other in [(1, "test", 0), (0, "validation", 0), (0, "test", 1)]:
        assert not np.array_equal(draw, balanced_draw(labels, 30, *other))


@pytest.mark.filterwarnings("ignore:.*failed to converge.*")
@pytest.mark.parametrize(("protocol", "picking_draws", "grid"), [("dcgan", 10, 7), ("ali", 1, 50)])
def test_svms_follow_their_papers_protocol(protocol, picking_draws, grid, monkeypatch):
    fitted = []

    class Recorded(LinearSVC):
        def fit(self, x, y):
            fitted.append((self.C, tuple(np.bincount(y)), x))
            return super().fit(x, y)

    monkeypatch.setattr("sklearn.svm.LinearSVC", Recorded)
    (x, y), (test_x, test_y) = blobs(600, 1.5), blobs(300, 1.5, seed=1)
    probe = svm_probe(x, y, test_x, test_y, protocol, held_out=150, per_class=20, draws=6)
    assert len(fitted) == grid * picking_draws + 10 + 6
    assert {counts for _, counts, _ in fitted} == {(20, 20, 20)}
    assert len({C for C, *_ in fitted}) == grid
    assert {C for C, *_ in fitted[-16:]} == {probe.C}
    known = {row.tobytes() for row in x[:450]}
    assert all(row.tobytes() in known for *_, rows in fitted for row in rows), "trained on what was held out"
    assert (probe.error.n, probe.validation.n) == (6, 10)
    picking = [balanced_draw(y[:450], 20, 0, "validation", k) for k in range(picking_draws)]

    def mean_error(C: float) -> float:
        machines = [LinearSVC(C=C, dual="auto", random_state=0).fit(x[rows], y[rows]) for rows in picking]
        return np.mean([(machine.predict(x[450:]) != y[450:]).mean() for machine in machines])

    assert min(dict.fromkeys(C for C, *_ in fitted), key=mean_error) == probe.C


def test_svm_errors_are_those_of_scikit_learn_on_the_same_draws():
    (x, y), (test_x, test_y) = blobs(600, 1.5), blobs(300, 1.5, seed=1)
    probe = svm_probe(x, y, test_x, test_y, held_out=150, per_class=20, draws=3)
    rows = [balanced_draw(y[:450], 20, 0, "test", k) for k in range(3)]
    machines = [LinearSVC(C=probe.C, dual="auto", random_state=0).fit(x[r], y[r]) for r in rows]
    errors = [(machine.predict(test_x) != test_y).mean() for machine in machines]
    assert probe.error.mean == pytest.approx(np.mean(errors), abs=1e-12)
    assert probe.error.std == pytest.approx(np.std(errors), abs=1e-12)
    assert 0 < probe.error.mean < 0.3


def test_svm_draws_in_parallel_give_the_same_as_one_after_the_other():
    (x, y), (test_x, test_y) = blobs(400, 1.0, dim=100), blobs(100, 1.0, seed=1, dim=100)
    settings = {"held_out": 100, "per_class": 20, "draws": 4}
    stream = np.random.get_state()[1].copy()
    one = svm_probe(x, y, test_x, test_y, **settings)
    assert np.array_equal(np.random.get_state()[1], stream)
    assert one == svm_probe(torch.from_numpy(x), torch.from_numpy(y), test_x, test_y, jobs=2, **settings)
    assert one != svm_probe(x, y, test_x, test_y, seed=1, **settings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": "vgg"}, "'vgg'.*dcgan, ali"),
        ({"held_out": 600}, "held_out is 600.*599"),
        ({"per_class": 200}, "class 0 has 150.*fewer labels"),
        ({"train_labels": np.zeros(5)}, r"training set.*\(600, 5\) and \(5,\)"),
        ({"test": np.full((300, 5), np.nan)}, "test set are not all finite"),
    ],
)
def test_what_cannot_be_probed_is_refused(change, words):
    (x, y), (test_x, test_y) = blobs(600, 1.5), blobs(300, 1.5, seed=1)
    arrays = {"train": x, "train_labels": y, "test": test_x, "test_labels": test_y, "held_out": 150, "per_class": 20}
    with pytest.raises(InputError, match=words):
        svm_probe(**{**arrays, "draws": 1, **change})


# Neighbours, linear probes


@pytest.mark.parametrize("k", [1, 5])
def test_neighbours_err_as_scikit_learns_do(k):
    probe = knn_probe(*TRAIN, *TEST, k=k)
    expected = (KNeighborsClassifier(k).fit(*TRAIN).predict(TEST[0]) != TEST[1]).mean()
    assert probe.mean == pytest.approx(expected, abs=1e-12)
    assert probe.n == 397
    assert probe.standard_error == pytest.approx(math.sqrt(expected * (1 - expected) / 397))


def test_more_neighbours_than_examples_are_refused():
    with pytest.raises(InputError, match=r"k is 1401.*1400"):
        knn_probe(*TRAIN, *TEST, k=1401)


def test_a_linear_probe_reaches_bayes_error_whatever_the_units_of_the_features():
    (x, y), (test_x, test_y) = blobs(2000, 2.0, classes=2), blobs(4000, 2.0, seed=1, classes=2)
    bayes = 0.5 * math.erfc(2 / math.sqrt(2) / math.sqrt(2))
    units = np.array([1e-4, 1, 1e3, 1, 1e6])
    probe = linear_probe(x * units, y, test_x * units, test_y)
    assert probe.mean == pytest.approx(bayes, abs=4 * math.sqrt(bayes / 4000))
    assert probe.mean == pytest.approx(linear_probe(x, y, test_x, test_y).mean, abs=1e-3)


# Pooled features


def test_maps_are_pooled_by_4_2_and_1_as_dcgan_pools_them():
    net = ConvNet((1, 32, 32), 5, (2, 3, 4)).eval()
    images = torch.rand(5, 1, 32, 32) * 2 - 1
    layers = list(net.stages)[:3]
    maps = net.features(images, [*layers, "last"])
    assert [m.shape[-1] for m in maps[:3]] == [16, 8, 4]
    pooled = [torch.nn.functional.max_pool2d(m, by).flatten(1) for m, by in zip(maps, (4, 2, 1), strict=False)]
    found = pooled_features(net, images, layers, batch_size=2)
    torch.testing.assert_close(found, torch.cat(pooled, 1), rtol=0, atol=1e-6)
    whole = pooled_features(net, images, layers, grid=None)
    torch.testing.assert_close(whole, torch.cat([m.flatten(1) for m in maps[:3]], 1), rtol=0, atol=1e-6)
    assert not found.requires_grad


def test_few_labels_are_drawn_alike_for_every_probe_and_averaged():
    sets = (*TRAIN, *TEST)
    few = few_labels(knn_probe, *sets, labels=50, draws=3, seed=4, k=2)
    rows = [balanced_draw(TRAIN[1], 5, 4, "test", k) for k in range(3)]
    errors = []
    for some in rows:
        machine = KNeighborsClassifier(2, algorithm="brute").fit(TRAIN[0][some], TRAIN[1][some])
        errors.append((machine.predict(TEST[0]) != TEST[1]).mean())
    assert (few.mean, few.std, few.n) == (pytest.approx(np.mean(errors)), pytest.approx(np.std(errors)), 3)
    assert few.std > 0
    more = few_labels(knn_probe, *sets, labels=500, draws=3)
    assert more.mean < few.mean - 0.05
    assert few_labels(linear_probe, *sets, labels=500, draws=2).mean < 0.25
    with pytest.raises(InputError, match="labels is 51, but must be a multiple of the 10 classes"):
        few_labels(knn_probe, *sets, labels=51)
