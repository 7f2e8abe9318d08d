"""Whether samples are what a conditional model was asked for."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.evaluation.metrics.base import Block, Metric, has_stacked_digits, labels_in
from lightning_gans.strategy import world_size


class LabelAgreement(Metric):
    """Of a model that draws by label the share of samples that the dataset's classifier puts into the class asked for.

    Those are the labels of the real samples. A perfect sampler gets as much as real images do.
    """

    name = "label_agreement"
    higher = ("label_agreement",)
    needs_classifier = True
    needs_labels = True

    def applies(self, model: Any) -> bool:
        return super().applies(model) and self.comparison.classifier is not None

    def reset(self, device: torch.device) -> None:
        self._counts = torch.zeros(2, dtype=torch.int64, device=device)  # of those that agree, of all

    def update(self, block: Block) -> None:
        labels = labels_in(block.asked_for)
        assert labels is not None
        found = self._found(block)
        self._counts += torch.stack([(found == labels.to(found.device)).sum(), found.new_tensor(len(found))])

    def compute(self) -> dict[str, float]:
        if world_size() > 1:
            dist.all_reduce(self._counts)
        agree, samples = self._counts.tolist()
        return {"label_agreement": agree / samples}

    def floor(self) -> dict[str, float]:
        error = getattr(self.comparison.classifier, "test_error", math.nan)
        per_image = 3 if has_stacked_digits(self.comparison.data) else 1
        return {} if math.isnan(error) else {"label_agreement": (1 - error) ** per_image}

    def _found(self, block: Block) -> Tensor:
        """The classes ``(N,)`` that the classifier sees; three digits are read as one number."""
        predicted = block.logits.argmax(-1)
        if has_stacked_digits(self.comparison.data):
            return predicted @ torch.tensor([100, 10, 1], device=predicted.device)
        told, asked = block.logits.shape[1], self.comparison.data.classes
        if getattr(self.comparison.classifier, "colour_of", None) is not None or told != (len(asked) or told):
            raise InputError(
                f"the classifier tells {told} classes apart, which are not the {len(asked)} of {self.comparison.data.name} "
                "that samples are drawn by; leave label_agreement out"
            )
        return predicted
