"""Clusters of a model's own, named by the surest sample for validation: by hand, like the probe, and on ranks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score
from torch import Tensor

from lightning_gans import Evaluation, Images, InputError
from lightning_gans.evaluation.counts.agreement import assigned_error
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.metrics.base import Block, Comparison
from lightning_gans.evaluation.metrics.clusters import Clusters
from lightning_gans.evaluation.probes.clustering import clustering_error
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.real.in_memory import InMemory
from lightning_gans.evaluation.real.validation import validation_rows
from tests.evaluation.tiny import Noise, noise_images, noise_of_three_classes
from tests.helpers import on_ranks

CLUSTERS = 7


class Grouping(Noise):
    """Takes the sums of some pixels, which go with nothing, for scores of groups; no LightningModule."""

    def classify(self, images: Tensor) -> Tensor:
        self.seen = [*getattr(self, "seen", []), len(images)]
        return 3 * images.flatten(1).unflatten(1, (8, 8))[..., :CLUSTERS].sum(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return noise_images(tmp_path_factory.mktemp("noise"))


def labels_of(data: Images, split: str) -> Tensor:
    labels = data.labels(split)
    assert labels is not None
    return labels


def by_the_probe(data: Images, split: str, held: tuple[str, Tensor]) -> dict[str, Any]:
    """Of all samples at once, and by scikit-learn."""
    scores, true = Grouping().classify(data.real(split)).log_softmax(1), labels_of(data, split)
    surety = Grouping().classify(data.real(*held)).log_softmax(1)
    error = clustering_error(surety, labels_of(data, held[0])[held[1]], scores, true).mean
    agreement = normalized_mutual_info_score(true.numpy(), scores.argmax(1).numpy())
    counts = torch.bincount(scores.argmax(1) * 10 + true, minlength=CLUSTERS * 10).view(CLUSTERS, 10)
    return {
        "clustering_error": pytest.approx(error),
        "clustering_error_assigned": pytest.approx(assigned_error(counts)),
        "clustering_nmi": pytest.approx(agreement),
    }


def test_each_cluster_has_the_label_of_its_surest_sample_whichever_block_that_is_in() -> None:
    labels = [2, 0, 1, 1, 0]
    metric = Clusters(Comparison(RealSet(InMemory(torch.zeros(5, 1, 2, 2, dtype=torch.uint8) + 99, labels, "mine", ""))))
    metric.reset(torch.device("cpu"))

    def update(probabilities: list[list[float]], labels: list[int], for_validation: bool = False) -> None:
        classified = torch.tensor(probabilities).log(), torch.tensor(labels)
        metric.update(Block(torch.zeros(len(labels)), metric.comparison, classified=classified, for_validation=for_validation))

    update([[0.6, 0.4], [0.9, 0.1], [0.3, 0.7]], [1, 2, 0], for_validation=True)
    update([[0.8, 0.2], [0.3, 0.7]], [0, 1], for_validation=True)  # less sure, and as sure as one before
    update([[0.7, 0.3], [0.2, 0.8], [0.4, 0.6]], labels[:3])  # right, right, wrong
    update([[0.9, 0.1], [0.1, 0.9]], labels[3:])  # wrong, right
    found = metric.compute()
    assert found["clustering_error"] == pytest.approx(0.4)
    assert found["clustering_error_assigned"] == pytest.approx(0.4), "cluster 0 is class 2 or 1, cluster 1 is class 0"
    assert found["clustering_nmi"] == pytest.approx(normalized_mutual_info_score(labels, [0, 1, 1, 0, 1]))


@pytest.mark.parametrize("split", ["test", "train"])
def test_it_is_what_the_probe_finds(data: Images, split: str) -> None:
    found = Evaluator(RealSet(data, split, num_real=7), ("clusters",), num_samples=2).measure(Grouping())
    assert validation_rows(data)[1].tolist() == [*range(240, 300)]
    assert found == by_the_probe(data, split, ("train", torch.arange(240, 300)))
    assert 0 < found["clustering_error"] < 1
    assert 0 < found["clustering_nmi"] < 1


def test_samples_that_are_held_out_name_the_clusters(data: Images) -> None:
    (held := Images(data.dataset, root=data.root, batch_size=20, held_out=40)).setup("fit")
    found = Evaluator(RealSet(held), ("clusters",)).measure(Grouping())
    assert found == by_the_probe(held, "test", ("valid", torch.arange(40)))


def test_samples_for_validation_are_seen_by_what_needs_them_alone(data: Images) -> None:
    alone, both = Grouping(), Grouping()
    error = Evaluator(RealSet(data), ("classify",)).measure(alone)
    found = Evaluator(RealSet(data), ("classify", "clusters")).measure(both)
    assert (alone.seen, both.seen) == ([130], [60, 130])
    assert {**found, **error} == found


def test_a_class_that_is_for_validation_alone_is_never_right(tmp_path: Path) -> None:
    data = noise_images(tmp_path, lambda n: np.full(n, 5 if n == 300 else 0))
    found = Evaluator(RealSet(data), ("clusters",)).measure(Grouping())
    assert (found["clustering_error"], found["clustering_nmi"]) == (1, 0)


@pytest.mark.parametrize("world", [2, 4])
def test_any_number_of_ranks_gives_the_same_numbers(tmp_path: Path, world: int) -> None:
    few = InMemory(torch.randint(60, 200, (3, 1, 8, 8), dtype=torch.uint8), [0, 1, 1], "few", "")
    sets = [RealSet(noise_images(tmp_path)), RealSet(few)]  # of the latter not every rank has one

    def measured() -> list[dict[str, float]]:
        return [Evaluator(each, ("clusters",)).measure(Grouping()) for each in sets]

    def work(rank: int) -> None:
        (tmp_path / f"{rank}.json").write_text(json.dumps(measured()))

    alone = measured()
    on_ranks(work, tmp_path, world)
    for rank in range(world):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == alone


def test_models_that_do_not_classify_have_none_and_data_without_labels_are_refused(data: Images, tmp_path: Path) -> None:
    assert Evaluator(RealSet(data), ("clusters",)).measure(Noise()) == {}
    with pytest.raises(InputError, match=r"evaluation\.metrics names clusters, but noise has no labels; leave it out"):
        Evaluation(["clusters"]).evaluator(noise_of_three_classes(tmp_path, labels=False))
