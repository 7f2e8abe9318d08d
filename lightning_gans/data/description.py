"""What a dataset says of itself, and what can be told of its samples before they are packed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lightning_gans.networks.suggest import ConditionKind

ConditionName = Literal["labels", "attributes", "captions"]
CONDITIONS: tuple[ConditionName, ...] = get_args(ConditionName)


@dataclass(frozen=True)
class Description:
    """What a dataset says of its classes and of how it came about; from its source it travels with its pack to whoever asks.

    Attributes:
        classes: the names that labels count, in order; empty where there are none.
        attributes: the names of the columns of attributes.
        note: said of the splits when they are printed, such as how they were drawn.
        partial: "10,000 of 202,599 images" where files of the official set are missing, else empty.
    """

    classes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    note: str = ""
    partial: str = ""

    def condition_kinds(self, conditions: Mapping[str, Any]) -> dict[str, ConditionKind]:
        """What each of the conditions looks like, of arrays or tensors as in ``Samples``, by name."""
        widths = {
            "labels": lambda labels: len(self.classes) or int(labels.max()) + 1,
            "attributes": lambda attributes: attributes.shape[1],
            "captions": lambda captions: captions.shape[2],
        }
        return {name: ConditionKind(name, widths[name](conditions[name])) for name in CONDITIONS if name in conditions}


@dataclass(frozen=True)
class Preview:
    """What networks have to fit, known before anything is packed.

    Attributes:
        shape: of one sample, ``(C, H, W)`` or ``(2,)``.
        condition_kinds: what travels with it, by name.
        extent: the largest absolute value in the data's units; 1 for images.
    """

    shape: tuple[int, ...]
    condition_kinds: dict[str, ConditionKind]
    extent: float = 1.0


def part_of(found: int, official: int) -> str:
    """Such as "10,000 of 202,599 images", or nothing where all are there."""
    return f"{found:,} of {official:,} images" if found < official else ""
