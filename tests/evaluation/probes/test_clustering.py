"""Clusterings against small cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score

from lightning_gans import InputError
from lightning_gans.evaluation.probes.clustering import clustering_error, kmeans_error, nmi
from tests.evaluation.probes.blobs import blobs


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


@pytest.mark.parametrize(("groups", "classes"), [(1, 1), (1, 3), (3, 1), (2, 5), (30, 10)])
def test_mutual_information_is_that_of_scikit_learn(groups: int, classes: int) -> None:
    draw = np.random.default_rng(0)
    a, b = draw.integers(groups, size=200), draw.integers(classes, size=200) - 7
    assert nmi(a, b) == pytest.approx(normalized_mutual_info_score(a, b))
    assert nmi(b, a) == pytest.approx(normalized_mutual_info_score(b, a))


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


def test_k_means_agrees_with_groups_that_are_far_apart_and_with_nothing_of_one_cloud():
    far, cloud = blobs(60, 30.0), (blobs(300, 0.0)[0], np.arange(300) % 3)
    assert kmeans_error(*far, *far)[1] == pytest.approx(1)
    assert kmeans_error(*cloud, *cloud)[1] < 0.1
