"""What a training step is given: images, what belongs to each, and a way to draw more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.protocols import Condition


@dataclass
class Batch:
    """One mini-batch, on the device of the step.

    Attributes:
        images: float ``(N, C, H, W)``, or points ``(N, 2)``; N is this rank's share of the global batch.
        conditions: what travels with each image, such as its label, ``(N, ...)``; by name where several do; ``None`` where
            the data has none.
        draw_again: gives the next of the further batches of this step, see ``fresh``.
        labelled: some samples with their labels, where a few were asked for; the batch itself then has no conditions.
    """

    images: Tensor
    conditions: Condition | None = None
    draw_again: Callable[[], Batch] | None = None
    labelled: Batch | None = None

    def __len__(self) -> int:
        return len(self.images)

    def fresh(self) -> Batch:
        """A further batch for the same step, drawn with replacement from the whole training set.

        Each call gives another one; which one is a function of (seed, step, number of the call), so that a resumed run
        repeats itself.
        """
        if self.draw_again is None:
            raise InputError("this step wants fresh batches, which only the Images data module can draw; use it as --data")
        return self.draw_again()

    def few_labelled(self) -> tuple[Tensor, Tensor]:
        """Images ``(N, ...)`` and int64 labels ``(N,)`` of the samples that have labels: all of the batch, or some beside it.

        Raises:
            InputError: there are none.
        """
        labelled = self.labelled or self
        labels = labelled.conditions
        if not isinstance(labels, Tensor) or labels.dim() != 1:
            raise InputError(
                "this step wants some labelled samples beside the batch, which there are none of; "
                "set data.labelled to how many keep their labels, or data.condition to labels where all do"
            )
        return labelled.images, labels

    def map_images(self, convert: Callable[[Tensor], Tensor]) -> Batch:
        """The same batch with ``convert`` applied to its images, and to those of every batch that belongs to it."""
        draw = self.draw_again
        again = None if draw is None else (lambda: draw().map_images(convert))
        labelled = None if self.labelled is None else self.labelled.map_images(convert)
        return Batch(convert(self.images), self.conditions, again, labelled)

    @classmethod
    def of(cls, value: Any) -> Batch:
        """``value`` as a batch: a Batch, images alone, or the ``(images, labels)`` of any other data module.

        Instead of labels there may be several conditions, tensors by name.
        """
        match value:
            case Batch():
                return value
            case torch.Tensor():
                return cls(value)
            case [torch.Tensor() as images, *rest]:
                return cls(images, rest[0] if rest and _is_condition(rest[0]) else None)
        raise InputError(f"a batch must be images or (images, labels), not {type(value).__name__}; see lightning_gans.Batch")


def _is_condition(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(isinstance(tensor, Tensor) for tensor in value.values())
    return isinstance(value, Tensor)
