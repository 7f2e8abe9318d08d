"""Probes, clusterings and densities against scikit-learn, closed forms and small cases worked out by hand."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.svm import LinearSVC

from lightning_gans import ConvNet, InputError
from lightning_gans.evaluation.probes.clustering import clustering_error, kmeans_error, kmeans_nmi, nmi
from lightning_gans.evaluation.probes.densities import density_kl_1d, log_density, parzen_log_likelihood
from lightning_gans.evaluation.probes.estimate import Estimate
from lightning_gans.evaluation.probes.classification import balanced_draw, few_labels, knn_probe, linear_probe, pooled_features, svm_probe

PIXELS, LABELS = load_digits(return_X_y=True)
PIXELS = PIXELS / 16
TRAIN, TEST = (PIXELS[:1400], LABELS[:1400]), (PIXELS[1400:], LABELS[1400:])


def blobs(n: int, distance: float, seed: int = 0, classes: int = 3, dim: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Gaussians around points of a simplex with sides ``distance * sqrt(2)``."""
    labels = np.arange(n) % classes
    noise = np.random.default_rng(seed).standard_normal((n, dim))
    return (noise + distance * np.eye(classes, dim)[labels]).astype(np.float32), labels


# Estimates


def test_an_estimate_is_of_mean_and_population_deviation():
    estimate = Estimate.of(torch.tensor([1.0, 1.0, 4.0, 4.0], dtype=torch.bfloat16))
    assert (estimate.mean, estimate.std, estimate.n) == (2.5, 1.5, 4)
    assert estimate.standard_error == 0.75
    assert estimate.spread == pytest.approx(2.94)


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


# Clusters


def test_each_cluster_takes_the_label_of_its_surest_example():
    validation = torch.tensor([[0.6, 0.3, 0.1], [0.9, 0.05, 0.05], [0.4, 0.5, 0.1], [0.1, 0.7, 0.2], [0.5, 0.2, 0.3]])
    labels = torch.tensor([7, 8, 7, 9, 7])  # heads: 8 (by 0.9, although two of three say 7), 9, 7
    test = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0.4, 0.6]]).log()
    found = clustering_error(validation.log(), labels, test, torch.tensor([8, 7, 9, 9]))
    assert (found.mean, found.n) == (0.5, 4)


def test_other_clusters_in_testing_are_refused():
    with pytest.raises(InputError, match=r"3 clusters.*2"):
        clustering_error(torch.rand(4, 3), torch.zeros(4), torch.rand(4, 2), torch.zeros(4))


def test_mutual_information_is_1_for_the_same_groups_and_0_for_independent_ones():
    labels = torch.arange(40) // 10
    assert nmi(labels, 3 - labels) == pytest.approx(1)
    assert nmi(labels, torch.arange(40) % 10) == pytest.approx(0, abs=1e-12)
    # Two groups cut into four: I = log 2, entropies log 2 and log 4, their mean 1.5 log 2
    assert nmi(labels // 2, labels) == pytest.approx(2 / 3)


def test_k_means_finds_groups_that_are_far_apart():
    assert kmeans_nmi(*blobs(60, 30.0)) == pytest.approx(1)
    assert kmeans_nmi(blobs(300, 0.0)[0], np.arange(300) % 3) < 0.1


def test_the_error_of_k_means_is_by_the_held_out_example_that_is_nearest_to_each_centre():
    x, y = blobs(90, 30.0)
    heads, of_heads = blobs(9, 30.0, seed=1)
    error, agreement = kmeans_error(x, y, heads, of_heads)
    assert (error.mean, error.n, agreement) == (0, 90, pytest.approx(1))
    assert kmeans_error(x, y, heads, (of_heads + 1) % 3)[0].mean == 1
    swapped = np.array([0, 0, 2])[of_heads]  # the second class is taken for the first
    assert kmeans_error(x, y, heads, swapped)[0].mean == pytest.approx(1 / 3)
    far = np.concatenate([heads, heads[:1] + 8]), np.append(of_heads, 2)
    assert kmeans_error(x, y, *far)[0].mean == 0


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


# Densities


@pytest.mark.parametrize("sigma", [0.1, 0.7])
def test_log_densities_are_scikit_learns(sigma, monkeypatch):
    monkeypatch.setattr("lightning_gans.evaluation.probes.densities._KERNELS_AT_ONCE", 3001)  # blocks that do not divide
    exact = KernelDensity(bandwidth=sigma, leaf_size=1000)  # with several leaves it is off by up to 161 nats here
    reference = exact.fit(PIXELS[:300]).score_samples(PIXELS[300:350])
    found = log_density(torch.from_numpy(PIXELS[300:350]).float(), PIXELS[:300].reshape(-1, 8, 8), [2.0, sigma])
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found[:, 1], reference, rtol=1e-9)


