"""Conditions of one tensor or of several, on a device."""

from __future__ import annotations

import torch

from lightning_gans.protocols import to_device


def test_conditions_are_moved_whether_they_are_one_tensor_several_or_none() -> None:
    away = torch.device("meta")
    labels, attributes = torch.arange(3), torch.zeros(3, 2)
    one, several = to_device(labels, away), to_device({"labels": labels, "attributes": attributes}, away)
    assert isinstance(one, torch.Tensor)
    assert isinstance(several, dict)
    assert one.device == several["labels"].device == several["attributes"].device == away
    assert {name: tuple(values.shape) for name, values in several.items()} == {"labels": (3,), "attributes": (3, 2)}
    assert to_device(None, away) is None
