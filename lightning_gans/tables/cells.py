"""A number of a table: mean, interval over training seeds, and how it compares with the published one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from lightning_gans.tables.column import Column


@dataclass(frozen=True)
class Estimate:
    """A mean over runs, and the 95 % bootstrap interval of it (percentiles); of one run there is none."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        """Of the numbers of some runs, at least one."""
        mean = statistics.fmean(values)
        if len(values) == 1:
            return cls(mean, math.nan, math.nan)
        if len(set(values)) == 1:
            return cls(mean, mean, mean)
        found = bootstrap((np.asarray(values),), np.mean, method="percentile", n_resamples=9999, rng=np.random.default_rng(0))
        low, high = found.confidence_interval
        return cls(mean, float(low), float(high))

    def text(self, digits: int) -> str:
        """``24.67 [24.00, 25.00]``; of one run the number alone."""
        if math.isnan(self.low):
            return f"{self.mean:.{digits}f}"
        return f"{self.mean:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def verdict(ours: Estimate, published: Sequence[float], higher_is_better: bool, digits: int) -> str:
    """``within``, or ``better`` or ``worse`` and by how much.

    Within is where our interval, or the number of the one run, and the published mean ± standard deviation overlap; where no
    deviation was published that is 0.
    """
    mean, spread = published[0], published[1] if len(published) > 1 else 0.0
    low, high = (ours.mean, ours.mean) if math.isnan(ours.low) else (ours.low, ours.high)
    rounding = 0.5 * 10**-digits  # the published numbers are rounded
    if low <= mean + spread + rounding and high >= mean - spread - rounding:
        return "within"
    better = (ours.mean > mean) == higher_is_better
    return f"{'better' if better else 'worse'} by {abs(ours.mean - mean):.{digits}f}"


def published_text(column: Column, published: Any) -> str:
    """As it was printed; nothing where it was not."""
    if published is None:
        return ""
    if column.counts:
        return f"{published[0]} of {published[1]}"
    return " ± ".join(f"{number:.{column.digits}f}" for number in _numbers(published))


def our_text(column: Column, lines: Iterable[Mapping[str, Any]], when: str, published: Any = None) -> str:
    """Our number, and how it compares where there is a published one; ``-`` for nothing measured."""
    lines = list(lines)
    values = [value for line in lines if (value := column.value(line, when)) is not None]
    if column.counts and values:
        count = f"{sum(values):.0f} of {len(values)}"
        return count if published is None else f"{count}, {_as_counted(sum(values) / len(values), published)}"
    if not values:
        return "never" if column.reaches is not None and lines else "-"
    estimate = Estimate.of(values)
    text = estimate.text(column.digits)
    if len(values) < len(lines):
        text += f" ({len(values)} of {len(lines)} runs)"
    if published is None:
        return text
    return f"{text}, {verdict(estimate, _numbers(published), column.higher_is_better, column.digits)}"


def _numbers(published: Any) -> list[float]:
    """Mean and, where it was printed, standard deviation."""
    return published if isinstance(published, list) else [published]


def _as_counted(share: float, published: Sequence[int]) -> str:
    return "within" if share == published[0] / published[1] else "not so"