def test_sigma_is_the_one_that_suits_the_first_thousand_validation_examples():
    random = np.random.default_rng(0)
    samples, test = random.standard_normal((500, 2)), random.standard_normal((200, 2))
    validation = np.concatenate([random.standard_normal((1000, 2)), 100 + np.zeros((500, 2))])
    sigmas = [0.01, 0.35, 5.0]
    scores = [KernelDensity(bandwidth=s).fit(samples).score(validation[:1000]) for s in sigmas]
    found = parzen_log_likelihood(samples, test, validation, sigmas=sigmas)
    assert found.sigma == sigmas[int(np.argmax(scores))] == 0.35
    assert found == parzen_log_likelihood(samples, test, sigma=0.35)
    each = KernelDensity(bandwidth=0.35).fit(samples).score_samples(test)
    assert found.log_likelihood.mean == pytest.approx(each.mean())
    assert found.log_likelihood.standard_error == pytest.approx(each.std() / math.sqrt(200))
    truth = -math.log(2 * math.pi) - 1  # mean log-density of the normal that all are drawn from
    assert found.log_likelihood.mean == pytest.approx(truth, abs=0.3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "either validation examples.*or a sigma"),
        ({"sigma": 1.0, "validation": np.ones((2, 3))}, "either validation examples.*or a sigma"),
        ({"sigma": 0.0}, "must be above 0"),
        ({"sigma": 1.0, "test": np.ones((2, 4))}, "samples have 3 dimensions.* 4"),
        ({"sigma": 1.0, "samples": np.full((2, 3), np.inf)}, "finite"),
        ({"sigma": 1.0, "samples": np.ones((0, 3))}, "there are none"),
    ],
)
def test_parzen_windows_that_cannot_be_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        parzen_log_likelihood(**{"samples": np.ones((2, 3)), "test": np.ones((2, 3)), **change})


@pytest.mark.parametrize(("shift", "std"), [(0.0, 1.0), (0.5, 1.0), (0.0, 0.6), (-1.0, 0.8)])
def test_the_divergence_of_two_gaussians_is_its_closed_form(shift, std):
    n = 10_000
    real, fake = np.random.default_rng(0).standard_normal((2, n))
    found = density_kl_1d(real, shift + std * fake)
    h = n**-0.2
    p, q = math.hypot(1, h), math.hypot(std, h)  # kernels at_least_float32 both
    expected = math.log(p / q) + (q**2 + shift**2) / (2 * p**2) - 0.5
    assert found.kl == pytest.approx(expected, abs=0.005, rel=0.05)
    assert found.bandwidth == pytest.approx(h, rel=0.02)
    assert float(torch.trapezoid(found.real, found.grid)) == pytest.approx(1, abs=1e-4)
    assert float(torch.trapezoid(found.fake, found.grid)) == pytest.approx(1, abs=1e-4)


def test_samples_are_summarised_by_the_mean_of_their_dimensions():
    real, fake = torch.rand(500, 1, 4, 4), torch.rand(300, 1, 4, 4) - 0.1
    assert density_kl_1d(real, fake).kl == pytest.approx(density_kl_1d(real.mean((1, 2, 3)), fake.mean((1, 2, 3))).kl, rel=1e-4)
    assert density_kl_1d(real, real).kl == pytest.approx(0, abs=1e-12)


def test_a_collapsed_generator_diverges_far_but_finitely_and_collapsed_data_is_refused():
    real, collapsed = torch.randn(1000), torch.zeros(1000)
    assert 0.5 < density_kl_1d(real, collapsed).kl < density_kl_1d(real, collapsed + 20).kl < math.inf
    with pytest.raises(InputError, match="same mean"):
        density_kl_1d(collapsed, real)
