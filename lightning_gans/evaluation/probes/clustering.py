"""How far groups that were found without labels agree with the labels."""

from __future__ import annotations

import numpy as np

from lightning_gans.errors import InputError
from lightning_gans.evaluation.probes.estimate import Array, Estimate, checked_pairs, to_numpy


def clustering_error(validation: Array, validation_labels: Array, test: Array, test_labels: Array) -> Estimate:
    """The error rate of the adversarial autoencoder's clusters (Makhzani et al. 2015, section 6), over test examples.

    Every cluster takes the label of the one validation example that is most surely in it.

    Args:
        validation: q(y|x) ``(N, clusters)``; better its logarithm, for probabilities that round to 1 are ties.
        validation_labels: ``(N,)``.
        test: the same of the test set ``(M, clusters)``; an example is in its most probable cluster.
        test_labels: ``(M,)``.

    Raises:
        InputError: arrays do not fit together or are not finite.
    """
    lowest = np.finfo(np.float32).min  # for the logarithm of 0
    surety, labels = checked_pairs(np.maximum(to_numpy(validation), lowest), validation_labels, "validation")
    of_test, true = checked_pairs(np.maximum(to_numpy(test), lowest), test_labels, "test")
    if surety.shape[1] != of_test.shape[1]:
        raise InputError(f"there are {surety.shape[1]} clusters in validation and {of_test.shape[1]} in testing; use one model")
    heads = surety.argmax(axis=0)
    return Estimate.of(labels[heads][of_test.argmax(axis=1)] != true)


def nmi(labels: Array, clusters: Array) -> float:
    """Normalised mutual information of two labellings ``(N,)``: 1 for the same groups, 0 for independent ones."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(to_numpy(labels), to_numpy(clusters)))


def kmeans_error(
    features: Array, labels: Array, validation: Array, validation_labels: Array, seed: int = 0
) -> tuple[Estimate, float]:
    """``clustering_error`` and ``nmi`` of k-means clusters of the features, as many as labels, best of 10 starts.

    Args:
        features: that are clustered ``(N, D)``.
        labels: theirs ``(N,)``.
        validation: features ``(M, D)``: a cluster takes the label of the one that is nearest to its centre.
        validation_labels: ``(M,)``.
        seed: of the starts.

    Raises:
        InputError: arrays do not fit together or are not finite.
    """
    from sklearn.cluster import KMeans

    x, y = checked_pairs(features, labels, "clustered")
    kmeans = KMeans(len(np.unique(y)), n_init=10, random_state=seed).fit(x)
    heads, of_heads = checked_pairs(validation, validation_labels, "validation")
    error = clustering_error(-kmeans.transform(heads), of_heads, -kmeans.transform(x), y)
    return error, nmi(y, kmeans.labels_)
