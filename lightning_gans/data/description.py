"""What a dataset says of itself, and what can be told of its samples before they are packed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lightning_gans.errors import InputError
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


def choose_conditions(
    kinds: dict[str, ConditionKind], wanted: ConditionName | list[ConditionName] | None, labelled: bool, points: bool, name: str
) -> dict[str, ConditionKind]:
    """The conditions that travel with samples, of all that there are.

    Args:
        kinds: all, by name.
        wanted: what ``data.condition`` asks for.
        labelled: whether some samples keep their labels, which are then what travels where nothing is asked for.
        points: whether the samples are points, which have conditions only where these are asked for.
        name: of the dataset.

    Raises:
        InputError: there is no such condition.
    """
    there = [each for each in reversed(CONDITIONS) if each in kinds]
    chosen: list[ConditionName] = [] if points else there[:1]
    if labelled and "labels" in there:
        chosen = ["labels"]
    if wanted is not None:
        chosen = wanted if isinstance(wanted, list) else [wanted]
    lacking = next((each for each in chosen if each not in there), None)
    if lacking is not None:
        raise InputError(f"data.condition is {lacking}, but {name} has {', '.join(there) or 'none'}")
    return {each: kinds[each] for each in chosen}
