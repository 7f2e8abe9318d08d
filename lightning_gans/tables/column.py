"""A column: which number of a finished run stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightning_gans.evaluation.records import is_better, is_higher_better


@dataclass(frozen=True)
class Column:
    """A measure of finished runs, at the end unless something else is said.

    Args:
        key: of the column, by which published numbers are given.
        measure: its key in the records, or ``minutes`` of training; ``key`` if empty.
        title: what it is called; ``key`` if empty.
        digits: after the point.
        better: ``higher`` or ``lower``; what is known of the measure if empty.
        at: the step at which it is taken; minutes are shared out evenly over the steps.
        reaches: a value; the column has the first step that was measured at which it was that good.
        below: a value; the column counts the runs that end below it.
        times: what the measure is multiplied by, such as 100 for per cent.
    """

    key: str
    measure: str = ""
    title: str = ""
    digits: int = 2
    better: str = ""
    at: int | None = None
    reaches: float | None = None
    below: float | None = None
    times: float = 1.0

    def __post_init__(self) -> None:
        if self.better not in ("", "higher", "lower"):
            raise ValueError(f"better is {self.better} in {self.key}, but must be higher or lower")
        object.__setattr__(self, "measure", self.measure or self.key)
        object.__setattr__(self, "title", str(self.title or self.key))  # a number in YAML, too

    @property
    def counts(self) -> bool:
        """Whether it says how many of the runs, and no mean."""
        return self.below is not None

    @property
    def has_best(self) -> bool:
        """Whether it has another value at a run's best than at its end."""
        return self.measure != "minutes" and self.at is None and self.reaches is None and self.below is None

    @property
    def higher_is_better(self) -> bool:
        """The direction, of steps until a value is reached downwards."""
        if self.better:
            return self.better == "higher"
        return self.reaches is None and not self.counts and is_higher_better(self.measure)

    def value(self, line: Mapping[str, Any], when: str = "last") -> float | None:
        """The number of a finished run.

        Args:
            line: its record.
            when: ``last`` or ``best``.

        Returns:
            ``None`` where it was not measured, or never reached.
        """
        if self.measure == "minutes":
            if not line["seconds"] or (self.at is not None and not line["steps"]):
                return None
            share = 1.0 if self.at is None else self.at / line["steps"]
            return float(line["seconds"]) / 60 * share if share <= 1 else None
        if self.at is not None or self.reaches is not None:
            curve: Mapping[str, list[float]] = next((curve for curve in line["curves"] if self.measure in curve), {})
            points = list(zip(curve.get("step", ()), curve.get(self.measure, ()), strict=True))
            if self.at is not None:
                return next((float(value) * self.times for step, value in points if step == self.at), None)
            return next((float(step) for step, value in points if self._is_reached(value)), None)
        found = line["results"].get(when, {}).get(self.measure)
        if found is None:
            return None
        return float(found["value"] < self.below) if self.below is not None else float(found["value"]) * self.times

    def _is_reached(self, value: float) -> bool:
        assert self.reaches is not None
        return value == self.reaches or is_better(self.measure, value, self.reaches)
