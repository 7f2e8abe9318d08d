"""Learning curves as shapes in the plane of a small SVG, which the page draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from lightning_gans.figures.plots import Curve

WIDTH, HEIGHT = 420, 250
"""Units of the SVG; letters of 12 can be read where a phone shows it 360 pixels wide."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 10, 34
MOST_POINTS = 300
"""Of a line."""
_LARGEST = float(np.finfo(np.float32).max)
_LOGARITHMIC = 100.0
"""How many times the median a positive measure must reach for its axis to be logarithmic."""
LINE_STYLES = ("", "7 4", "2 3", "9 3 2 3", "4 2")


@dataclass(frozen=True)
class Line:
    """A group's line: its number among the groups, its path, the outline of its band, and a sentence.

    Args:
        group: its number.
        path: as SVG has it.
        band: likewise, empty for one seed.
        dots: points to be marked, where there are few.
        said: name, last value.
    """

    group: int
    path: str
    band: str
    dots: list[tuple[float, float]]
    said: str


@dataclass(frozen=True)
class Chart:
    """A measure over training batches.

    Args:
        title: of the measure.
        aside: unit, direction, and whether the axis is logarithmic.
        lines: of the groups.
        across: places and labels of the axis of batches.
        up: those of the other.
    """

    title: str
    aside: str
    lines: list[Line]
    across: list[tuple[float, str]]
    up: list[tuple[float, str]]


@dataclass(frozen=True)
class _Scale:
    """From numbers to units of the SVG."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, values: Any) -> np.ndarray:
        numbers, low, high = np.asarray(values, dtype=float), self.low, self.high
        if self.logarithmic:
            numbers, low, high = np.log10(np.maximum(numbers, self.low)), math.log10(low), math.log10(high)
        return np.round(self.start + (numbers - low) / (high - low or 1) * (self.end - self.start), 1)

    def ticks(self, count: int) -> list[float]:
        if self.logarithmic:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [10.0**power for power in powers][:: max(1, len(powers) // count)]
        found = MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        return [float(tick) for tick in found if self.low <= tick <= self.high]


def chart(label: str, curves: Sequence[Curve], names: Sequence[str]) -> Chart | None:
    """A panel of curves; none where no number is finite.

    Args:
        label: of the measure, with unit and direction in brackets.
        curves: of the groups that have measured it.
        names: of all groups.
    """
    kept = {names.index(curve.name): _finite(curve) for curve in curves}
    kept = {group: points for group, points in kept.items() if points.shape[1]}
    if not kept:
        return None
    across, up = _scales(list(kept.values()))
    lines = [_line(group, points, across, up, names[group]) for group, points in kept.items()]
    title, _, aside = label.partition(" (")
    x_ticks, y_ticks = across.ticks(5), up.ticks(5)
    return Chart(
        title=title,
        aside=", ".join(filter(None, [aside.removesuffix(")"), "logarithmic axis" if up.logarithmic else ""])),
        lines=lines,
        across=list(zip(across(x_ticks).tolist(), (f"{tick:,.0f}" for tick in x_ticks), strict=True)),
        up=list(zip(up(y_ticks).tolist(), (f"{tick:.4g}" for tick in y_ticks), strict=True)),
    )


def _finite(curve: Curve) -> np.ndarray:
    """Steps, values and deviations ``(3, N)`` where the values are numbers that training computes with."""
    std = np.zeros(len(curve.steps)) if curve.std is None else np.nan_to_num(np.asarray(curve.std, dtype=float))
    points = np.array([curve.steps, curve.values, std], dtype=float)
    return points[:, (np.abs(points[1:]) <= _LARGEST).all(axis=0)]


def _scales(kept: Sequence[np.ndarray]) -> tuple[_Scale, _Scale]:
    steps, values, std = np.concatenate(kept, axis=1)
    low, high = float((values - std).min()), float((values + std).max())
    logarithmic = values.min() > 0 and high > _LOGARITHMIC * float(np.median(values))
    if logarithmic:
        low = float(values.min())
    elif low >= 0:
        low = 0.0  # else small differences look large
    room = 0.0 if logarithmic else 0.04 * (high - low)
    if high <= low:
        high = low + (abs(low) or 1.0)
    low, high = (low if low == 0 else low - room), high + room
    across = _Scale(min(0.0, float(steps.min())), float(steps.max()) or 1.0, _LEFT, WIDTH - _RIGHT)
    return across, _Scale(low, high, HEIGHT - _BOTTOM, _TOP, bool(logarithmic))


def _line(group: int, points: np.ndarray, across: _Scale, up: _Scale, name: str) -> Line:
    last = points[1, -1]
    if points.shape[1] > MOST_POINTS:  # evenly, with both ends
        points = points[:, np.linspace(0, points.shape[1] - 1, MOST_POINTS).round().astype(int)]
    steps, values, std = points
    x = across(steps)
    band = ""
    if std.any():
        below, above = (_path(x, up(values + sign * std)) for sign in (-1, 1))
        band = f"M{above}L{' '.join(reversed(below.split(' ')))}Z"
    dots = list(zip(x.tolist(), up(values).tolist(), strict=True)) if len(x) <= 40 else []
    return Line(group, f"M{_path(x, up(values))}", band, dots, f"{name}: {last:.4g} at {steps[-1]:,.0f}")


def _path(x: np.ndarray, y: np.ndarray) -> str:
    return " ".join(f"{a:g},{b:g}" for a, b in zip(x, y, strict=True))
