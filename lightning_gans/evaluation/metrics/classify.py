"""How often a model that tells classes apart takes a real image for one of another class."""

from __future__ import annotations

import torch
import torch.distributed as dist

from lightning_gans.evaluation.metrics.base import Block, Metric
from lightning_gans.strategy import world_size


class Classify(Metric):
    """Share of all real samples of the split that the model itself misclassifies, where it classifies.

    Such as Salimans et al. (2016) and ALI (Dumoulin et al. 2017, Tables 1 and 2) test, who print it in per cent.
    """

    name = "classify"
    lower = ("classify_error",)
    measures_points = True
    needs_classes = True

    def reset(self, device: torch.device) -> None:
        self._counts = torch.zeros(2, dtype=torch.int64, device=device)  # of the misclassified, of all

    def update(self, block: Block) -> None:
        assert block.classified is not None
        logits, labels = block.classified
        self._counts += torch.stack([(logits.argmax(1) != labels).sum(), labels.new_tensor(len(labels))])

    def compute(self) -> dict[str, float]:
        if world_size() > 1:
            dist.all_reduce(self._counts)
        wrong, images = self._counts.tolist()
        return {"classify_error": wrong / images}
