"""What the samples of an export are made under."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gans.data import Images
from lightning_gans.errors import InputError
from lightning_gans.figures.subject import Subject
from lightning_gans.networks import LabelCondition
from lightning_gans.protocols import Condition


def classes_of(model: Any) -> int | None:
    """How many classes a model is given the labels of, ``None`` where it is given something else or nothing."""
    if not getattr(model, "conditional", False):
        return None
    told = getattr(model, "text_encoder", None) or getattr(model.generator, "condition", None)
    return told.classes if isinstance(told, LabelCondition) else None


def first_conditions(model: Any, data: Images, n: int) -> Condition | None:
    """One class after the other, or what travels with ``n`` test samples; ``None`` where a model is given nothing.

    Raises:
        InputError: the data cannot be had, or come with nothing.
    """
    if not getattr(model, "conditional", False):
        return None
    if (classes := classes_of(model)) is not None:
        return torch.arange(n) % classes
    data.prepare_data()
    data.setup("validate")
    condition = data.conditions("test", Subject(model, data).rows(n))
    if condition is None:
        raise InputError(f"{type(model).__name__} is given conditions, but {data.name} has none; set data.condition")
    return condition
