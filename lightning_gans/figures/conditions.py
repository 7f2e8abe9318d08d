"""The conditions that somebody asks for pictures under, in the words of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lightning_gans.errors import InputError


@dataclass(frozen=True)
class Chosen:
    """What samples are made under, instead of what travels with the samples of the data.

    Args:
        text: as it was asked for, for titles.
        values: the samples have these in turn; labels ``(K,)`` int64 or attributes ``(K, A)`` float.
    """

    text: str
    values: Tensor

    def of(self, turns: Tensor) -> Tensor:
        """The conditions of samples by number."""
        return self.values[turns % len(self.values)]


def choose(text: str, model: Any, data: Any) -> Chosen:
    """Read labels such as ``7``, ``cat`` or ``3,7``, or changes of attributes such as ``Smiling=1,Male=0``.

    Args:
        text: several labels go to the samples in turn; attributes that are not named are those of the first test sample.
        model: is asked whether it has a condition.
        data: as ``lightning_gans.Images`` after ``setup``.

    Raises:
        InputError: the model has no condition, or the data has no such class or attribute; says which there are.
    """
    if not getattr(model, "conditional", False):
        raise InputError(f"{type(model).__name__} has no condition; leave --condition out")
    words = [word.strip() for word in text.split(",")]
    kind = getattr(data, "condition_name", None)
    if kind == "labels":
        return Chosen(text, torch.tensor([_label(word, data) for word in words]))
    if kind == "attributes":
        return Chosen(text, _attributes(words, data))
    raise InputError(f"--condition chooses labels or attributes, but {data.name} comes with {kind or 'neither'}; leave it out")


def class_names(data: Any) -> list[str]:
    """What the data's labels count; a class without a name has its number."""
    classes, labels = list(data.classes), data.labels("test")
    return [*classes, *map(str, range(len(classes), 0 if labels is None else int(labels.max()) + 1))]


def _label(word: str, data: Any) -> int:
    """The number of a class by its name, else by its number."""
    classes, count = list(data.classes), len(class_names(data))
    if word in classes:
        return classes.index(word)
    if word.isdecimal() and int(word) < count:
        return int(word)
    raise InputError(f"--condition has {word!r}, but {data.name} has the classes {_listed(classes) or f'0 to {count - 1}'}")


def _attributes(words: list[str], data: Any) -> Tensor:
    """``(1, A)``: those of the first test sample, with some set to 0 or 1."""
    values: Tensor = data.conditions("test", torch.tensor([0])).clone()
    names = list(data.attributes)
    for word in words:
        name, _, value = (part.strip() for part in word.partition("="))
        if name not in names:
            raise InputError(f"--condition has {word!r}, but {data.name} has the attributes {_listed(names)}")
        if value not in ("0", "1"):
            raise InputError(f"--condition has {word!r}, but must say {name}=1 or {name}=0")
        values[:, names.index(name)] = float(value)
    return values


def _listed(names: list[str], most: int = 50) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
