"""How far the groups that a model found without labels agree with the labels."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from lightning_gans.evaluation.counts.agreement import assigned_error, nmi_of_counts
from lightning_gans.evaluation.metrics.base import Block, Metric
from lightning_gans.losses import at_least_float32
from lightning_gans.strategy import world_size


class Clusters(Metric):
    """Error and normalised mutual information of the clusters that a model puts all real samples of the split into.

    ``clustering_error`` is that of the adversarial autoencoder (Makhzani et al. 2015, section 6), who print it in per cent:
    every cluster takes the label of the one sample for validation that is most surely in it, and a sample is in its most
    probable cluster. Those for validation are held out of training (``data.held_out``); without any they are the last of the
    training set.

    ``clustering_error_assigned`` is that of InfoGAN's codes (Chen et al. 2016, section 7.2: 5 % on MNIST): the samples of the
    split themselves name the clusters, each by a class of its own so that the error is least, or where there are more clusters
    than classes each by the class that is most frequent in it.
    """

    name = "clusters"
    higher = ("clustering_nmi",)
    lower = ("clustering_error",)
    measures_points = True
    needs_classes = True
    needs_validation = True

    def reset(self, device: torch.device) -> None:
        labels = self.comparison.data.labels(self.comparison.real.split)
        assert labels is not None
        self._classes = 1 + int(labels.max())
        self._heads: Tensor | None = None  # (2, clusters): of the surest for validation its log-probability and label
        self._counts: Tensor | None = None  # (clusters, classes), of the samples of the split

    def update(self, block: Block) -> None:
        assert block.classified is not None
        logits, labels = (each.cpu() for each in block.classified)
        if block.for_validation:
            surest, row = at_least_float32(logits).log_softmax(1).double().max(0)
            self._heads = _surer([self._heads, torch.stack([surest, labels[row].double()])])
        else:
            cells = logits.argmax(1) * self._classes + labels
            counts = cells.bincount(minlength=logits.shape[1] * self._classes).view(-1, self._classes)
            self._counts = counts if self._counts is None else self._counts + counts

    def compute(self) -> dict[str, float]:
        found: list[Any] = [(self._heads, self._counts)] * world_size()
        if world_size() > 1:  # ranks have consecutive shares: of samples that are equally sure the first is taken all the same
            dist.all_gather_object(found, found[0])
        _, labels = _surer([heads for heads, _ in found])
        counts = torch.stack([counts for _, counts in found if counts is not None]).sum(0)
        right = (torch.arange(self._classes) == labels[:, None]) * counts  # a class of those for validation may be in no other
        return {
            "clustering_error": 1 - int(right.sum()) / int(counts.sum()),
            "clustering_error_assigned": assigned_error(counts),
            "clustering_nmi": nmi_of_counts(counts),
        }


def _surer(heads: list[Tensor | None]) -> Tensor:
    """Of those ``(2, clusters)`` that there are, cluster by cluster that whose first row is largest, the first of several."""
    both = torch.stack([each for each in heads if each is not None])
    return both.gather(0, both[:, 0].argmax(0).expand(1, 2, -1))[0]
