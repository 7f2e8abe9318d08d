"""Mean and standard deviation over the seeds of a config."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (n - 1), NaN for one value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else math.nan


def show_mean_std(values: Sequence[float]) -> str:
    """``mean ± std``; one value has no ±."""
    if not values:
        return ""
    mean, std = mean_std(values)
    if std < 1e-12 * abs(mean):  # rounding
        std = 0.0
    return f"{mean:.5g}" if len(values) == 1 else f"{mean:.5g} ± {std:.2g}"


def summary(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Mean ± standard deviation of every measure over the runs, at their end and at their best."""
    table = Table()
    for column in ("measure", "last", "best", "seeds"):
        table.add_column(column, justify="left" if column == "measure" else "right", no_wrap=True)
    results = [row["results"] for row in rows]
    for name in dict.fromkeys(name for result in results for name in result["last"]):
        values = {
            when: [result[when][name]["value"] for result in results if name in result[when]] for when in ("last", "best")
        }
        table.add_row(name, show_mean_std(values["last"]), show_mean_std(values["best"]), str(len(values["last"])))
    return table
