"""The losses of the last few steps, kept on the device until somebody reads them."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gans.strategy import average_over_ranks


class LossHistory:
    """Collects scalars without waiting for the device; one read tells their means and the first bad one."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, str, Tensor]] = []

    def add(self, step: int, name: str, value: Tensor) -> None:
        """Remember the scalar ``value`` of ``name`` at ``step``."""
        self._entries.append((step, name, value.detach()))

    def read(self) -> tuple[dict[str, float], tuple[int, str] | None]:
        """Forget everything and return (mean of each name over steps and ranks, (step, name) of the first non-finite value)."""
        entries, self._entries = self._entries, []
        if not entries:
            return {}, None
        values = torch.stack([value.float() for _, _, value in entries])
        average_over_ranks([values])  # a bad value on any rank is then bad on all
        numbers = values.tolist()
        bad = next(((step, name) for (step, name, _), x in zip(entries, numbers, strict=True) if x - x != 0), None)
        grouped: dict[str, list[float]] = {}
        for (_, name, _), number in zip(entries, numbers, strict=True):
            grouped.setdefault(name, []).append(number)
        return {name: sum(each) / len(each) for name, each in grouped.items()}, bad
